// Delivery: the result notice (kind 6050) once answered and, if anything is due, invoiced; and every signed notice to
// its relays until one accepts it or the deadline passes.
#include "pipeline/core/stages/stage.h"

namespace core {
namespace {

bool result_owed(const Job& job, TimeMs now) {
  return job.completion && !ended_without_result(job) && (amount_due(job) == Msat{} || usable_invoice(job, now)) &&
         !find_notice(job, NoticePurpose::result);
}

bool undelivered(const Notice& notice) {
  return !notice.delivered && !notice.closed;
}

// A result in escrow is published when its payment has been taken.
bool waits_for_payment(const Job& job, const Notice& notice) {
  return escrowed(job) && !job.invoices.empty() && !paid(job) && notice.notice.purpose == NoticePurpose::result;
}

Due due_delivery(const Job& job, TimeMs now) {
  if (job.closed) return {};
  Due out;
  if (result_owed(job, now)) out.work.push_back({.action = Action::sign, .purpose = NoticePurpose::result});
  for (const Notice& notice : job.notices) {
    if (!undelivered(notice) || waits_for_payment(job, notice)) continue;
    const TimeMs deadline = deadline_of(job, notice);
    if (deadline <= now) {
      out.decide = true;
      continue;
    }
    out.work.push_back({.action = Action::publish, .purpose = notice.notice.purpose});
    if (!out.wake_at || deadline < *out.wake_at) out.wake_at = deadline;
  }
  return out;
}

// Past its deadline, a notice that no relay took is closed.
std::vector<Fact> decide_delivery(const Job& job, const Shop&, const Policy&, TimeMs now) {
  std::vector<Fact> facts;
  for (const Notice& notice : job.notices) {
    if (!undelivered(notice) || waits_for_payment(job, notice) || deadline_of(job, notice) > now) continue;
    facts.push_back(ledger::NoticePublished{
        .purpose = notice.notice.purpose, .event = notice.notice.event, .answers = notice.answers, .final = true});
  }
  return facts;
}

}  // namespace

Stage stage::delivery() {
  return {"delivery", due_delivery, decide_delivery};
}

}  // namespace core
