// A small server on 127.0.0.1 that speaks Ollama's API and answers as the stand-in (stand_in.h): `sellcompute demo`
// uses it when there is no real Ollama. Tests use it to produce every failure of an Ollama server.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "pipeline/loopback/stand_in.h"

namespace boost::asio {
class io_context;
}

namespace loopback {

inline constexpr char kStandInModel[] = "stand-in";
inline constexpr std::uint64_t kStandInContextTokens = 8192;

// One way for a chat to go wrong.
enum class LoopbackFault {
  none,
  hang_up,         // closes the connection without an answer
  unknown_model,   // 404
  bad_request,     // 400
  input_too_long,  // 400 that says so
  busy,            // 503
  server_error,    // 500
  stall_at_start,  // accepts, then says nothing
  stall,           // says nothing more after a few tokens
  error_line,      // a runner that dies: an {"error"} line in the stream
  cut_stream,      // a server that is stopped: the chunked body breaks off between two lines
  cut_line,        // and within one
  bad_json,        // a line that is no JSON
  loaded_only,     // ends with done_reason load
  slow,            // answers, but a token takes kSlowTokenMs
  thinks_only,     // spends its tokens on `thinking` and ends without a text
  endless,         // thinks on and on
};

inline constexpr std::int64_t kSlowTokenMs = 200;

struct LoopbackOptions {
  std::vector<StandInModel> models = {{kStandInModel, kStandInContextTokens}};
  std::int64_t token_ms = 25;       // between two tokens, so that streaming can be watched
  std::set<std::string> missing;    // paths that it does not have, as Ollama before 0.1.38 has no /api/ps
  std::set<std::string> silent;     // paths that it never answers
  std::uint64_t failing_shows = 0;  // so many questions about a model are answered by 500 first
};

// What a loopback server has seen, for tests.
struct LoopbackRecord {
  std::string last_chat_body;
  std::uint64_t chats = 0;
  std::uint64_t shows = 0;
  std::uint64_t abandoned = 0;  // connections that the client closed before their answer ended
};

class LoopbackOllama {
 public:
  // Says how the n-th chat (from 1) goes wrong.
  using FaultHook = std::function<LoopbackFault(std::uint64_t chat)>;

  // Listens on a free port of 127.0.0.1. Fails with "inference.loopback" if there is none.
  static base::Result<std::unique_ptr<LoopbackOllama>> start(boost::asio::io_context& io, LoopbackOptions options = {});
  // Stops listening and closes every connection.
  ~LoopbackOllama();

  std::string url() const;  // "http://127.0.0.1:43210"
  const LoopbackRecord& record() const;
  void set_fault(LoopbackFault fault);  // for every chat from now on
  void set_fault_hook(FaultHook hook);

 private:
  class Server;
  explicit LoopbackOllama(std::shared_ptr<Server> server);
  std::shared_ptr<Server> server_;
};

}  // namespace loopback
