// Invoicing: before the work where payment comes first, else after it and for what was really used. One invoice a job.
#include "pipeline/core/stages/stage.h"

namespace core {
namespace {

Due due_invoicing(const Job& job, TimeMs now) {
  if (!job.quote || amount_due(job) == Msat{} || !job.invoices.empty() || ended_without_result(job)) return {};
  if (job.invoice_failed && *job.invoice_failed->retry_at > now) return {.wake_at = job.invoice_failed->retry_at};
  // Every try orders the same invoice, attempt 1: a wallet that made it and lost its answer gives it again.
  return {.work = {{.action = Action::create_invoice, .attempt = 1}}};
}

}  // namespace

Stage stage::invoicing() {
  return {"invoicing", due_invoicing, nullptr};
}

}  // namespace core
