// Feedback: the status notices (kind 7000). Each purpose is signed at most once a job.
#include "pipeline/core/stages/stage.h"

namespace core {
namespace {

bool error_owed(const Job& job) {
  if (job.declined) return job.declined->told;
  return ended_without_result(job);
}

bool payment_required_owed(const Job& job, TimeMs now) {
  return payment_first(job) && usable_invoice(job, now) && !paid(job) && !held(job) && !ended_without_result(job);
}

bool processing_owed(const Job& job) {
  return may_run(job) && !job.completion && !ended_without_result(job);
}

bool renewal_owed(const Job& job, TimeMs now) {
  const Invoice* invoice = usable_invoice(job, now);
  return renewal_due(job) && invoice && !invoice->revealed;
}

bool success_owed(const Job& job) {
  const Notice* result = find_notice(job, NoticePurpose::result);
  return result && result->delivered;
}

Due due_feedback(const Job& job, TimeMs now) {
  if (job.closed) return {};
  Due out;
  const auto sign = [&](bool owed, NoticePurpose purpose) {
    if (owed && !find_notice(job, purpose)) out.work.push_back({.action = Action::sign, .purpose = purpose});
  };
  sign(error_owed(job), NoticePurpose::error);
  sign(payment_required_owed(job, now), NoticePurpose::payment_required);
  sign(processing_owed(job), NoticePurpose::processing);
  sign(success_owed(job), NoticePurpose::success);
  sign(renewal_owed(job, now), NoticePurpose::invoice_renewed);
  return out;
}

}  // namespace

Stage stage::feedback() {
  return {"feedback", due_feedback, nullptr};
}

}  // namespace core
