#include "cmd/cli/control_socket.h"

#include <sys/stat.h>

#include <algorithm>
#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>

namespace cmd {
namespace {

using base::ErrorKind;
using boost::asio::local::stream_protocol;
using boost::system::error_code;

constexpr std::size_t kMaxRequestBytes = 64 * 1024;
constexpr std::size_t kMaxAnswerBytes = 1024 * 1024;  // `status` names many relays, and what each told
constexpr auto kAcceptAgain = std::chrono::seconds(1);
constexpr auto kWaitingStep = std::chrono::seconds(1);

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
      : acceptor_(io), pause_(io), path_(path), handler_(std::move(handler)) {
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
      if (error == boost::asio::error::operation_aborted) return;  // this object is gone
      if (error) return accept_later();
      std::make_shared<Caller>(std::move(socket), handler_)->read();
      accept();
    });
  }

  // A process that has no file descriptor left gets one back sooner or later.
  void accept_later() {
    pause_.expires_after(kAcceptAgain);
    pause_.async_wait([this](error_code error) {
      if (!error) accept();
    });
  }

  stream_protocol::acceptor acceptor_;
  boost::asio::steady_timer pause_;
  std::filesystem::path path_;
  Handler handler_;
};

tl::unexpected<base::Error> control_unreachable(const std::string& why, const std::filesystem::path& path) {
  return base::fail(ErrorKind::connection, "control.unreachable", "the control socket cannot be reached: " + why,
                    path.string(), "ask as the user who runs `sellcompute serve`, with the same --data-dir");
}

// The asking side. Everything is asynchronous, so that nothing is waited for without limit.
class Question {
 public:
  Question(const std::filesystem::path& path, const nlohmann::json& request)
      : path_(path), request_(request.dump() + "\n") {}

  base::Result<nlohmann::json> ask(std::chrono::milliseconds patience, const std::function<void()>& waiting) {
    socket_.async_connect(path_.string(), [this](error_code error) {
      if (error) return end(error);
      connected_ = true;
      boost::asio::async_write(socket_, boost::asio::buffer(request_), [this](error_code failed, std::size_t) {
        if (failed) return end(failed);
        boost::asio::async_read_until(socket_, boost::asio::dynamic_buffer(line_, kMaxAnswerBytes), '\n',
                                      [this](error_code silent, std::size_t) { end(silent); });
      });
    });
    const auto until = std::chrono::steady_clock::now() + patience;
    for (auto now = until - patience; !ended_ && now < until; now = std::chrono::steady_clock::now()) {
      io_.run_until(std::min(until, now + kWaitingStep));
      if (!ended_ && waiting) waiting();
    }
    if (ended_ && !failure_) return answer();
    if (ended_) return connected_ ? broken() : unreachable();
    const auto waited_s = std::chrono::duration_cast<std::chrono::seconds>(patience).count();
    return base::fail(ErrorKind::connection, "control.silent",
                      "the running `sellcompute serve` gave no answer within " + std::to_string(waited_s) + " s",
                      path_.string(), "see its log; if it hangs, end it and start it again: nothing is lost");
  }

 private:
  void end(error_code failure) {
    ended_ = true;
    failure_ = failure;
  }

  // Nobody listens: there is no socket file, or a process that died has left it.
  tl::unexpected<base::Error> unreachable() const {
    if (failure_ != boost::system::errc::no_such_file_or_directory &&
        failure_ != boost::system::errc::connection_refused) {
      return control_unreachable(failure_.message(), path_);
    }
    return base::fail(ErrorKind::connection, "control.not_running", "no `sellcompute serve` is running here",
                      path_.string(), "start it with `sellcompute serve`, or name its --data-dir");
  }

  tl::unexpected<base::Error> broken() const {
    return base::fail(ErrorKind::connection, "control.broken",
                      "the running `sellcompute serve` ended the connection without an answer: " + failure_.message(),
                      path_.string(), "it may have ended meanwhile: see its log; nothing is lost");
  }

  base::Result<nlohmann::json> answer() const {
    auto reply = nlohmann::json::parse(line_, nullptr, false);
    if (reply.is_object() && reply.value("ok", false)) return reply;
    return base::fail(ErrorKind::invocation, "control.refused",
                      reply.is_object() ? reply.value("error", "refused") : "the answer is no JSON", {},
                      reply.is_object() ? reply.value("hint", "") : "");
  }

  const std::filesystem::path path_;
  const std::string request_;
  std::string line_;
  bool connected_ = false;
  bool ended_ = false;
  error_code failure_;
  boost::asio::io_context io_{1};
  stream_protocol::socket socket_{io_};
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

base::Result<nlohmann::json> ask_running_serve(const std::filesystem::path& path, const nlohmann::json& request,
                                               std::chrono::milliseconds patience,
                                               const std::function<void()>& waiting) {
  try {
    return Question(path, request).ask(patience, waiting);
  } catch (const std::exception& error) {
    return control_unreachable(error.what(), path);
  }
}

}  // namespace cmd
