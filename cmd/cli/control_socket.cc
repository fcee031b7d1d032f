#include "cmd/cli/control_socket.h"

#include <sys/stat.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

namespace cmd {
namespace {

using base::ErrorKind;
using boost::asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::size_t kMaxRequestBytes = 64 * 1024;

// One caller: a request a line, answered in order.
class Caller : public std::enable_shared_from_this<Caller> {
 public:
  Caller(stream_protocol::socket socket, ControlSocket::Handler& handler)
      : socket_(std::move(socket)), buffer_(kMaxRequestBytes), handler_(handler) {}

  void read() {
    boost::asio::async_read_until(socket_, buffer_, '\n',
                                  [self = shared_from_this()](error_code error, std::size_t size) {
                                    if (!error) self->on_line(size);
                                  });
  }

 private:
  void on_line(std::size_t size) {
    const auto begin = boost::asio::buffers_begin(buffer_.data());
    const std::string line(begin, begin + static_cast<std::ptrdiff_t>(size));
    buffer_.consume(size);
    const auto request = nlohmann::json::parse(line, nullptr, false);
    if (!request.is_object()) return answer({{"ok", false}, {"error", "the request is no JSON object"}});
    try {
      handler_(request, [self = shared_from_this()](const nlohmann::json& reply) { self->answer(reply); });
    } catch (const nlohmann::json::exception& error) {
      answer({{"ok", false}, {"error", error.what()}});
    }
  }

  void answer(const nlohmann::json& reply) {
    reply_ = reply.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
    boost::asio::async_write(socket_, boost::asio::buffer(reply_),
                             [self = shared_from_this()](error_code error, std::size_t) {
                               if (!error) self->read();
                             });
  }

  stream_protocol::socket socket_;
  boost::asio::streambuf buffer_;
  std::string reply_;
  ControlSocket::Handler& handler_;
};

class Listener final : public ControlSocket {
 public:
  Listener(boost::asio::io_context& io, const std::filesystem::path& path, Handler handler)
      : acceptor_(io), path_(path), handler_(std::move(handler)) {
    std::filesystem::remove(path);
    acceptor_.open();
    const auto old_mask = ::umask(0177);  // the file is never there with a wider mode
    error_code error;
    acceptor_.bind(path.string(), error);
    ::umask(old_mask);
    if (error) throw boost::system::system_error(error);
    acceptor_.listen();
    accept();
  }
  ~Listener() override {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

 private:
  void accept() {
    acceptor_.async_accept([this](error_code error, stream_protocol::socket socket) {
      if (error) return;
      std::make_shared<Caller>(std::move(socket), handler_)->read();
      accept();
    });
  }

  stream_protocol::acceptor acceptor_;
  std::filesystem::path path_;
  Handler handler_;
};

}  // namespace

std::filesystem::path control_socket_path(const std::filesystem::path& data_dir) {
  return data_dir / "control.sock";
}

base::Result<std::unique_ptr<ControlSocket>> ControlSocket::listen(boost::asio::io_context& io,
                                                                   const std::filesystem::path& path, Handler handler) {
  try {
    return std::make_unique<Listener>(io, path, std::move(handler));
  } catch (const std::exception& error) {
    return base::fail(ErrorKind::invocation, "control.socket",
                      std::string("the control socket cannot be made: ") + error.what(), path.string(),
                      "choose another --data-dir if this path is too long or not writable");
  }
}

base::Result<nlohmann::json> ask_running_serve(const std::filesystem::path& path, const nlohmann::json& request) {
  try {
    boost::asio::io_context io;
    stream_protocol::socket socket(io);
    error_code error;
    socket.connect(path.string(), error);
    if (error) {
      return base::fail(ErrorKind::connection, "control.not_running", "no `sellcompute serve` is running here",
                        path.string(), "start it with `sellcompute serve`");
    }
    boost::asio::write(socket, boost::asio::buffer(request.dump() + "\n"));
    std::string line;
    boost::asio::read_until(socket, boost::asio::dynamic_buffer(line, kMaxRequestBytes), '\n');
    auto reply = nlohmann::json::parse(line, nullptr, false);
    if (reply.is_object() && reply.value("ok", false)) return reply;
    return base::fail(ErrorKind::invocation, "control.refused",
                      reply.is_object() ? reply.value("error", "refused") : "the answer is no JSON", {},
                      reply.is_object() ? reply.value("hint", "") : "");
  } catch (const std::exception& error) {
    return base::fail(ErrorKind::connection, "control.not_running",
                      std::string("the running serve did not answer: ") + error.what(), path.string());
  }
}

}  // namespace cmd
