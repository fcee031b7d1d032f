// Planted bugs. A test build (SELLCOMPUTE_CANARIES) can switch one on, and the simulator must find it: that shows that
// its checks check. In other builds canary() is the constant false, and the compiler removes the planted bugs.
#pragma once

#include <optional>

namespace core {

enum class Canary {
  command_before_durable,    // a command leaves before its fact is durable
  in_flight_ignored,         // work that is under way is started again
  settlement_counted_twice,  // a payment that is told twice is recorded twice
  expired_unwatched,         // an expired invoice is no longer asked about
  unknown_is_the_end,        // an invoice that the wallet forgot for a moment is given up for good
  empty_answer_sold,         // an answer without visible text is delivered and billed
  age_by_ledger_time,        // a request's age is measured by the ledger's time, which may be ahead of the clock
  crowded_second_is_last,    // a page of events of one second counts as the last one
  rollback_unseen,           // whatever shows that the ledger lost its end is overlooked
  pruned_while_open,         // the texts of jobs that are not over are removed too
  pause_ignored,             // a wallet that wants to be left alone is asked all the same
  inability_ignored,         // jobs are taken although the wallet is known to make no invoices
  refused_filter_kept,       // a filter that a relay does not take is asked for again and again, never a narrower one
  defaults_forgotten,        // what was never paid does not lower the customer's credit
  drain_without_end,         // going offline waits for models, wallet and relays however long they take
};

#ifdef SELLCOMPUTE_CANARIES
inline std::optional<Canary> planted_canary;
inline bool canary(Canary one) {
  return planted_canary == one;
}
#else
constexpr bool canary(Canary) {
  return false;
}
#endif

}  // namespace core
