#include "tests/sim/sim_link.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "pipeline/nostr/nip01.h"
#include "tests/sim/referee.h"

namespace sim {

namespace {

constexpr std::int64_t kMaxSleepMs = 1'000;  // as the real client: its clock may be set

}  // namespace

SimLink::SimLink(World& world, ProcessTime& time, const nostr::RelaySessionOptions& options,
                 nostr::RelayLinkHandlers handlers)
    : RelayLink(
          options, [&time] { return time.now(); }, std::move(handlers)),
      world_(world),
      time_(time),
      url_(options.url) {}

void SimLink::dial() {
  wire_ = std::make_shared<Wire>();
  // A wire may outlive the link: bytes on their way keep it.
  wire_->on_frame = [this, alive = std::weak_ptr(alive_)](const std::string& frame) {
    if (!alive.expired()) on_frame(frame);
  };
  wire_->on_closed = [this, alive = std::weak_ptr(alive_), gone = std::weak_ptr(wire_)](const std::string& reason) {
    if (alive.expired() || gone.lock() != wire_) return;
    wire_.reset();
    unread_.clear();
    closed(reason);
  };
  while_connected(2 * kNetworkMs, [this, dialled = std::weak_ptr(wire_)] { connect(dialled); });
}

void SimLink::connect(const std::weak_ptr<Wire>& dialled) {
  SimRelay* relay = world_.relay(url_);
  const auto wire = dialled.lock();
  if (relay && relay->accept(wire)) return opened();
  wire_.reset();
  closed("connection refused");
}

void SimLink::send_text(const std::string& text) {
  world_.on_port_call();
  const auto message = nlohmann::json::parse(text);
  if (message.at(0) == "EVENT") world_.referee->on_publication(*nostr::parse_event(message.at(1).dump()));
  if (!wire_) return;
  // On its way, whether or not the process lives on.
  world_.time.after(kNetworkMs, [&world = world_, url = url_, wire = wire_, text] {
    if (SimRelay* relay = world.relay(url)) relay->receive(wire, text);
  });
  world_.on_port_call();
}

void SimLink::ping() {
  while_connected(2 * kNetworkMs, [this] {
    if (wire_->open && !wire_->dead) ponged();
  });
}

void SimLink::on_frame(const std::string& frame) {
  if (paused_) return unread_.push_back(frame);
  read(frame);
}

// As the real transport (net::WebsocketMessages) hands frames on.
void SimLink::read(const std::string& frame) {
  if (frame.size() > nostr::kMaxFrameBytes) return skipped("too_large");
  if (!base::is_utf8(frame)) return skipped("malformed");
  received(frame);
}

void SimLink::pause_reading(bool paused) {
  paused_ = paused;
  if (paused || unread_.empty()) return;
  while_connected(0, [this] {
    while (!paused_ && !unread_.empty()) {
      const std::string frame = std::move(unread_.front());
      unread_.pop_front();
      read(frame);
    }
  });
}

void SimLink::wake_at(TimeMs time) {
  if (wakes_at_ && *wakes_at_ <= time) return;
  const std::int64_t sleep_ms = std::clamp<std::int64_t>(time - now(), 0, kMaxSleepMs);
  wakes_at_ = now() + sleep_ms;
  time_.after(sleep_ms, [this, alive = std::weak_ptr(alive_)] {
    if (alive.expired()) return;
    wakes_at_.reset();
    ticked();
  });
}

void SimLink::while_connected(std::int64_t delay_ms, std::function<void()> task) {
  time_.after(delay_ms, [this, alive = std::weak_ptr(alive_), wire = std::weak_ptr(wire_), task = std::move(task)] {
    if (!alive.expired() && !wire.expired() && wire.lock() == wire_) task();
  });
}

}  // namespace sim
