#include "pipeline/wallet/links/rpc_child.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <boost/process/args.hpp>
#include <boost/process/async_pipe.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/environment.hpp>
#include <boost/process/error.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/io.hpp>
#include <boost/process/search_path.hpp>
#include <cstdlib>
#include <deque>

#include "base/scheduler.h"
#include "pipeline/wallet/links/rpc_message.h"
#include "pipeline/wallet/replies.h"

namespace wallet {

namespace asio = boost::asio;
namespace process = boost::process;
using base::Result;
using boost::system::error_code;

namespace {

constexpr std::int64_t kFirstRestartMs = 1'000;
constexpr std::int64_t kLongestRestartMs = 60'000;
constexpr std::size_t kMaxWaiting = 1'000;

}  // namespace

// One process and its pipes. Pinned by its own handlers; silent once it is closed.
class RpcChild::Child : public std::enable_shared_from_this<Child> {
 public:
  Child(RpcChild& owner) : owner_(owner), to_(owner.io_), from_(owner.io_) {}

  // Empty, or why there is none.
  std::string start(const std::vector<std::string>& command) {
    const auto program = process::search_path(command.front());
    if (program.empty()) return command.front() + " is not installed";
    std::error_code error;
    // Whatever else is in our environment is not its business.
    process::environment environment;
    for (const char* name : {"PATH", "HOME"}) {
      if (const char* value = std::getenv(name)) environment[name] = value;
    }
    child_ = process::child(process::exe = program.string(),
                            process::args = std::vector<std::string>(command.begin() + 1, command.end()),
                            (process::std_in < to_), (process::std_out > from_), environment, error);
    if (error) return error.message();
    read();
    return {};
  }

  void send(std::string line) {
    lines_.push_back(std::move(line));
    if (lines_.size() == 1) write();
  }

  void close() {
    closed_ = true;
    error_code ignored;
    to_.close(ignored);
    from_.close(ignored);
    std::error_code gone;
    if (child_.running(gone)) child_.terminate(gone);
    if (child_.joinable()) child_.wait(gone);
  }

 private:
  void read() {
    asio::async_read_until(from_, asio::dynamic_buffer(bytes_, kMaxRpcBytes), '\n',
                           [self = shared_from_this()](const error_code& error, std::size_t size) {
                             if (self->closed_) return;
                             if (error) return self->owner_.on_end("it ended");
                             const std::string line = self->bytes_.substr(0, size);
                             self->bytes_.erase(0, size);
                             self->owner_.on_line(line);
                             if (!self->closed_) self->read();
                           });
  }

  void write() {
    asio::async_write(to_, asio::buffer(lines_.front()),
                      [self = shared_from_this()](const error_code& error, std::size_t) {
                        if (self->closed_ || error) return;  // the reading side tells of the end
                        self->lines_.pop_front();
                        if (!self->lines_.empty()) self->write();
                      });
  }

  RpcChild& owner_;
  process::async_pipe to_;
  process::async_pipe from_;
  process::child child_;
  std::deque<std::string> lines_;
  std::string bytes_;
  bool closed_ = false;
};

RpcChild::RpcChild(asio::io_context& io, base::Scheduler& scheduler, ChildOptions options)
    : io_(io), scheduler_(scheduler), options_(std::move(options)) {
  start();
}

RpcChild::~RpcChild() {
  if (child_) child_->close();
}

void RpcChild::start() {
  const auto child = std::make_shared<Child>(*this);
  const std::string why = child->start(options_.command);
  if (!why.empty()) return on_end(why);
  child_ = child;
  send(options_.first, [this](const Result<RpcReply>& reply) { on_ready(reply); });
}

void RpcChild::on_ready(const Result<RpcReply>& reply) {
  if (!reply && child_) return on_end("it did not open the wallet in time");
  if (!reply) return;  // it ended: on_end() has the reason
  if (reply->result.empty()) return on_end(reply->error);
  ready_ = true;
  pause_ms_ = 0;
  for (auto& [call, done] : std::exchange(held_, {})) send(call, std::move(done));
  said_("connection", "{}");
}

void RpcChild::on_end(const std::string& why) {
  trouble_ = why;
  ready_ = false;
  if (child_) child_->close();
  child_.reset();
  auto waiting = std::exchange(waiting_, {});
  auto held = std::exchange(held_, {});
  pause_ms_ = std::clamp(2 * pause_ms_, kFirstRestartMs, kLongestRestartMs);
  scheduler_.after(pause_ms_, lifetime_.guard([this] { start(); }));
  for (auto& [id, one] : waiting) one.done(unreachable(why));
  for (auto& [call, done] : held) done(unreachable(why));
}

void RpcChild::on_line(std::string_view line) {
  const auto message = parse_rpc(line);
  if (!message) return on_end("it said what is no JSON-RPC");
  if (message->id) {
    answer(*message->id, message->reply);
  } else {
    said_(message->method, message->params);
  }
}

void RpcChild::call(RpcCall call, std::function<void(Result<RpcReply>)> done) {
  std::string why;
  if (!child_) why = trouble_;
  if (waiting_.size() + held_.size() >= kMaxWaiting) why = "too many questions wait for it";
  if (!why.empty()) {
    return asio::post(io_, [why, done = std::move(done)] { done(unreachable(why)); });
  }
  if (ready_) return send(call, std::move(done));
  held_.emplace_back(std::move(call), std::move(done));
}

void RpcChild::send(const RpcCall& call, std::function<void(Result<RpcReply>)> done) {
  const std::uint64_t id = ++last_id_;
  waiting_[id] = {std::move(done)};
  child_->send(to_json(id, call) + "\n");
  scheduler_.after(call.timeout_ms, lifetime_.guard([this, id] { answer(id, unreachable("no answer in time")); }));
}

void RpcChild::answer(std::uint64_t id, Result<RpcReply> reply) {
  auto found = waiting_.extract(id);
  if (found) found.mapped().done(std::move(reply));
}

void RpcChild::on_notification(std::function<void(const std::string&, const std::string&)> said) {
  said_ = std::move(said);
}

}  // namespace wallet
