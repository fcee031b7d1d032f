// An Ollama server as a Backend, over HTTP. It sends what it is asked to at once: admission (how many at a time) is the
// engine's, because Ollama queues without bound.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include "pipeline/inference/backend.h"
#include "pipeline/inference/ollama_api.h"
#include "pipeline/net/http_call.h"

namespace inference {

struct OllamaTimeouts {
  std::int64_t connect_ms = 5'000;
  std::int64_t first_token_ms = 300'000;  // a large model may have to come from a slow disk first
  std::int64_t stall_ms = 60'000;         // between two lines of an answer
  std::int64_t status_ms = 10'000;        // for each answer behind status()
};

// Used from the io_context's thread only. Generations may outlive the client; destroying it ends its status calls
// unanswered.
class OllamaClient final : public Backend {
 public:
  // `url` like "http://127.0.0.1:11434" (parse_origin says what is refused). Connects to nothing yet.
  static base::Result<std::unique_ptr<OllamaClient>> create(boost::asio::io_context& io, std::string_view url,
                                                            OllamaTimeouts timeouts = {});
  ~OllamaClient() override;

  std::unique_ptr<Generation> chat(const ChatRequest& request, OnText text, OnDone done) override;

  // Reports the models that the server lists and, where the server reports them: its version, and for each model its
  // context length, whether it can answer prompts, and whether it is loaded. Context length and completion are asked
  // for once per digest, and again only if the server failed to answer. Other servers and old versions do not report
  // all of this, nor does Ollama for a broken model. Fails with "inference.unreachable", "inference.timed_out",
  // "inference.refused" or "inference.malformed".
  void status(std::function<void(base::Result<BackendStatus>)> done) override;

 private:
  class StatusCheck;

  OllamaClient(boost::asio::io_context& io, net::HttpOrigin origin, OllamaTimeouts timeouts);

  boost::asio::io_context& io_;
  const net::HttpOrigin origin_;
  const OllamaTimeouts timeouts_;
  std::map<std::string, ShownModel> shown_;  // by digest, or where the server has none, by name
  std::set<std::string> hung_;               // same keys: models for which the last status() got no answer
  std::set<std::shared_ptr<StatusCheck>> checks_;
};

}  // namespace inference
