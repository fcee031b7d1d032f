// The port to a wallet that speaks JSON-RPC 2.0. Adapters implement it over a socket or over the pipes of a child
// process.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace wallet {

struct RpcCall {
  std::string method;
  std::string params = "{}";  // JSON
  std::int64_t timeout_ms = 30'000;
};

struct RpcReply {
  std::string result;  // JSON; empty: it failed
  std::int64_t error_code = 0;
  std::string error;  // the message
};

class Rpc {
 public:
  virtual ~Rpc() = default;
  // Exactly one answer; fails with "wallet.unreachable" when there is none in time.
  virtual void call(RpcCall call, std::function<void(base::Result<RpcReply>)> done) = 0;
  // What comes without being asked: a method and its parameters as JSON.
  virtual void on_notification(std::function<void(const std::string& method, const std::string& params)> said) = 0;
};

}  // namespace wallet
