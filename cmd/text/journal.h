// What was earned, as a journal for hledger (https://hledger.org/hledger.html#journal) and programs that read the same.
#pragma once

#include <iosfwd>
#include <span>

#include "replay/earnings_view.h"

namespace cmd {

// A transaction per payment, in the order given, each on the day that it has in this machine's time zone. Amounts are
// in sat, with up to three decimals. What customers paid is `income:compute`, what they got back `income:refunds`, what
// the wallet kept or took `expenses:fees`, and what is in the wallet `assets:lightning:` and its kind. All payments
// must be of the kind `money`.
void print_journal(std::ostream& out, std::span<const replay::Payment> payments, replay::Money money);

}  // namespace cmd
