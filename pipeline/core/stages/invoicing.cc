// Invoicing: before the work where payment comes first, else after it and for what was really used. At most one is
// ever shown; one that expired before it could be is replaced.
#include "pipeline/core/stages/stage.h"

namespace core {
namespace {

Due due_invoicing(const Job& job, TimeMs now) {
  if (!job.quote || amount_due(job) == Msat{} || usable_invoice(job, now) || ended_without_result(job)) return {};
  if (job.invoice_failed && *job.invoice_failed->retry_at > now) return {.wake_at = job.invoice_failed->retry_at};
  return {.work = {{.action = Action::create_invoice, .attempt = next_invoice_attempt(job)}}};
}

}  // namespace

Stage stage::invoicing() {
  return {"invoicing", due_invoicing, nullptr};
}

}  // namespace core
