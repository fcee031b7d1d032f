#include "pipeline/wallet/links/rpc_socket.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>

#include "pipeline/wallet/links/rpc_message.h"
#include "pipeline/wallet/replies.h"

namespace wallet {

namespace asio = boost::asio;
using base::Result;
using boost::system::error_code;

namespace {

constexpr std::string_view kEnd = "\n\n";

std::string readable(const error_code& error) {
  if (error == asio::error::not_found) return "it said more than we read";
  if (error == asio::error::eof) return "it hung up";
  return error.message();
}

}  // namespace

// Pinned by its own handlers until it has answered.
class RpcSocket::Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(RpcSocket& owner, RpcCall call, std::function<void(Result<RpcReply>)> done)
      : owner_(owner),
        request_(to_json(1, call)),
        timeout_ms_(call.timeout_ms),
        done_(std::move(done)),
        socket_(owner.io_),
        timer_(owner.io_) {}

  void start() {
    timer_.expires_after(std::chrono::milliseconds(timeout_ms_));
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error) self->finish(unreachable("no answer within " + std::to_string(self->timeout_ms_) + " ms"));
    });
    socket_.async_connect(asio::local::stream_protocol::endpoint(owner_.path_.string()),
                          [self = shared_from_this()](const error_code& error) {
                            if (error) return self->fail(error);
                            self->write();
                          });
  }

  void close() {
    closed_ = true;
    error_code ignored;
    socket_.close(ignored);
    timer_.cancel();
  }

 private:
  void write() {
    asio::async_write(socket_, asio::buffer(request_),
                      [self = shared_from_this()](const error_code& error, std::size_t) {
                        if (error) return self->fail(error);
                        self->read();
                      });
  }

  void read() {
    asio::async_read_until(
        socket_, asio::dynamic_buffer(answer_, kMaxRpcBytes), kEnd,
        [self = shared_from_this()](const error_code& error, std::size_t size) {
          if (error) return self->fail(error);
          self->finish(parse_rpc(std::string_view(self->answer_).substr(0, size)).map([](const RpcMessage& message) {
            return message.reply;
          }));
        });
  }

  void fail(const error_code& error) {
    if (closed_) return;  // the owner may be gone
    finish(unreachable(readable(error) + " (" + owner_.path_.string() + ")",
                       "is the node running, and may this user open its socket?"));
  }

  void finish(Result<RpcReply> reply) {
    if (closed_) return;
    const auto self = shared_from_this();
    close();
    owner_.exchanges_.erase(self);
    done_(std::move(reply));
  }

  RpcSocket& owner_;
  const std::string request_;
  const std::int64_t timeout_ms_;
  const std::function<void(Result<RpcReply>)> done_;
  asio::local::stream_protocol::socket socket_;
  asio::steady_timer timer_;
  std::string answer_;
  bool closed_ = false;
};

RpcSocket::RpcSocket(asio::io_context& io, std::filesystem::path path) : io_(io), path_(std::move(path)) {}

RpcSocket::~RpcSocket() {
  for (const auto& one : exchanges_) one->close();
}

void RpcSocket::call(RpcCall call, std::function<void(Result<RpcReply>)> done) {
  const auto exchange = std::make_shared<Exchange>(*this, std::move(call), std::move(done));
  exchanges_.insert(exchange);
  exchange->start();
}

}  // namespace wallet
