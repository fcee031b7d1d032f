// How other commands reach the single writer: a unix socket of mode 0600 in the data folder. One JSON object per line
// each way:
//   {"method":"offline","drain":true}  ->  {"ok":true,…}  or  {"ok":false,"error":"…"}
#pragma once

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>

#include "base/result.h"

namespace cmd {

std::filesystem::path control_socket_path(const std::filesystem::path& data_dir);

// Serves the socket on the io_context. `handle` gets each request and a function that answers it, now or later.
class ControlSocket {
 public:
  using Answer = std::function<void(nlohmann::json)>;
  using Handler = std::function<void(const nlohmann::json& request, Answer answer)>;

  // A socket file that a dead process left is replaced. Fails with "control.socket".
  static base::Result<std::unique_ptr<ControlSocket>> listen(boost::asio::io_context& io,
                                                             const std::filesystem::path& path, Handler handler);
  virtual ~ControlSocket() = default;
};

// Time limits for an answer: kQuickAnswer for requests that `serve` handles at once, kLongAnswer for those that may
// take long, such as a drain or pruning.
inline constexpr std::chrono::seconds kQuickAnswer{10};
inline constexpr std::chrono::hours kLongAnswer{24};

// Asks a running `serve` and waits for its answer. Fails with "control.not_running" when nobody listens, with
// "control.unreachable" when the socket may not be used, with "control.silent" when no answer comes in time, with
// "control.broken" when the connection ends before the answer, and with "control.refused" carrying what the other side
// says. `waiting`, if given, is called every second while there is no answer yet.
base::Result<nlohmann::json> ask_running_serve(const std::filesystem::path& path, const nlohmann::json& request,
                                               std::chrono::milliseconds patience = kQuickAnswer,
                                               const std::function<void()>& waiting = {});

}  // namespace cmd
