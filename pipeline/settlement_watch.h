// Asks the wallet about one invoice until it says settled or, after expiry plus grace, that it was never paid. Young
// invoices are asked about often, old ones slowly; a failing look-up delays only its own invoice.
#pragma once

#include "pipeline/ports.h"
#include "pipeline/wallet/wallet.h"

namespace runtime {

struct Watched {
  ledger::Hash256 payment_hash;
  ledger::TimeMs since;       // when the invoice was made: its age sets the pace
  ledger::TimeMs give_up_at;  // expiry plus grace: from then on "never paid" is believed
  std::function<void(ledger::InvoiceSettled)> settled;
  std::function<void(ledger::InvoiceExpired)> never_paid;
};

// Exactly one of the two callbacks is called, once.
void watch(wallet::Wallet& wallet, Scheduler& scheduler, Watched watched);

}  // namespace runtime
