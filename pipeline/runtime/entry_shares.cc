#include "pipeline/runtime/entry_shares.h"

#include <algorithm>

namespace runtime {

using base::kHourMs;
using core::Standing;

EntryShares::EntryShares(EntryLimits limits, base::TimeMs now)
    : limits_(limits),
      hour_began_(now),
      refilled_(now),
      fresh_left_(limits.strangers),
      worked_left_(limits.strangers) {}

std::string_view EntryShares::refuse(const Asker& asker, base::TimeMs now) {
  advance(now);
  const bool is_fresh = asker.standing == Standing::fresh;
  if (is_fresh && !asker.too_late && fresh_keys_.size() < kMaxCountedKeys) fresh_keys_.insert(asker.key);
  const std::uint64_t factor = asker.standing == Standing::paid ? kEntriesOfPayingKeys : 1;
  const auto known = of_key_.find(asker.key);
  if (known != of_key_.end() && known->second >= limits_.per_key * factor) return "share_of_key";
  if (is_fresh && !fresh_has_entry(asker)) return "share_of_strangers";
  if (asker.standing == Standing::worked) {
    ++worked_requests_;
    if (worked_left_ < 1) return "share_of_strangers";
    worked_left_ -= 1;
  }
  ++of_key_[asker.key];
  return {};
}

// In a crowd the keys that are drawn come first, each with one request; what is left beyond half is for those who are
// not, so that they learn what would help, and for requests that are declined in any case.
bool EntryShares::fresh_has_entry(const Asker& asker) {
  const bool first = asker.crowded && asker.drawn && !asker.too_late && !recorded_.contains(asker.key);
  const bool waits = asker.too_late || (asker.crowded && !first);
  const double kept = waits ? limits_.strangers / 2.0 : 0;
  if (fresh_left_ < kept + 1) return false;
  fresh_left_ -= 1;
  if (first) recorded_.insert(asker.key);
  return true;
}

void EntryShares::advance(base::TimeMs now) {
  const std::int64_t passed_ms = std::max<std::int64_t>(0, now - refilled_);
  refilled_ = now;
  const double refill = static_cast<double>(passed_ms) * limits_.strangers / kHourMs;
  fresh_left_ = std::min<double>(limits_.strangers, fresh_left_ + refill);
  worked_left_ = std::min<double>(limits_.strangers, worked_left_ + refill);
  if (now >= hour_began_ && now - hour_began_ < kHourMs) return;
  hour_began_ = now;
  of_key_.clear();
}

core::Demand EntryShares::take_demand() {
  const core::Demand out{.fresh_keys = fresh_keys_.size(), .worked_requests = worked_requests_};
  fresh_keys_.clear();
  recorded_.clear();
  worked_requests_ = 0;
  return out;
}

std::uint64_t EntryShares::places_per_minute() const {
  return std::max<std::uint64_t>(1, limits_.strangers / 60);
}

}  // namespace runtime
