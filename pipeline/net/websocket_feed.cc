#include "pipeline/net/websocket_feed.h"

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>

namespace net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using boost::system::error_code;

constexpr auto kPingEvery = std::chrono::seconds(30);

}  // namespace

// Owned by its handlers as well, so that a callback may destroy the feed it belongs to.
class WebsocketFeed::Connection : public std::enable_shared_from_this<Connection> {
 public:
  Connection(asio::io_context& io, WebsocketConnector& connector, const HttpOrigin& origin,
             WebsocketFeedRequest request, WebsocketFeedCallbacks callbacks)
      : connector_(connector),
        origin_(origin),
        request_(std::move(request)),
        callbacks_(std::move(callbacks)),
        resolver_(io),
        timer_(io) {
    request_.headers.emplace_back("User-Agent", "sellcompute");
  }

  void start() {
    const auto resolved = [self = shared_from_this()](const error_code& error,
                                                      const tcp::resolver::results_type& found) {
      if (self->closed_) return;
      if (error) return self->end();
      for (const auto& entry : found) self->addresses_.push_back(entry.endpoint().address().to_string());
      self->limit_connecting();
      self->try_next_address();
    };
    resolver_.async_resolve(origin_.host, origin_.port, resolved);
  }

  void close() {
    closed_ = true;
    resolver_.cancel();
    timer_.cancel();
    websocket_.reset();
  }

 private:
  void limit_connecting() {
    timer_.expires_after(std::chrono::milliseconds(request_.connect_ms));
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      const bool too_late = self->is_open_ || self->closed_;  // the timer was set again, but had rung already
      if (!error && !too_late) self->end();
    });
  }

  void try_next_address() {
    if (addresses_.empty()) return end();
    const WebsocketDial dial{.tls = origin_.tls,
                             .host = origin_.host,
                             .port = static_cast<std::uint16_t>(std::stoi(origin_.port)),
                             .target = origin_.prefix + request_.path,
                             .address = addresses_.front(),
                             .max_message_bytes = request_.max_message_bytes,
                             .headers = request_.headers};
    addresses_.pop_front();
    WebsocketHandlers handlers;
    handlers.on_open = [self = weak_from_this()] { self.lock()->open(); };
    handlers.on_text = [self = weak_from_this()](const std::string& text) { self.lock()->take(text); };
    handlers.on_skipped = [self = weak_from_this()](SkippedMessage) { self.lock()->end(); };
    handlers.on_pong = [self = weak_from_this()] { self.lock()->heard_ = true; };
    handlers.on_closed = [self = weak_from_this()](const std::string&) { self.lock()->lose(); };
    websocket_ = connector_.connect(dial, std::move(handlers));
  }

  void open() {
    is_open_ = true;
    ping_later();
    const auto self = shared_from_this();
    callbacks_.opened();
  }

  void take(std::string_view text) {
    heard_ = true;
    const auto self = shared_from_this();
    callbacks_.message(text);
  }

  void lose() {
    if (is_open_) return end();
    try_next_address();
  }

  // A server that answers no ping before the next one is due is gone.
  void ping_later() {
    timer_.expires_after(kPingEvery);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (error || self->closed_) return;
      if (!self->heard_) return self->end();
      self->heard_ = false;
      self->websocket_->ping();
      self->ping_later();
    });
  }

  void end() {
    const auto self = shared_from_this();
    close();
    callbacks_.closed();
  }

  WebsocketConnector& connector_;
  const HttpOrigin origin_;
  WebsocketFeedRequest request_;
  const WebsocketFeedCallbacks callbacks_;
  tcp::resolver resolver_;
  asio::steady_timer timer_;
  std::deque<std::string> addresses_;  // not tried yet
  std::unique_ptr<Websocket> websocket_;
  bool is_open_ = false;
  bool heard_ = true;  // something since the last ping
  bool closed_ = false;
};

WebsocketFeed::WebsocketFeed(asio::io_context& io, WebsocketConnector& connector, const HttpOrigin& origin,
                             WebsocketFeedRequest request, WebsocketFeedCallbacks callbacks)
    : connection_(std::make_shared<Connection>(io, connector, origin, std::move(request), std::move(callbacks))) {
  connection_->start();
}

WebsocketFeed::~WebsocketFeed() {
  connection_->close();
}

}  // namespace net
