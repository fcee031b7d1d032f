#include "pipeline/net/websocket.h"

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <chrono>
#include <exception>

#include "pipeline/net/awaitable.h"
#include "pipeline/net/tls_trust.h"

namespace net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = beast::websocket;
using beast::error_code;

constexpr std::int64_t kIdleMs = 60'000;  // half of it: then a ping

}  // namespace

// Owned by its own coroutine, so that a callback may destroy the connection it belongs to.
class Websocket::Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(asio::io_context& io, const HttpOrigin& origin, WebsocketRequest request, WebsocketCallbacks callbacks)
      : origin_(origin), request_(std::move(request)), callbacks_(std::move(callbacks)), resolver_(io), tcp_(io) {}

  void start() {
    asio::co_spawn(
        tcp_.get_executor(), [self = shared_from_this()] { return self->run(); },
        [](const std::exception_ptr& thrown) {
          if (thrown) std::rethrow_exception(thrown);
        });
  }

  void close() {
    closed_ = true;
    resolver_.cancel();
    tcp_.close();
  }

 private:
  asio::awaitable<void> run() {
    error_code error;
    const auto addresses = co_await resolver_.async_resolve(origin_.host, origin_.port, into(error));
    if (error || closed_) co_return end();
    tcp_.expires_after(std::chrono::milliseconds(request_.connect_ms));
    co_await tcp_.async_connect(addresses, into(error));
    if (error) co_return end();
    if (!origin_.tls) {
      websocket::stream<beast::tcp_stream&> plain(tcp_);
      co_return co_await listen(plain);
    }
    const auto trust = trust_of(origin_, error);
    if (error) co_return end();
    websocket::stream<asio::ssl::stream<beast::tcp_stream&>> secure(tcp_, *trust);
    prepare_tls(secure.next_layer(), origin_.host);
    co_await secure.next_layer().async_handshake(asio::ssl::stream_base::client, into(error));
    if (error) co_return end();
    co_await listen(secure);
  }

  template <class Stream>
  asio::awaitable<void> listen(Stream& stream) {
    error_code error;
    stream.read_message_max(request_.max_message_bytes);
    stream.set_option(websocket::stream_base::decorator([this](websocket::request_type& upgrade) {
      upgrade.set(beast::http::field::user_agent, "sellcompute");
      for (const auto& [name, value] : request_.headers) upgrade.set(name, value);
    }));
    co_await stream.async_handshake(origin_.authority, origin_.prefix + request_.path, into(error));
    if (error || closed_) co_return end();
    tcp_.expires_never();
    stream.set_option(
        websocket::stream_base::timeout{.handshake_timeout = std::chrono::milliseconds(request_.connect_ms),
                                        .idle_timeout = std::chrono::milliseconds(kIdleMs),
                                        .keep_alive_pings = true});
    callbacks_.opened();
    beast::flat_buffer buffer;
    while (!closed_) {
      co_await stream.async_read(buffer, into(error));
      if (error || closed_) break;
      const auto bytes = buffer.cdata();
      callbacks_.message({static_cast<const char*>(bytes.data()), bytes.size()});
      buffer.clear();
    }
    end();
  }

  void end() {
    if (closed_) return;
    close();
    callbacks_.closed();
  }

  const HttpOrigin origin_;
  const WebsocketRequest request_;
  const WebsocketCallbacks callbacks_;
  asio::ip::tcp::resolver resolver_;
  beast::tcp_stream tcp_;
  bool closed_ = false;
};

Websocket::Websocket(asio::io_context& io, const HttpOrigin& origin, WebsocketRequest request,
                     WebsocketCallbacks callbacks)
    : exchange_(std::make_shared<Exchange>(io, origin, std::move(request), std::move(callbacks))) {
  exchange_->start();
}

Websocket::~Websocket() {
  exchange_->close();
}

}  // namespace net
