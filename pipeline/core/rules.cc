#include "pipeline/core/rules.h"

#include <algorithm>

#include "pipeline/core/pricing.h"

namespace core {
namespace {

constexpr std::int64_t kLongestRetryMs = 10 * base::kMinuteMs;

// The operator has said that an invoice of this job is over: nothing more is asked of the customer.
bool closed_by_operator(const Job& job) {
  return std::ranges::any_of(job.invoices, [](const Invoice& invoice) {
    return invoice.expired && invoice.expired->basis == ledger::ExpiryBasis::operator_said;
  });
}

// The operator had its result published again. Its invoice may have expired before anybody saw it: the customer is not
// blamed for not paying it, and no other invoice takes its place.
bool result_retried(const Job& job) {
  const Notice* result = find_notice(job, NoticePurpose::result);
  return result && result->retried;
}

// The quote promised another invoice, and it may still come to be shown.
bool may_renew(const Job& job) {
  const bool given_up = job.closed || (job.invoice_failed && !job.invoice_failed->retry_at);
  return job.quote && job.quote->renew_invoice && find_notice(job, NoticePurpose::result) && !undeliverable(job) &&
         !result_retried(job) && !paid(job) && !given_up && !closed_by_operator(job) &&
         !find_notice(job, NoticePurpose::invoice_renewed);
}

bool payable(const Invoice& invoice) {
  return invoice.revealed && !invoice.expired;
}

// The ledger's time stands still, at the time of the request, until the clock has caught up with it.
bool ledger_was_ahead(const Job& job) {
  const auto received_at = job.request ? job.request->received_at : std::nullopt;
  return received_at && *received_at >= TimeMs{} && *received_at < job.requested_at;
}

bool counts_as_owed(const Invoice& invoice) {
  return payable(invoice) && invoice.unknown_since == TimeMs{};
}

}  // namespace

TimeMs clock_time(const Job& job, TimeMs now) {
  const bool ledger_stood_still = ledger_was_ahead(job) && now <= job.requested_at;
  return ledger_stood_still && job.request ? job.request->received_at.value_or(now) : now;
}

TimeMs when_clock_shows(const Job& job, TimeMs at) {
  return ledger_was_ahead(job) ? std::max(at, job.requested_at + 1) : at;
}

const Invoice* usable_invoice(const Job& job, TimeMs now) {
  const Invoice* invoice = current_invoice(job);
  return invoice && (invoice->revealed || invoice->issued.expires_at > clock_time(job, now)) ? invoice : nullptr;
}

bool renewal_due(const Job& job) {
  return may_renew(job) && find_notice(job, NoticePurpose::result)->delivered && !job.invoices.empty() &&
         std::ranges::none_of(job.invoices, payable);
}

bool needs_invoice(const Job& job, TimeMs now) {
  const Invoice* invoice = usable_invoice(job, now);
  return !paid(job) && (!invoice || (invoice->expired && renewal_due(job)));
}

std::uint32_t next_invoice_attempt(const Job& job) {
  std::uint32_t spent = job.invoices.empty() ? 0 : job.invoices.back().issued.attempt;
  if (job.invoice_failed && job.invoice_failed->stale) spent = std::max(spent, job.invoice_failed->attempt);
  return spent + 1;
}

bool awaits_inputs(const Job& job, TimeMs now) {
  if (!job.request || job.request->sources.empty() || job.request->fault || job.inputs || job.inputs_failed)
    return false;
  const bool too_late = job.request->expires_at && *job.request->expires_at <= clock_time(job, now);
  return !too_late && !ended_without_result(job);
}

std::uint64_t input_tokens(const Job& job) {
  if (job.inputs) return job.inputs->input_tokens;
  return job.request ? job.request->input_tokens : 0;
}

bool paid(const Job& job) {
  return std::ranges::any_of(job.invoices, [](const Invoice& invoice) { return invoice.settled.has_value(); });
}

Msat unpaid_by_default(const Job& job) {
  const Notice* result = find_notice(job, NoticePurpose::result);
  if (!result || !result->delivered || payment_first(job) || paid(job) || may_renew(job) || job.closed) return {};
  if (result_retried(job)) return {};
  const auto refused = std::ranges::find_if(job.invoices, [](const Invoice& invoice) {
    return invoice.revealed && invoice.expired && invoice.expired->basis == ledger::ExpiryBasis::wallet_said;
  });
  return refused == job.invoices.end() ? Msat{} : refused->issued.amount;
}

PaymentRemarks remarks(const Job& job, const Invoice& invoice) {
  const ledger::InvoiceSettled& payment = *invoice.settled;
  const Msat given = payment.received;
  const Msat asked = invoice.issued.amount;
  const TimeMs came = invoice.held ? invoice.held_at : payment.settled_at;
  PaymentRemarks out{.late = came > invoice.issued.expires_at};
  if (given < asked) out.missing = asked - given;
  if (given > asked) out.beyond = given - asked;
  for (const Invoice& other : job.invoices) {
    if (&other == &invoice || !other.settled) continue;
    out.again = out.again || std::pair(other.settled_at, &other) < std::pair(invoice.settled_at, &invoice);
  }
  return out;
}

bool underpaid(const Job& job) {
  if (!payment_first(job) || job.completion) return false;  // what was made is given for what came
  bool too_little = false;
  for (const Invoice& invoice : job.invoices) {
    if (invoice.expired && !invoice.settled) continue;
    if (invoice.settled && remarks(job, invoice).missing == Msat{}) return false;
    too_little = too_little || invoice.settled || (invoice.held && invoice.held->amount < invoice.issued.amount);
  }
  return too_little;
}

Msat settled_amount(const Job& job) {
  Msat sum;
  for (const Invoice& invoice : job.invoices) {
    if (invoice.settled) sum += invoice.settled->received;
  }
  return sum;
}

bool under_way(const Refund& refund) {
  const bool failed = refund.failed && refund.started && refund.failed->attempt == refund.started->attempt;
  return refund.started && !refund.paid && !failed;
}

Msat still_owed(const Job& job) {
  Msat sum;
  for (const Refund& refund : job.refunds) {
    if (!refund.paid) sum += refund.owed.amount;
  }
  return sum;
}

Msat earned(const Job& job) {
  Msat sum = settled_amount(job);
  for (const Refund& refund : job.refunds) sum -= refund.owed.amount;
  return sum;
}

bool payment_first(const Job& job) {
  return job.quote && job.quote->payment_mode >= ledger::PaymentMode::payment_first;
}

bool escrowed(const Job& job) {
  return job.quote && job.quote->payment_mode == ledger::PaymentMode::escrow;
}

const Invoice* held(const Job& job) {
  const auto it = std::ranges::find_if(
      job.invoices, [](const Invoice& invoice) { return invoice.held && !invoice.settled && !invoice.expired; });
  return it == job.invoices.end() ? nullptr : &*it;
}

bool ended_without_result(const Job& job) {
  if (job.declined) return true;
  if (const Notice* result = find_notice(job, NoticePurpose::result); job.closed && !(result && result->delivered))
    return true;
  if (job.cancelled && !cut_short(job)) return true;
  if ((job.expired && !paid(job)) || underpaid(job)) return true;
  if (job.inference_failed && !job.inference_failed->retry_at && !job.completion) return true;
  return job.invoice_failed && !job.invoice_failed->retry_at && std::ranges::none_of(job.invoices, &Invoice::revealed);
}

bool cancellable(const Job& job) {
  return job.request && !job.cancelled && !find_notice(job, NoticePurpose::result) && !ended_without_result(job);
}

bool cut_short(const Job& job) {
  return job.cancelled && job.cancelled->by == ledger::CancelledBy::customer && job.completion &&
         job.completion->partials > 0;
}

TimeMs deadline_of(const Job& job, const Notice& notice) {
  if (notice.retried) return notice.retried->deadline;
  const TimeMs signed_until = notice.notice.deadline;
  if (!escrowed(job) || notice.notice.purpose != NoticePurpose::result) return signed_until;
  const std::int64_t window_ms = signed_until - TimeMs{notice.notice.created_at_s * 1000};
  TimeMs out = signed_until;
  for (const Invoice& invoice : job.invoices) {
    if (invoice.settled) out = std::max(out, invoice.settled_at + window_ms);
  }
  return out;
}

const std::vector<std::string>& targets_of(const Notice& notice) {
  return notice.retried ? notice.retried->targets : notice.notice.targets;
}

bool undeliverable(const Job& job) {
  const Notice* result = find_notice(job, NoticePurpose::result);
  return result && result->closed && !result->delivered;
}

bool may_retry_result(const Job& job) {
  const bool given_back =
      std::ranges::any_of(job.refunds, [](const Refund& one) { return one.paid || under_way(one); });
  return undeliverable(job) && !job.closed && !given_back;
}

bool result_on_its_way(const Job& job) {
  const Notice* result = find_notice(job, NoticePurpose::result);
  return result && result->retried && !result->delivered && !result->closed;
}

std::set<base::TextRef> texts_of(const Job& job) {
  std::set<base::TextRef> out;
  if (job.request) out.insert(job.request->request);
  if (job.inputs) out.insert(job.inputs->texts.begin(), job.inputs->texts.end());
  if (job.completion) out.insert(job.completion->result);
  for (const Notice& notice : job.notices) out.insert({notice.notice.content, notice.notice.tags});
  out.erase(base::TextRef{});
  return out;
}

bool answerable(const Job& job) {
  return !job.completion && !ended_without_result(job);
}

std::int64_t back_off_ms(std::int64_t first_ms, std::uint32_t failures) {
  return std::min(kLongestRetryMs, first_ms << std::min<std::uint32_t>(failures - 1, 20));
}

bool is_transient(ledger::InferenceFailure failure) {
  switch (failure) {
    case ledger::InferenceFailure::unknown_model:
    case ledger::InferenceFailure::input_too_long:
    case ledger::InferenceFailure::rejected:
    case ledger::InferenceFailure::empty:  // it ended as it should: the same prompt would take the same way again
      return false;
    default:
      return true;
  }
}

bool may_run(const Job& job) {
  return job.quote && (!payment_first(job) || job.quote->price == Msat{} || paid(job) || held(job));
}

Msat amount_used(const Job& job) {
  if (!job.quote || !job.completion) return {};
  const auto& quote = *job.quote;
  // The customer agreed to our estimate of the input; a backend's larger count is our risk, a smaller one their gain.
  const std::uint64_t input = std::min(job.completion->input_tokens, quote.input_tokens);
  return std::min(quote.price, price(quote.terms, input, job.completion->output_tokens, quote.unit, quote.minimum));
}

Msat amount_due(const Job& job) {
  return job.quote && payment_first(job) ? job.quote->price : amount_used(job);
}

bool within_credit(const ledger::Basis& basis, Msat price) {
  return price == Msat{} || basis.customer_exposure + price <= basis.customer_credit;
}

bool may_stream(const Job& job) {
  return job.quote && (payment_first(job) || within_credit(job.quote->basis, job.quote->price));
}

Msat exposure(const Job& job) {
  if (!job.quote || payment_first(job) || paid(job) || ended_without_result(job)) return {};
  const bool shown = std::ranges::any_of(job.invoices, &Invoice::revealed);
  const bool may_be_asked_again = may_renew(job) && std::ranges::none_of(job.invoices, payable);
  if (shown && std::ranges::none_of(job.invoices, counts_as_owed) && !may_be_asked_again) return {};
  return job.completion ? amount_due(job) : job.quote->price;
}

}  // namespace core
