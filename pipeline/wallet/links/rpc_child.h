// JSON-RPC with a child process over its pipes, one message per line. The child is started again, after growing pauses,
// whenever it ends. Its stderr is our stderr. Lives on one io_context thread; destroying it ends the child.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "base/lifetime.h"
#include "base/scheduler.h"
#include "pipeline/wallet/links/rpc.h"

namespace boost::asio {
class io_context;
}

namespace wallet {

struct ChildOptions {
  std::vector<std::string> command;  // found by PATH; no secret
  RpcCall first;                     // sent to each new child first; other calls wait until it succeeds
};

class RpcChild final : public Rpc {
 public:
  RpcChild(boost::asio::io_context& io, base::Scheduler& scheduler, ChildOptions options);
  ~RpcChild() override;

  // A call that comes while a child starts waits for it. A call that comes while no child runs fails at once with the
  // reason. So does one beyond 1,000 waiting calls.
  void call(RpcCall call, std::function<void(base::Result<RpcReply>)> done) override;
  // Reports the child's notifications, and "connection" when a new child is ready.
  void on_notification(std::function<void(const std::string&, const std::string&)> said) override;

 private:
  class Child;
  struct Waiting {
    std::function<void(base::Result<RpcReply>)> done;
  };

  void start();
  void on_line(std::string_view line);
  void on_ready(const base::Result<RpcReply>& reply);
  void on_end(const std::string& why);
  void send(const RpcCall& call, std::function<void(base::Result<RpcReply>)> done);
  void answer(std::uint64_t id, base::Result<RpcReply> reply);

  boost::asio::io_context& io_;
  base::Scheduler& scheduler_;
  const ChildOptions options_;
  std::function<void(const std::string&, const std::string&)> said_ = [](const std::string&, const std::string&) {};
  std::shared_ptr<Child> child_;
  std::map<std::uint64_t, Waiting> waiting_;
  std::vector<std::pair<RpcCall, std::function<void(base::Result<RpcReply>)>>> held_;  // until it is ready
  std::uint64_t last_id_ = 0;
  bool ready_ = false;
  std::string trouble_ = "it is starting";
  std::int64_t pause_ms_ = 0;
  base::Lifetime lifetime_;
};

}  // namespace wallet
