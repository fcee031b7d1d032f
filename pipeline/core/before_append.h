// The last check of a fact before it is appended: the amounts, and whether it may follow the earlier facts. Pure.
#pragma once

#include "pipeline/core/job.h"

namespace core {

// Ends the process (base/check.h) if this fact must not follow on this job: a quote above the customer's bid, an
// invoice of another amount than is due, a second notice of a purpose, more owed back than was paid. The engine's own
// rules exclude each of these whatever wallets, relays, customers and the ledger say; so only a bug can bring it about.
void check_before_append(const Job& job, const Fact& fact);

}  // namespace core
