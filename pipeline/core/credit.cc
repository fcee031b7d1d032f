#include "pipeline/core/credit.h"

#include <algorithm>

namespace core {
namespace {

constexpr std::int64_t kToleratedDefaults = 2;         // fewer never end credit: a wallet may have had a bad day
constexpr std::uint64_t kToleratedDefaultPercent = 1;  // of what was settled

}  // namespace

void book(std::vector<CreditDay>& days, const CreditDay& change) {
  if (days.empty() || days.back().day != change.day) days.push_back({.day = change.day});
  CreditDay& day = days.back();
  day.settled += change.settled;
  day.settled_first += change.settled_first;
  day.unpaid += change.unpaid;
  day.defaults += change.defaults;
}

bool counts_as_credit(std::int64_t day, const Policy& policy, TimeMs now) {
  return (day + 1) * kDayMs > now.ms - policy.credit_window_ms;
}

Credit credit_of(const std::vector<CreditDay>& days, const Policy& policy, TimeMs now) {
  Credit out;
  std::int64_t defaults = 0;
  Msat settled_first_since;  // the last day with a default
  for (const CreditDay& day : days) {
    if (!counts_as_credit(day.day, policy, now)) continue;
    out.settled += day.settled;
    // A late payment counts negative on its own day and may stay in the window longer than the default that it ends.
    // The sum never goes below zero, so that a late payment does not excuse a later default.
    out.unpaid = std::max(Msat{}, out.unpaid + day.unpaid);
    defaults = std::max<std::int64_t>(0, defaults + day.defaults);
    if (day.defaults > 0) settled_first_since = {};
    settled_first_since += day.settled_first;
  }
  const bool too_much = out.unpaid > out.settled.scaled_up(kToleratedDefaultPercent, 100);
  out.ended = defaults >= kToleratedDefaults && too_much && settled_first_since < out.unpaid;
  const Msat share = out.settled.scaled_up(policy.credit_percent, 100);
  if (!out.ended && share > out.unpaid) out.limit = share - out.unpaid;
  return out;
}

}  // namespace core
