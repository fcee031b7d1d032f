// Settlement: every invoice is watched until the wallet itself says settled or, asked after expiry plus grace, expired,
// or has not known it for a day.
// A payment in escrow is taken when the signed result is durable, and given back when there will be none. Money for
// work that cannot be done is owed back; whether it was paid back, the wallet says.
#include <algorithm>
#include <utility>

#include "pipeline/core/stages/stage.h"

namespace core {
namespace {

// Who pays first buys a number of tokens; who cancels while they come pays for those that came. (Before they are
// delivered the whole payment may still be owed back.)
Msat beyond_use(const Job& job) {
  const Notice* result = find_notice(job, NoticePurpose::result);
  if (!job.quote || !cut_short(job) || !payment_first(job) || !result || !result->delivered) return {};
  return job.quote->price - amount_used(job);
}

std::string why_owed(const Job& job) {
  if (underpaid(job)) return "paid less than was asked";
  if (undeliverable(job)) return "paid, but no relay took the result";
  if (job.closed && ended_without_result(job)) return "paid, but the job was closed when the ledger went back in time";
  if (job.cancelled) return "paid, but the job was cancelled";
  if (ended_without_result(job)) return "paid, but the job could not be served";
  return "paid a second time";
}

// What settled beyond the one payment that the result is given for.
std::vector<ledger::RefundOwed> refunds_owed(const Job& job) {
  std::vector<ledger::RefundOwed> out;
  const bool lost = ended_without_result(job) || undeliverable(job);
  bool served = !lost;
  for (const Invoice& invoice : job.invoices) {
    if (!invoice.settled) continue;
    // The first payment is for the result; any further one is too much.
    const Msat received = invoice.settled->received;
    const Msat too_much = std::exchange(served, false) ? std::min(beyond_use(job), received) : received;
    if (too_much <= Msat{} || find_refund(job, invoice.issued.payment_hash)) continue;
    out.push_back({.payment_hash = invoice.issued.payment_hash, .amount = too_much, .reason = why_owed(job)});
  }
  return out;
}

Due due_settlement(const Job& job, TimeMs) {
  Due out;
  for (std::uint32_t i = 0; i < job.invoices.size(); ++i) {
    const Invoice& invoice = job.invoices[i];
    if (invoice.settled || invoice.expired) continue;
    out.work.push_back({.action = Action::watch, .index = i});
    if (!invoice.issued.hold) continue;
    if (ended_without_result(job)) {
      out.work.push_back({.action = Action::give_back, .index = i});
    } else if (invoice.held && find_notice(job, NoticePurpose::result)) {
      out.work.push_back({.action = Action::take, .index = i});
    }
  }
  for (std::uint32_t i = 0; i < job.refunds.size(); ++i) {
    if (under_way(job.refunds[i])) out.work.push_back({.action = Action::pay_back, .index = i});
  }
  out.decide = !refunds_owed(job).empty();
  return out;
}

std::vector<Fact> decide_settlement(const Job& job, const Shop&, const Policy&, TimeMs) {
  std::vector<Fact> facts;
  for (auto& refund : refunds_owed(job)) facts.emplace_back(std::move(refund));
  return facts;
}

}  // namespace

Stage stage::settlement() {
  return {"settlement", due_settlement, decide_settlement};
}

}  // namespace core
