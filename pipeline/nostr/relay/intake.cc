#include "pipeline/nostr/relay/intake.h"

#include <algorithm>

#include "base/check.h"
#include "pipeline/nostr/relay/filter.h"

namespace nostr {

std::string_view name(Refusal refusal) {
  switch (refusal) {
    case Refusal::malformed:
      return "malformed";
    case Refusal::bad_id:
      return "bad_id";
    case Refusal::bad_signature:
      return "bad_signature";
    case Refusal::not_ours:
      return "not_ours";
    case Refusal::too_large:
      return "too_large";
    case Refusal::skewed:
      return "skewed";
    case Refusal::duplicate:
      return "duplicate";
    case Refusal::unasked:
      return "unasked";
  }
  return "";
}

std::optional<Refusal> screen(const Event& event, std::size_t raw_bytes, std::span<const Filter> wanted,
                              const IntakeLimits& limits, TimeMs now) {
  if (raw_bytes > limits.max_event_bytes) return Refusal::too_large;
  const std::int64_t oldest_s = (now - limits.max_age_ms - limits.overlap_ms).ms / 1000;
  const std::int64_t newest_s = (now + limits.max_future_ms).ms / 1000;
  if (event.created_at < oldest_s || event.created_at > newest_s) return Refusal::skewed;
  if (!matches_any(wanted, event)) return Refusal::not_ours;
  return std::nullopt;
}

std::optional<Refusal> judge(const Event& event) {
  if (!id_matches(event)) return Refusal::bad_id;
  if (!signature_matches(event)) return Refusal::bad_signature;
  return std::nullopt;
}

std::int64_t since_s(TimeMs cursor, const IntakeLimits& limits, TimeMs now) {
  const TimeMs oldest = now - limits.max_age_ms;
  const TimeMs since = cursor > now ? oldest : std::max(cursor - limits.overlap_ms, oldest);
  return std::max<std::int64_t>(0, since.ms / 1000);
}

std::optional<std::shared_ptr<void>> Remembered::find(const EventId& id) {
  const auto found = entries_.find(id);
  if (found == entries_.end()) return std::nullopt;
  recent_first_.splice(recent_first_.begin(), recent_first_, found->second);
  return found->second->receipt.lock();
}

void Remembered::insert(const EventId& id, const std::shared_ptr<void>& receipt) {
  recent_first_.push_front({id, receipt});
  entries_[id] = recent_first_.begin();
  CHECK(entries_.size() == recent_first_.size(), entries_.size(), recent_first_.size());
  if (recent_first_.size() <= capacity_) return;
  entries_.erase(recent_first_.back().id);
  recent_first_.pop_back();
}

void IntakeCursor::on_caught_up(TimeMs now, std::optional<TimeMs> unread) {
  live_ = true;
  held_at_ = unread;
  on_heard(now);
}

void IntakeCursor::on_heard(TimeMs now) {
  if (!live_) return;
  reached_ = now;
  if (held_at_ && now - *held_at_ > max_held_ms_) held_at_.reset();
}

void IntakeCursor::release(Pin pin) {
  CHECK(!pins_.empty() && value() <= *pin, value(), *pin);  // the cursor never passed what was not handled
  pins_.erase(pin);
}

TimeMs IntakeCursor::value() const {
  TimeMs value = reached_;
  if (held_at_) value = std::min(value, *held_at_);
  if (!pins_.empty()) value = std::min(value, *pins_.begin());
  return value;
}

}  // namespace nostr
