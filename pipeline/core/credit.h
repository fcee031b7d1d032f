// Credit: what a customer may owe us, from what their jobs settled and never paid, day by day.
#pragma once

#include <vector>

#include "pipeline/core/job.h"

namespace core {

using Policy = ledger::ProviderConfigured;

// What one customer's jobs changed on one UTC day. credit_of() sums such days. A change that is reversed later, such as
// a default that is paid after all, counts as negative on the day of the reversal.
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

// What a customer may owe us: a share of what they settled within the credit window, less what they have not paid.
// Credit ends after two or more defaults if more than a hundredth of the settled amount is unpaid. It returns when the
// unpaid amount is paid, or when jobs that were paid first have since settled at least that amount.
struct Credit {
  Msat settled;
  Msat unpaid;
  bool ended = false;
  Msat limit;
};
// Of the customer with these days, in ascending order.
Credit credit_of(const std::vector<CreditDay>& days, const Policy& policy, TimeMs now);

}  // namespace core
