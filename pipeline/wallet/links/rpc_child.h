// JSON-RPC with a child process, one message a line over its pipes. The child is started again, after growing pauses,
// whenever it ends; what it says to people (stderr) goes where ours goes. Lives on one io_context thread; destroying it
// ends the child.
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
  RpcCall first;                     // asked of each new child; nothing else is before it has said yes
};

class RpcChild final : public Rpc {
 public:
  RpcChild(boost::asio::io_context& io, base::Scheduler& scheduler, ChildOptions options);
  ~RpcChild() override;

  // What is asked while a child starts waits for it; while there is none it fails at once, and says why.
  void call(RpcCall call, std::function<void(base::Result<RpcReply>)> done) override;
  // Besides what the child says: "connection" when a new one is ready.
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
