// Which events of the relays are accepted: the cheap refusals, the memory of events that came already, and the cursor
// that prevents gaps between connections. Pure.
#pragma once

#include <list>
#include <memory>
#include <optional>
#include <set>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "pipeline/nostr/messages.h"

namespace nostr {

using base::TimeMs;

enum class Refusal { malformed, bad_id, bad_signature, not_ours, too_large, skewed, duplicate, unasked };
std::string_view name(Refusal refusal);

struct IntakeLimits {
  std::size_t max_event_bytes = 64 * 1024;
  std::int64_t max_future_ms = 900'000;        // accepted clock skew of a sender: strfry's default
  std::int64_t max_age_ms = 7 * 86'400'000LL;  // the longest absence of ours after which customers still wait
  // At least the sum of max_future_ms and the time to find a dead connection. Also at least the age of the oldest
  // request that is served, because a sender's clock may be late by that much.
  std::int64_t overlap_ms = 1'000'000;
  std::size_t max_remembered = 100'000;  // event ids
  std::size_t max_unhandled = 1'024;     // of one relay: it is not read any further until some are handled
};

// The refusals that cost nothing, in the order of their cost. Nothing means: worth verifying.
std::optional<Refusal> screen(const Event& event, std::size_t raw_bytes, std::span<const Filter> wanted,
                              const IntakeLimits& limits, TimeMs now);

// Why the event is forged, or nothing. The costly check: BIP-340.
std::optional<Refusal> judge(const Event& event);

// The `since` for a relay with this cursor. `since` is compared with times by the senders' clocks, the cursor is a time
// by our clock. A cursor in the future says nothing: our clock was ahead when it was written.
std::int64_t since_s(TimeMs cursor, const IntakeLimits& limits, TimeMs now);

// Remembers the ids of verified events and forgets the least recently seen first. Keeps the receipt of an event with
// its id until the event is handled.
class Remembered {
 public:
  explicit Remembered(std::size_t capacity) : capacity_(capacity) {}

  // Nothing if the id is new; else the receipt (null if the event is handled).
  std::optional<std::shared_ptr<void>> find(const EventId& id);
  void insert(const EventId& id, const std::shared_ptr<void>& receipt);

 private:
  struct Entry {
    EventId id;
    std::weak_ptr<void> receipt;
  };
  std::size_t capacity_;
  std::list<Entry> recent_first_;
  std::unordered_map<EventId, std::list<Entry>::iterator, base::FixedBytesHash> entries_;
};

// The time up to which the events of one relay are safe: the last time, by our clock, at which its subscription was
// live and everything received until then was handled (durable or refused). An event that is not handled pins the
// cursor: a live event to the time at which it came, a stored event to the cursor with which the stored events were
// asked for. A relay that could not be read whole holds the cursor back, so that what is missing is asked for again on
// the next connection. When our clock is set back, the cursor of a live relay goes back with it: whatever came until
// now is safe.
class IntakeCursor {
 public:
  using Pin = std::multiset<TimeMs>::iterator;

  // `max_held_ms`: how long the cursor is held back at most.
  IntakeCursor(TimeMs start, std::int64_t max_held_ms) : reached_(start), max_held_ms_(max_held_ms) {}

  // `unread`: the earliest time of which not everything could be read; nothing: all was read.
  void on_caught_up(TimeMs now, std::optional<TimeMs> unread);
  // The relay gave a sign of life; meaningless unless caught up.
  void on_heard(TimeMs now);
  // The connection or the subscription ended.
  void on_gap() { live_ = false; }

  // The cursor does not pass this point until the pin is released. Release each pin once.
  Pin pin(TimeMs now) { return pins_.insert(live_ ? now : std::min(reached_, now)); }
  void release(Pin pin);

  std::size_t unhandled() const { return pins_.size(); }
  TimeMs value() const;

 private:
  bool live_ = false;
  TimeMs reached_;
  std::int64_t max_held_ms_;
  std::optional<TimeMs> held_at_;
  std::multiset<TimeMs> pins_;
};

}  // namespace nostr
