#include "pipeline/runtime/entry_shares.h"

#include <algorithm>

namespace runtime {

using core::Standing;

namespace {

constexpr std::int64_t kHourMs = 3'600'000;

}  // namespace

EntryShares::EntryShares(EntryLimits limits, base::TimeMs now)
    : limits_(limits), hour_began_(now), refilled_(now), strangers_left_(limits.strangers) {}

std::string_view EntryShares::refuse(const Asker& asker, base::TimeMs now) {
  advance(now);
  if (asker.standing == Standing::fresh && fresh_keys_.size() < kMaxCountedKeys) fresh_keys_.insert(asker.key);
  if (asker.standing == Standing::worked) ++worked_requests_;
  const std::uint64_t factor = asker.standing == Standing::paid ? kEntriesOfPayingKeys : 1;
  const auto known = of_key_.find(asker.key);
  if (known != of_key_.end() && known->second >= limits_.per_key * factor) return "share_of_key";
  if (asker.standing == Standing::fresh && !stranger_has_entry(asker)) return "share_of_strangers";
  ++of_key_[asker.key];
  return {};
}

// In a crowd the keys that are drawn come first, each with one request; what is left beyond half is for those who are
// not, so that they learn what would help.
bool EntryShares::stranger_has_entry(const Asker& asker) {
  const bool first = asker.crowded && asker.drawn && !recorded_.contains(asker.key);
  const double kept = asker.crowded && !first ? limits_.strangers / 2.0 : 0;
  if (strangers_left_ < kept + 1) return false;
  strangers_left_ -= 1;
  if (first) recorded_.insert(asker.key);
  return true;
}

void EntryShares::advance(base::TimeMs now) {
  const std::int64_t passed_ms = std::max<std::int64_t>(0, now - refilled_);
  refilled_ = now;
  strangers_left_ = std::min<double>(limits_.strangers,
                                     strangers_left_ + static_cast<double>(passed_ms) * limits_.strangers / kHourMs);
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
