// The rules of money and of order that the facts of one job must keep, whoever wrote them. The fold (core::evolve)
// accepts any facts and ignores impossible ones; this audit reports them.
#pragma once

#include <span>

#include "ledger/entry.h"

namespace replay {

struct JobWrong {
  base::Seq seq = 0;
  std::string what;
};

// Everything wrong with a job's facts, given all of them in order:
//   - it begins with its request, once; all its inputs are gathered once, before it is decided; it is quoted or
//     declined once, for the tokens that its prompt has; quote <= bid;
//   - an invoice's amount <= the quote, and its BOLT11 text says the same amount and payment hash; of one attempt at
//     most one invoice is revealed;
//   - only what was invoiced settles, once; a preimage hashes to its payment hash; nothing that settled expires;
//   - where payment comes first, nothing runs before it settled; a job is answered once;
//   - a notice of one purpose is signed once, a result only for an answer, and only what was signed is published;
//   - only what settled is owed back, and not more of it.
std::vector<JobWrong> audit_job(std::span<const ledger::Entry> facts);

}  // namespace replay
