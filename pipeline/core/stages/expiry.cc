// Expiry: an unpaid job that nobody waits for any more is closed. A payment reopens it: settlement wins in any state.
#include "pipeline/core/stages/stage.h"

namespace core {
namespace {

constexpr std::int64_t kLongestHoldMs = 2 * base::kHourMs;  // long before the network gives it back by itself

// Why a job in escrow is over; null while its payment may go on waiting, or there is none yet.
const char* held_too_long(const Job& job, TimeMs now, std::optional<TimeMs>* wake_at) {
  if (job.expired || paid(job) || ended_without_result(job)) return nullptr;
  const Invoice* waiting = held(job);
  if (!waiting) {
    const Invoice* last = current_invoice(job);
    return last && last->held && last->expired ? "the payment that was held went back" : nullptr;
  }
  const bool running = job.inference_started > job.inference_failures && !job.completion;
  if (running || find_notice(job, NoticePurpose::result)) return nullptr;  // it ends soon, or is being taken
  const TimeMs end = waiting->held_at + kLongestHoldMs;
  if (end <= now) return "it could not be served in the time that a payment is held";
  if (wake_at) *wake_at = end;
  return nullptr;
}

// Why the job is over at `now`, or null; `wake_at` is set when time alone will end it.
const char* over(const Job& job, TimeMs now, std::optional<TimeMs>* wake_at) {
  if (escrowed(job)) {
    if (const char* reason = held_too_long(job, now, wake_at)) return reason;
    if (held(job)) return nullptr;
  }
  if (!job.request || !job.quote || job.expired || job.completion || paid(job) || ended_without_result(job))
    return nullptr;
  const Invoice* invoice = current_invoice(job);
  if (invoice && invoice->revealed && invoice->expired) return "the invoice was not paid in time";
  const bool started = job.inference_started > 0;
  if (started || !job.request->expires_at) return nullptr;
  if (*job.request->expires_at <= clock_time(job, now)) return "the request expired before it could be served";
  if (wake_at) *wake_at = when_clock_shows(job, *job.request->expires_at);
  return nullptr;
}

Due due_expiry(const Job& job, TimeMs now) {
  Due out;
  out.decide = over(job, now, &out.wake_at) != nullptr;
  return out;
}

std::vector<Fact> decide_expiry(const Job& job, const Shop&, const Policy&, TimeMs now) {
  const char* reason = over(job, now, nullptr);
  if (!reason) return {};
  return {ledger::JobExpired{.reason = reason}};
}

}  // namespace

Stage stage::expiry() {
  return {"expiry", due_expiry, decide_expiry};
}

}  // namespace core
