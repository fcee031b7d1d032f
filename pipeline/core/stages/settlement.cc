// Settlement: every invoice is watched until the wallet itself says settled or, asked after expiry plus grace, expired.
// Money for work that cannot be done is owed back.
#include <algorithm>

#include "pipeline/core/stages/stage.h"

namespace core {
namespace {

bool refund_known(const Job& job, const Hash256& payment_hash) {
  return std::ranges::any_of(job.refunds, [&](const auto& refund) { return refund.payment_hash == payment_hash; });
}

// What settled beyond the one payment that the result is given for.
std::vector<ledger::RefundOwed> refunds_owed(const Job& job) {
  std::vector<ledger::RefundOwed> out;
  const bool lost = ended_without_result(job) || undeliverable(job);
  bool served = !lost;
  for (const Invoice& invoice : job.invoices) {
    if (!invoice.settled) continue;
    if (served) {
      served = false;  // this payment is for the result; any further one is too much
      continue;
    }
    if (refund_known(job, invoice.issued.payment_hash)) continue;
    out.push_back({.payment_hash = invoice.issued.payment_hash,
                   .amount = invoice.settled->received,
                   .reason = undeliverable(job)          ? "paid, but no relay took the result"
                             : ended_without_result(job) ? "paid, but the job could not be served"
                                                         : "paid a second time"});
  }
  return out;
}

Due due_settlement(const Job& job, TimeMs) {
  Due out;
  for (std::uint32_t i = 0; i < job.invoices.size(); ++i) {
    const Invoice& invoice = job.invoices[i];
    if (!invoice.settled && !invoice.expired) out.work.push_back({.action = Action::watch, .attempt = i});
  }
  if (!refunds_owed(job).empty()) out.work.push_back({.action = Action::decide});
  return out;
}

std::vector<Event> decide(const Job& job, const Shop&, const Policy&, TimeMs) {
  std::vector<Event> events;
  for (auto& refund : refunds_owed(job)) events.emplace_back(std::move(refund));
  return events;
}

}  // namespace

Stage stage::settlement() {
  return {"settlement", due_settlement, decide};
}

}  // namespace core
