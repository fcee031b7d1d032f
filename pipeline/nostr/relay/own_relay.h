// One of our own relays, and what keeps its cursor behind the events that are not handled yet. On the hub's thread
// only.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "pipeline/nostr/relay/intake.h"
#include "pipeline/nostr/relay/link.h"

namespace nostr {

struct OwnRelay {
  std::string url;
  std::unique_ptr<RelayLink> link;
  IntakeCursor cursor;
  std::optional<TimeMs> last_event;
  bool is_read = false;  // it is asked for requests
  // For each answered subscription for requests: the oldest second for which the relay did not send all its events.
  std::map<std::string, std::optional<std::int64_t>> unread_s = {};
};

// Keeps a relay's cursor behind an event while this lives, and pauses reading while too many events are pinned.
class CursorPin {
 public:
  CursorPin(const std::shared_ptr<OwnRelay>& relay, TimeMs now, std::size_t max_unhandled)
      : relay_(relay), pin_(relay->cursor.pin(now)), resume_at_(max_unhandled / 2) {
    if (relay->cursor.unhandled() == max_unhandled) relay->link->pause_reading(true);
  }
  ~CursorPin() {
    const auto relay = relay_.lock();
    if (!relay) return;
    relay->cursor.release(pin_);
    if (relay->cursor.unhandled() == resume_at_) relay->link->pause_reading(false);
  }
  CursorPin(const CursorPin&) = delete;
  CursorPin& operator=(const CursorPin&) = delete;

 private:
  std::weak_ptr<OwnRelay> relay_;
  IntakeCursor::Pin pin_;
  std::size_t resume_at_;
};

}  // namespace nostr
