#include "pipeline/nostr/relay_client.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <utility>

namespace nostr {
namespace {

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
  std::optional<TimeMs> wakes_at;
  // Handlers that were queued before the client was destroyed, or before it hung up, find a newer number or nothing.
  std::shared_ptr<unsigned> dial = std::make_shared<unsigned>(0);
};

RelayClient::RelayClient(asio::io_context& io, RelayConnector& connector, RelayClientOptions options,
                         RelayClientHandlers handlers)
    : connector_(connector),
      options_(std::move(options)),
      handlers_(std::move(handlers)),
      session_(with_url(options_.session, options_.url)),
      io_(std::make_unique<Io>(io)) {}

RelayClient::~RelayClient() = default;

void RelayClient::start() {
  perform(session_.start(now()));
}
void RelayClient::subscribe(const std::string& id, RelaySession::FilterSource filters) {
  perform(session_.subscribe(id, std::move(filters), now()));
}
void RelayClient::unsubscribe(const std::string& id) {
  perform(session_.unsubscribe(id, now()));
}
void RelayClient::publish(EventId id, std::string event_json) {
  perform(session_.publish(id, std::move(event_json), now()));
}
void RelayClient::shut_down() {
  perform(session_.shut_down());
}

void RelayClient::pause_reading(bool paused) {
  paused_ = paused;
  if (socket_) socket_->pause_reading(paused);
}

// A handler may use the client again: what follows from that is done after what was to be done already.
void RelayClient::perform(RelayActions actions) {
  std::move(actions.begin(), actions.end(), std::back_inserter(to_do_));
  if (std::exchange(performing_, true)) return;
  while (!to_do_.empty()) {
    auto action = std::move(to_do_.front());
    to_do_.pop_front();
    std::visit([this](auto& a) { perform(a); }, action);
  }
  performing_ = false;
  set_timer();
}

void RelayClient::perform(Dial) {
  const auto resolved = [this, number = ++*io_->dial, current = std::weak_ptr(io_->dial)](
                            const boost::system::error_code& ec, const tcp::resolver::results_type& found) {
    const auto dial = current.lock();
    if (!dial || *dial != number) return;
    if (ec) return perform(session_.on_closed("no address for " + options_.url.host + ": " + ec.message(), now()));
    std::vector<asio::ip::address> addresses;
    for (const auto& entry : found) addresses.push_back(entry.endpoint().address());
    const auto forbidden = std::find_if_not(addresses.begin(), addresses.end(), is_public);
    if (options_.guarded && forbidden != addresses.end()) {
      return perform(session_.on_forbidden(
          "refused: " + options_.url.host + " is at " + forbidden->to_string() + ", which is not a public address",
          now()));
    }
    connect(addresses[dials_++ % addresses.size()].to_string());  // the next one at the next try
  };
  io_->resolver.async_resolve(options_.url.host, std::to_string(options_.url.port), resolved);
}

void RelayClient::connect(const std::string& address) {
  const RelayDial dial{options_.url.secure, options_.url.host, options_.url.port,
                       options_.url.target, address,           kMaxRelayMessageBytes};
  RelaySocketHandlers handlers;
  handlers.on_open = [this] { perform(session_.on_open(now())); };
  handlers.on_text = [this](const std::string& text) {
    perform(session_.on_frame(text, now()));
    handlers_.on_heard();
  };
  handlers.on_pong = [this] {
    perform(session_.on_pong(now()));
    handlers_.on_heard();
  };
  handlers.on_closed = [this](const std::string& reason) {
    socket_.reset();
    perform(session_.on_closed(clean_relay_text(reason), now()));
  };
  socket_ = connector_.connect(dial, std::move(handlers));
  if (paused_) socket_->pause_reading(true);
}

void RelayClient::perform(const SendFrame& action) {
  if (socket_) socket_->send_text(action.text);
}
void RelayClient::perform(SendPing) {
  if (socket_) socket_->ping();
}
void RelayClient::perform(HangUp) {
  ++*io_->dial;
  io_->resolver.cancel();
  socket_.reset();
}
void RelayClient::perform(Deliver& action) {
  handlers_.on_event(std::move(action));
}
void RelayClient::perform(const CaughtUp& action) {
  handlers_.on_caught_up(action.subscription);
}
void RelayClient::perform(const PublishAnswer& action) {
  handlers_.on_answer(action);
}
void RelayClient::perform(const Dropped& action) {
  handlers_.on_dropped(action.reason);
}
void RelayClient::perform(const Notice& action) {
  handlers_.on_notice(action.text);
}
void RelayClient::perform(const HealthChange& action) {
  handlers_.on_health(action.state, action.reason);
}

// One timer, moved only if it would ring too late.
void RelayClient::set_timer() {
  const auto wake = session_.wake_at();
  if (!wake || (io_->wakes_at && *io_->wakes_at <= *wake)) return;
  const auto sleep_ms = std::clamp<std::int64_t>(*wake - now(), 0, kMaxSleepMs);
  io_->wakes_at = now() + sleep_ms;
  io_->timer.expires_after(std::chrono::milliseconds(sleep_ms));
  io_->timer.async_wait([this, current = std::weak_ptr(io_->dial)](const boost::system::error_code& ec) {
    if (ec || current.expired()) return;
    io_->wakes_at.reset();
    perform(session_.on_tick(now()));
  });
}

}  // namespace nostr
