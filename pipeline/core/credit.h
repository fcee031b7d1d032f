// Credit: what a customer may owe us, from what their jobs settled and never paid, day by day.
#pragma once

#include <vector>

#include "pipeline/core/job.h"

namespace core {

using Policy = ledger::ProviderConfigured;

// What one customer's jobs changed on one UTC day: credit is folded from such days. What is taken back later counts
// negative on its own day.
struct CreditDay {
  std::int64_t day = 0;  // days since 1970-01-01
  Msat settled;
  Msat settled_first;
  Msat unpaid;
  std::int64_t defaults = 0;  // jobs that were not paid
  static constexpr auto fields() {
    using T = CreditDay;
    return std::tuple{field(1, "day", &T::day), field(2, "settled_msat", &T::settled),
                      field(3, "settled_first_msat", &T::settled_first), field(4, "unpaid_msat", &T::unpaid),
                      field(5, "defaults", &T::defaults)};
  }
  bool operator==(const CreditDay&) const = default;
};
// Adds a change, which is not before the last of these days.
void book(std::vector<CreditDay>& days, const CreditDay& change);

// Whether this day counts, by the policy's credit window.
bool counts_as_credit(std::int64_t day, const Policy& policy, TimeMs now);

// What a customer may owe us. Credit is a share of what they settled lately, less what they never paid for. Two
// defaults that exceed a hundredth of what was settled end it, until jobs paid first have settled as much or what was
// not paid is paid after all.
struct Credit {
  Msat settled;
  Msat unpaid;
  bool ended = false;
  Msat limit;
};
// Of the customer with these days, in ascending order.
Credit credit_of(const std::vector<CreditDay>& days, const Policy& policy, TimeMs now);

}  // namespace core
