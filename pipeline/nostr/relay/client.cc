#include "pipeline/nostr/relay/client.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

namespace nostr {
namespace {

using net::is_public_address;

namespace asio = boost::asio;
using asio::ip::tcp;

// The session's clock may be set; the timer's is not. So it never sleeps long without looking.
constexpr std::int64_t kMaxSleepMs = 1'000;

bool is_public(const asio::ip::address& address) {
  return address.is_v4() ? is_public_address(address.to_v4().to_bytes())
                         : is_public_address(address.to_v6().to_bytes());
}

RelaySessionOptions with_url(RelaySessionOptions options, const RelayUrl& url) {
  options.url = url.text();
  return options;
}

}  // namespace

struct RelayClient::Io {
  explicit Io(asio::io_context& io) : resolver(io), timer(io) {}
  tcp::resolver resolver;
  asio::steady_timer timer;
  std::shared_ptr<bool> lookup;  // while its answer is wanted
  std::optional<TimeMs> wakes_at;
  // Handlers that were queued before the client was destroyed, or before it hung up, find a newer number or nothing.
  std::shared_ptr<unsigned> dial = std::make_shared<unsigned>(0);
};

RelayClient::RelayClient(asio::io_context& io, net::WebsocketConnector& connector, RelayClientOptions options,
                         RelayLinkHandlers handlers)
    : RelayLink(with_url(options.session, options.url), std::move(options.clock), std::move(handlers)),
      connector_(connector),
      max_message_bytes_(options.session.max_frame_bytes),
      url_(std::move(options.url)),
      guarded_(options.guarded),
      lookups_(options.lookups),
      io_(std::make_unique<Io>(io)) {}

RelayClient::~RelayClient() = default;

void RelayClient::pause_reading(bool paused) {
  paused_ = paused;
  if (socket_) socket_->pause_reading(paused);
}

void RelayClient::dial() {
  ++*io_->dial;
  if (lookups_) {
    io_->lookup = std::make_shared<bool>();
    return lookups_->look_up(url_.host, io_->lookup, [this](const auto& found) { resolved(found); });
  }
  const auto done = [this, number = *io_->dial, current = std::weak_ptr(io_->dial)](
                        const boost::system::error_code& ec, const tcp::resolver::results_type& found) {
    const auto latest = current.lock();
    if (!latest || *latest != number) return;
    if (ec) return resolved(tl::unexpected(ec.message()));
    std::vector<asio::ip::address> addresses;
    for (const auto& entry : found) addresses.push_back(entry.endpoint().address());
    resolved(addresses);
  };
  io_->resolver.async_resolve(url_.host, std::to_string(url_.port), done);
}

void RelayClient::resolved(const net::NameLookups::Found& found) {
  if (!found) return closed("no address for " + url_.host + ": " + found.error());
  const auto inside = std::find_if_not(found->begin(), found->end(), is_public);
  if (guarded_ && inside != found->end()) {
    return forbidden("refused: " + url_.host + " is at " + inside->to_string() + ", which is not a public address");
  }
  connect((*found)[dials_++ % found->size()].to_string());  // the next one at the next try
}

void RelayClient::connect(const std::string& address) {
  const net::WebsocketDial where{.tls = url_.secure,
                                 .host = url_.host,
                                 .port = url_.port,
                                 .target = url_.target,
                                 .address = address,
                                 .max_message_bytes = max_message_bytes_,
                                 .peer = "relay"};
  net::WebsocketHandlers handlers;
  handlers.on_open = [this] { opened(); };
  handlers.on_text = [this](const std::string& text) { received(text); };
  handlers.on_skipped = [this](net::SkippedMessage why) {
    skipped(why == net::SkippedMessage::too_long ? "too_large" : "malformed");
  };
  handlers.on_pong = [this] { ponged(); };
  handlers.on_idle = [this] { useless(Useless::chatter); };
  handlers.on_closed = [this](const std::string& reason) {
    socket_.reset();
    closed(reason);
  };
  socket_ = connector_.connect(where, std::move(handlers));
  if (paused_) socket_->pause_reading(true);
}

void RelayClient::send_text(const std::string& text) {
  if (socket_) socket_->send_text(text);
}
void RelayClient::ping() {
  if (socket_) socket_->ping();
}
void RelayClient::hang_up() {
  ++*io_->dial;
  io_->lookup.reset();
  io_->resolver.cancel();
  socket_.reset();
}

// One timer, moved only if it would ring too late.
void RelayClient::wake_at(TimeMs time) {
  if (io_->wakes_at && *io_->wakes_at <= time) return;
  const auto sleep_ms = std::clamp<std::int64_t>(time - now(), 0, kMaxSleepMs);
  io_->wakes_at = now() + sleep_ms;
  io_->timer.expires_after(std::chrono::milliseconds(sleep_ms));
  io_->timer.async_wait([this, current = std::weak_ptr(io_->dial)](const boost::system::error_code& ec) {
    if (ec || current.expired()) return;
    io_->wakes_at.reset();
    ticked();
  });
}

}  // namespace nostr
