// JSON-RPC over a unix socket, as Core Lightning speaks it: an answer ends with an empty line. One connection per call.
// Lives on one io_context thread. Destroying it ends the open calls without calling their `done`.
#pragma once

#include <filesystem>
#include <memory>
#include <set>

#include "pipeline/wallet/links/rpc.h"

namespace boost::asio {
class io_context;
}

namespace wallet {

class RpcSocket final : public Rpc {
 public:
  RpcSocket(boost::asio::io_context& io, std::filesystem::path path);
  ~RpcSocket() override;

  void call(RpcCall call, std::function<void(base::Result<RpcReply>)> done) override;
  void on_notification(std::function<void(const std::string&, const std::string&)>) override {}  // it sends none

 private:
  class Exchange;

  boost::asio::io_context& io_;
  const std::filesystem::path path_;
  std::set<std::shared_ptr<Exchange>> exchanges_;
};

}  // namespace wallet
