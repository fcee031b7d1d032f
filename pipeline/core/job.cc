#include "pipeline/core/job.h"

#include <algorithm>
#include <array>

#include "pipeline/core/pricing.h"

namespace core {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};
template <class... F>
Overloaded(F...) -> Overloaded<F...>;  // clang 14 does not deduce it

constexpr std::size_t kUsualNotices = 4;  // payment required or none, processing, result, success

Invoice* mutable_invoice(Job& job, const Hash256& payment_hash) {
  const auto it = std::ranges::find_if(
      job.invoices, [&](const Invoice& invoice) { return invoice.issued.payment_hash == payment_hash; });
  return it == job.invoices.end() ? nullptr : &*it;
}

Refund* mutable_refund(Job& job, const Hash256& payment_hash) {
  const auto it =
      std::ranges::find_if(job.refunds, [&](const Refund& refund) { return refund.owed.payment_hash == payment_hash; });
  return it == job.refunds.end() ? nullptr : &*it;
}

bool is_attempt(const Refund& refund, std::uint32_t attempt) {
  return under_way(refund) && refund.started->attempt == attempt;
}

bool carries_invoice(NoticePurpose purpose) {
  return purpose == NoticePurpose::payment_required || purpose == NoticePurpose::result ||
         purpose == NoticePurpose::invoice_renewed;
}

void on_notice_signed(Job& job, const ledger::NoticeSigned& signed_notice) {
  if (find_notice(job, signed_notice.purpose)) return;
  job.notices.reserve(kUsualNotices);
  job.notices.push_back({.notice = signed_notice});
  if (carries_invoice(signed_notice.purpose) && !job.invoices.empty()) job.invoices.back().revealed = true;
}

void on_notice_published(Job& job, TimeMs time, const ledger::NoticePublished& published) {
  for (Notice& notice : job.notices) {
    if (notice.notice.event != published.event) continue;
    notice.answers = published.answers;
    const bool accepted = std::ranges::any_of(published.answers, &ledger::RelayAnswer::accepted);
    if (accepted && !notice.delivered) notice.delivered_at = time;
    notice.delivered = notice.delivered || accepted;
    notice.closed = notice.closed || published.final;
  }
}

}  // namespace

void evolve(Job& job, JobId id, TimeMs time, const Fact& event) {
  job.id = id;
  job.updated_at = time;
  std::visit(Overloaded{
                 [&](const ledger::JobRequested& e) {
                   if (job.request) return;
                   job.request = e;
                   job.requested_at = time;
                 },
                 [&](const ledger::JobDeclined& e) {
                   if (!job.declined && !job.quote) job.declined = e;
                 },
                 [&](const ledger::JobQuoted& e) {
                   if (!job.declined && !job.quote) job.quote = e;
                 },
                 [&](const ledger::InvoiceIssued& e) {
                   if (find_invoice(job, e.payment_hash)) return;
                   job.invoices.push_back({.issued = e});
                   job.invoice_failures = 0;  // of the next one
                 },
                 [&](const ledger::InvoiceFailed& e) {
                   job.invoice_failed = e;
                   ++job.invoice_failures;
                 },
                 [&](const ledger::InvoiceSettled& e) {
                   Invoice* invoice = mutable_invoice(job, e.payment_hash);
                   if (!invoice || invoice->settled) return;
                   invoice->settled = e;
                   invoice->settled_at = time;
                 },
                 [&](const ledger::InvoiceHeld& e) {
                   Invoice* invoice = mutable_invoice(job, e.payment_hash);
                   if (!invoice || invoice->held) return;
                   invoice->held = e;
                   invoice->held_at = time;
                 },
                 [&](const ledger::InvoiceExpired& e) {
                   Invoice* invoice = mutable_invoice(job, e.payment_hash);
                   if (invoice && !invoice->expired) invoice->expired = e;
                 },
                 [&](const ledger::InferenceStarted& e) {
                   job.inference_started = std::max(job.inference_started, e.attempt);
                 },
                 [&](const ledger::InferenceCompleted& e) {
                   if (!job.completion) job.completion = e;
                 },
                 [&](const ledger::InferenceFailed& e) {
                   if (e.attempt <= job.inference_failures) return;
                   job.inference_failures = e.attempt;
                   job.inference_failed = e;
                 },
                 [&](const ledger::NoticeSigned& e) { on_notice_signed(job, e); },
                 [&](const ledger::NoticePublished& e) { on_notice_published(job, time, e); },
                 [&](const ledger::JobCancelled& e) {
                   if (cancellable(job)) job.cancelled = e;
                 },
                 [&](const ledger::JobExpired& e) {
                   if (!job.expired) job.expired = e;
                 },
                 [&](const ledger::RefundOwed& e) {
                   if (!find_refund(job, e.payment_hash)) job.refunds.push_back({.owed = e});
                 },
                 [&](const ledger::RefundStarted& e) {
                   Refund* refund = mutable_refund(job, e.payment_hash);
                   if (refund && !refund->paid && !under_way(*refund)) refund->started = e;
                 },
                 [&](const ledger::RefundPaid& e) {
                   Refund* refund = mutable_refund(job, e.payment_hash);
                   if (refund && is_attempt(*refund, e.attempt)) refund->paid = e;
                 },
                 [&](const ledger::RefundFailed& e) {
                   Refund* refund = mutable_refund(job, e.payment_hash);
                   if (refund && is_attempt(*refund, e.attempt)) refund->failed = e;
                 },
                 [&](const ledger::InputsGathered& e) {
                   if (!job.inputs && !job.inputs_failed) job.inputs = e;
                 },
                 [&](const ledger::InputsFailed& e) {
                   if (!job.inputs && !job.inputs_failed) job.inputs_failed = e;
                 },
                 // Facts about the shop are not about a job.
                 [](const ledger::ProviderConfigured&) {},
                 [](const ledger::WentOnline&) {},
                 [](const ledger::WentOffline&) {},
                 [](const ledger::RequestsDropped&) {},
             },
             event);
}

const Notice* find_notice(const Job& job, NoticePurpose purpose) {
  const auto it =
      std::ranges::find_if(job.notices, [&](const Notice& notice) { return notice.notice.purpose == purpose; });
  return it == job.notices.end() ? nullptr : &*it;
}

const Invoice* find_invoice(const Job& job, const Hash256& payment_hash) {
  const auto it = std::ranges::find_if(
      job.invoices, [&](const Invoice& invoice) { return invoice.issued.payment_hash == payment_hash; });
  return it == job.invoices.end() ? nullptr : &*it;
}

const Invoice* current_invoice(const Job& job) {
  return job.invoices.empty() ? nullptr : &job.invoices.back();
}

const Invoice* usable_invoice(const Job& job, TimeMs now) {
  const Invoice* invoice = current_invoice(job);
  return invoice && (invoice->revealed || invoice->issued.expires_at > now) ? invoice : nullptr;
}

namespace {

// The quote promised another invoice, and it may still come to be shown.
bool may_renew(const Job& job) {
  const bool given_up = job.invoice_failed && !job.invoice_failed->retry_at;
  return job.quote && job.quote->renew_invoice && find_notice(job, NoticePurpose::result) && !undeliverable(job) &&
         !paid(job) && !given_up && !find_notice(job, NoticePurpose::invoice_renewed);
}

bool payable(const Invoice& invoice) {
  return invoice.revealed && !invoice.expired;
}

}  // namespace

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
  const bool too_late = job.request->expires_at && *job.request->expires_at <= now;
  return !too_late && !ended_without_result(job);
}

std::uint64_t input_tokens(const Job& job) {
  if (job.inputs) return job.inputs->input_tokens;
  return job.request ? job.request->input_tokens : 0;
}

bool paid(const Job& job) {
  return std::ranges::any_of(job.invoices, [](const Invoice& invoice) { return invoice.settled.has_value(); });
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

const Refund* find_refund(const Job& job, const Hash256& payment_hash) {
  const auto it =
      std::ranges::find_if(job.refunds, [&](const Refund& refund) { return refund.owed.payment_hash == payment_hash; });
  return it == job.refunds.end() ? nullptr : &*it;
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
  const TimeMs signed_until = notice.notice.deadline;
  if (!escrowed(job) || notice.notice.purpose != NoticePurpose::result) return signed_until;
  const std::int64_t window_ms = signed_until - TimeMs{notice.notice.created_at_s * 1000};
  TimeMs out = signed_until;
  for (const Invoice& invoice : job.invoices) {
    if (invoice.settled) out = std::max(out, invoice.settled_at + window_ms);
  }
  return out;
}

bool undeliverable(const Job& job) {
  const Notice* result = find_notice(job, NoticePurpose::result);
  return result && result->closed && !result->delivered;
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
  return payment_first(job) ? job.quote->price : amount_used(job);
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
  if (shown && std::ranges::none_of(job.invoices, payable) && !may_renew(job)) return {};
  return job.completion ? amount_due(job) : job.quote->price;
}

State state(const Job& job) {
  const bool all_paid = std::ranges::all_of(job.refunds, [](const Refund& refund) { return refund.paid.has_value(); });
  if (!job.refunds.empty()) return all_paid ? State::refunded : State::refund_owed;
  if (job.declined) return State::declined;
  if (job.expired && !paid(job)) return State::expired;
  const Notice* result = find_notice(job, NoticePurpose::result);
  if (result && result->delivered) {
    if (paid(job)) return State::settled;
    const Invoice* invoice = current_invoice(job);
    if (!invoice) return State::delivered_free;
    return invoice->expired && !renewal_due(job) ? State::unpaid : State::delivered_unpaid;
  }
  if (result) return result->closed ? State::undelivered : State::delivering;
  if (job.cancelled && ended_without_result(job)) return State::cancelled;
  if (ended_without_result(job)) return State::failed;
  if (!job.quote) return State::requested;
  if (!may_run(job)) return State::awaiting_payment;
  return job.completion ? State::invoicing : State::working;
}

namespace {

constexpr std::array kStates{State::requested,      State::declined,   State::awaiting_payment, State::working,
                             State::invoicing,      State::delivering, State::delivered_unpaid, State::settled,
                             State::delivered_free, State::unpaid,     State::expired,          State::cancelled,
                             State::undelivered,    State::failed,     State::refund_owed,      State::refunded};

}  // namespace

std::span<const State> all_states() {
  return kStates;
}

std::string_view name(State state) {
  switch (state) {
    case State::requested:
      return "requested";
    case State::declined:
      return "declined";
    case State::awaiting_payment:
      return "awaiting_payment";
    case State::working:
      return "working";
    case State::invoicing:
      return "invoicing";
    case State::delivering:
      return "delivering";
    case State::delivered_unpaid:
      return "delivered_unpaid";
    case State::settled:
      return "settled";
    case State::delivered_free:
      return "delivered_free";
    case State::unpaid:
      return "unpaid";
    case State::expired:
      return "expired";
    case State::cancelled:
      return "cancelled";
    case State::undelivered:
      return "undelivered";
    case State::failed:
      return "failed";
    case State::refund_owed:
      return "refund_owed";
    case State::refunded:
      return "refunded";
  }
  return "unknown";
}

}  // namespace core
