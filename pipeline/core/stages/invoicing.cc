// Invoicing: before the work where payment comes first, else after it and for what was really used. One that expired
// before it could be shown is replaced; one that was shown with a result only where the quote says so, once, and only
// when the wallet has said that it was never paid.
#include "pipeline/core/stages/stage.h"

namespace core {
namespace {

Due due_invoicing(const Job& job, TimeMs now) {
  if (job.closed || !job.quote || amount_due(job) == Msat{} || !needs_invoice(job, now) || ended_without_result(job))
    return {};
  if (job.invoice_failed && !job.invoice_failed->retry_at) return {};
  if (job.invoice_failed && job.invoice_failed->retry_at > now) return {.wake_at = job.invoice_failed->retry_at};
  return {.work = {{.action = Action::create_invoice, .attempt = next_invoice_attempt(job)}}};
}

}  // namespace

Stage stage::invoicing() {
  return {"invoicing", due_invoicing, nullptr};
}

}  // namespace core
