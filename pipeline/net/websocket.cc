#include "pipeline/net/websocket.h"

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <websocketpp/client.hpp>
#include <websocketpp/config/core_client.hpp>

#include "pipeline/net/tls_trust.h"
#include "pipeline/net/upgrade_answer.h"
#include "pipeline/net/websocket_messages.h"

namespace net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kMaxBufferedBytes = 8 * 1024 * 1024;
constexpr std::size_t kReadBytes = 16 * 1024;
constexpr auto kLingerTime = std::chrono::seconds(2);

// websocketpp shakes hands, answers control frames and makes frames of what we send (its iostream transport).
// Connecting, TLS and time-outs are ours, so that the address is the one that was judged, and the reasons of failures
// are not lost; so are the server's messages, which websocketpp could not skip. No extension is offered.
struct Protocol : websocketpp::config::core_client {
  static const size_t max_http_body_size = 16 * 1024;
};
using Client = websocketpp::client<Protocol>;

std::string readable(const error_code& ec, const std::string& peer) {
  if (ec == asio::error::connection_refused) return "connection refused";
  if (ec == asio::error::eof || ec == asio::ssl::error::stream_truncated) return "closed by the " + peer;
  if (ec == asio::error::connection_reset || ec == asio::error::broken_pipe) return "connection reset";
  if (ec.category() == asio::error::get_ssl_category()) return handshake_fault(static_cast<unsigned long>(ec.value()));
  return ec.message();
}

}  // namespace

struct WebsocketConnector::Trust {
  asio::ssl::context context{asio::ssl::context::tls_client};
  std::string error;
};

class Websocket::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::io_context& io, WebsocketDial dial, WebsocketHandlers handlers)
      : tcp_(io),
        linger_(io),
        dial_(std::move(dial)),
        handlers_(std::move(handlers)),
        messages_(dial_.max_message_bytes) {}

  // The websocketpp connection keeps itself alive while it waits for bytes: it has to be told that none will come.
  ~Connection() {
    ended_ = true;
    if (websocket_) websocket_->fatal_error();
  }

  void start(asio::ssl::context& trust, const std::string& trust_error) {
    if (dial_.tls) tls_.emplace(tcp_, trust);
    error_code ec;
    const auto address = asio::ip::make_address(dial_.address, ec);
    const std::string fault = ec ? "not an IP address: " + dial_.address : dial_.tls ? trust_error : "";
    if (!fault.empty())
      return asio::post(tcp_.get_executor(), [self = shared_from_this(), fault] { self->end(fault); });
    tcp_.async_connect({address, dial_.port}, [self = shared_from_this()](const error_code& failure) {
      if (self->ended_) return;
      if (failure) return self->end(self->readable(failure));
      error_code ignored;
      self->tcp_.set_option(tcp::no_delay(true), ignored);
      if (!self->tls_) return self->upgrade();
      self->shake_hands();
    });
  }

  void send_text(const std::string& text) {
    if (websocket_) std::ignore = websocket_->send(text, websocketpp::frame::opcode::text);
  }

  void ping() {
    websocketpp::lib::error_code ignored;
    if (websocket_) websocket_->ping("", ignored);
  }

  void pause_reading(bool paused) {
    paused_ = paused;
    if (websocket_) read_next();
  }

  // Says goodbye if that is possible without waiting for the peer.
  void let_go() {
    handlers_ = {};
    asio::post(tcp_.get_executor(), [self = shared_from_this()] {
      const bool was_open = !self->ended_ && self->websocket_;
      self->ended_ = true;
      if (was_open) {
        websocketpp::lib::error_code ignored;
        self->websocket_->close(websocketpp::close::status::normal, "", ignored);
      }
      self->leaving_ = true;
      self->write_next();
    });
    linger_.expires_after(kLingerTime);
    linger_.async_wait([self = shared_from_this()](const error_code& ec) {
      if (!ec) self->hang_up();
    });
  }

 private:
  std::string readable(const error_code& ec) const { return net::readable(ec, dial_.peer); }

  template <class Use>
  void with_stream(Use use) {
    if (tls_) {
      use(*tls_);
    } else {
      use(tcp_);
    }
  }

  void shake_hands() {
    expect_host(tls_->native_handle(), dial_.host);
    tls_->set_verify_mode(asio::ssl::verify_peer);
    tls_->set_verify_callback([this](bool trusted, asio::ssl::verify_context& context) {
      if (!trusted) tls_fault_ = certificate_fault(context.native_handle(), dial_.host);
      return trusted;
    });
    tls_->async_handshake(asio::ssl::stream_base::client, [self = shared_from_this()](const error_code& ec) {
      if (self->ended_) return;
      if (!ec) return self->upgrade();
      self->end("TLS: " + (self->tls_fault_.empty() ? self->readable(ec) : self->tls_fault_));
    });
  }

  // The HTTP request that turns the stream into a websocket.
  void upgrade() {
    client_.clear_access_channels(websocketpp::log::alevel::all);
    client_.clear_error_channels(websocketpp::log::elevel::all);
    client_.set_secure(dial_.tls);
    const std::string host = dial_.host.find(':') == std::string::npos ? dial_.host : "[" + dial_.host + "]";
    websocketpp::lib::error_code ec;
    websocket_ =
        client_.get_connection(std::make_shared<websocketpp::uri>(dial_.tls, host, dial_.port, dial_.target), ec);
    if (ec) return end(ec.message());
    for (const auto& [name, value] : dial_.headers) websocket_->replace_header(name, value);
    listen();
    client_.connect(websocket_);
    read_next();
  }

  void listen() {
    websocket_->set_write_handler([this](auto, const char* data, std::size_t size) {
      write(data, size);
      return websocketpp::lib::error_code();
    });
    websocket_->set_open_handler([this](auto) { report(handlers_.on_open); });
    websocket_->set_pong_handler([this](auto, const std::string&) { report(handlers_.on_pong); });
    websocket_->set_fail_handler([this](auto) {
      const int status = static_cast<int>(websocket_->get_response_code());
      const bool refused = status != 0 && status != 101;
      end(refused ? "HTTP " + std::to_string(status) + " " + websocket_->get_response_msg()
                  : "not a websocket: " + websocket_->get_ec().message());
    });
    websocket_->set_close_handler([this](auto) { end(why_closed()); });
  }

  // A handler may destroy the Websocket, and with it the handlers: the one that runs is a copy.
  template <class Handler, class... Args>
  void report(Handler handler, Args&&... args) {
    if (!ended_ && handler) handler(std::forward<Args>(args)...);
  }

  void read_next() {
    if (paused_ || reading_ || ended_) return;
    reading_ = true;
    with_stream([this](auto& stream) {
      stream.async_read_some(asio::buffer(read_buffer_),
                             [self = shared_from_this()](const error_code& ec, std::size_t size) {
                               self->reading_ = false;
                               if (self->ended_) return;
                               if (ec) return self->end(self->readable(ec));
                               self->take({self->read_buffer_.data(), size});
                               self->read_next();
                             });
    });
  }

  void take(std::string_view bytes) {
    if (!answer_.is_complete()) bytes = take_answer(bytes);
    messages_.append(bytes);
    while (!ended_) {
      const auto part = messages_.next();
      if (!part) break;
      take(*part);
    }
  }

  // Passes on the HTTP answer that opens the websocket, once it is complete; returns the bytes after it.
  std::string_view take_answer(std::string_view bytes) {
    bytes = answer_.append(bytes);
    if (!answer_.fault().empty()) {
      end("not a websocket: " + answer_.fault());
    } else if (answer_.is_complete()) {
      websocket_->read_all(answer_.text().data(), answer_.text().size());
      end_if_broken();
    }
    return bytes;
  }

  void take(const WebsocketMessages::Part& part) {
    using Kind = WebsocketMessages::Kind;
    switch (part.kind) {
      case Kind::text:
        return report(handlers_.on_text, part.bytes);
      case Kind::too_long:
        return report(handlers_.on_skipped, SkippedMessage::too_long);
      case Kind::not_utf8:
        return report(handlers_.on_skipped, SkippedMessage::not_utf8);
      case Kind::binary:
        return report(handlers_.on_idle);
      case Kind::ping:
        report(handlers_.on_idle);
        [[fallthrough]];
      case Kind::control:
        websocket_->read_all(part.bytes.data(), part.bytes.size());
        return end_if_broken();
      case Kind::broken:
        return end("broke the protocol: " + part.bytes);
    }
  }

  // On a violation of the protocol websocketpp sends its close frame and waits for the peer's; we do not.
  void end_if_broken() {
    if (ended_ || websocket_->get_state() != websocketpp::session::state::closing) return;
    end(why_closed());
  }

  std::string why_closed() const {
    const std::string theirs = websocket_->get_remote_close_reason();
    if (!theirs.empty()) return "closed by the " + dial_.peer + ": " + theirs;
    const std::string ours = websocket_->get_local_close_reason();  // a violation: we closed
    return ours.empty() ? "closed by the " + dial_.peer : "broke the protocol: " + ours;
  }

  void write(const char* data, std::size_t size) {
    if (waiting_.size() + size > kMaxBufferedBytes) {
      waiting_.clear();
      return asio::post(tcp_.get_executor(), [self = shared_from_this()] { self->end("does not read what we send"); });
    }
    waiting_.append(data, size);
    write_next();
  }

  void write_next() {
    if (writing_) return;
    if (waiting_.empty()) {
      if (leaving_) hang_up();
      return;
    }
    writing_ = true;
    being_written_.swap(waiting_);
    waiting_.clear();
    with_stream([this](auto& stream) {
      asio::async_write(stream, asio::buffer(being_written_),
                        [self = shared_from_this()](const error_code& ec, std::size_t) {
                          self->writing_ = false;
                          if (!ec) return self->write_next();
                          if (self->leaving_) return self->hang_up();
                          self->end(self->readable(ec));
                        });
    });
  }

  void end(const std::string& reason) {
    if (ended_) return;
    ended_ = true;
    if (const auto handler = std::move(handlers_.on_closed)) handler(reason);
  }

  void hang_up() {
    error_code ignored;
    linger_.cancel();
    tcp_.shutdown(tcp::socket::shutdown_both, ignored);
    tcp_.close(ignored);
  }

  tcp::socket tcp_;
  std::optional<asio::ssl::stream<tcp::socket&>> tls_;
  asio::steady_timer linger_;
  WebsocketDial dial_;
  WebsocketHandlers handlers_;
  UpgradeAnswer answer_;
  WebsocketMessages messages_;
  Client client_;
  Client::connection_ptr websocket_;
  std::array<char, kReadBytes> read_buffer_{};
  std::string waiting_;
  std::string being_written_;
  std::string tls_fault_;
  bool reading_ = false;
  bool writing_ = false;
  bool paused_ = false;
  bool leaving_ = false;  // the owner is gone: hang up when all is written
  bool ended_ = false;    // nothing is reported any more
};

Websocket::Websocket(std::shared_ptr<Connection> connection) : connection_(std::move(connection)) {}
Websocket::~Websocket() {
  connection_->let_go();
}
void Websocket::send_text(const std::string& text) {
  connection_->send_text(text);
}
void Websocket::ping() {
  connection_->ping();
}
void Websocket::pause_reading(bool paused) {
  connection_->pause_reading(paused);
}

WebsocketConnector::WebsocketConnector(asio::io_context& io, const WebsocketTrust& trust)
    : io_(io), trust_(std::make_shared<Trust>()) {
  SSL_CTX_set_min_proto_version(trust_->context.native_handle(), TLS1_2_VERSION);
  error_code ec;
  if (trust.only_pem.empty()) {
    trust_->context.set_default_verify_paths(ec);
  } else if (const auto fault = trust_certificates(trust_->context.native_handle(), trust.only_pem); !fault.empty()) {
    trust_->error = "TLS: the file of the trusted certificates " + fault;
    return;
  }
  if (!ec && !trust.extra_ca_file.empty()) {
    trust_->context.load_verify_file(trust.extra_ca_file, ec);
    trust_each_certificate(trust_->context.native_handle());
  }
  if (!ec) return;
  const std::string file = trust.extra_ca_file.empty() ? "" : " " + trust.extra_ca_file;
  trust_->error = "TLS: cannot load the certificate authorities" + file + ": " + ec.message();
}

WebsocketConnector::~WebsocketConnector() = default;

std::unique_ptr<Websocket> WebsocketConnector::connect(const WebsocketDial& dial, WebsocketHandlers handlers) {
  auto connection = std::make_shared<Websocket::Connection>(io_, dial, std::move(handlers));
  connection->start(trust_->context, trust_->error);
  return std::make_unique<Websocket>(std::move(connection));
}

}  // namespace net
