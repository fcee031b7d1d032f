#include "pipeline/core/job.h"

#include <algorithm>
#include <array>

#include "pipeline/core/rules.h"

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
  return under_way(refund) && refund.started && refund.started->attempt == attempt;
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

void on_notice_retried(Job& job, const ledger::NoticeRetried& retried) {
  for (Notice& notice : job.notices) {
    if (notice.notice.event != retried.event || notice.delivered || !notice.closed) continue;
    notice.closed = false;
    notice.retried = retried;
  }
}

}  // namespace

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

const Refund* find_refund(const Job& job, const Hash256& payment_hash) {
  const auto it =
      std::ranges::find_if(job.refunds, [&](const Refund& refund) { return refund.owed.payment_hash == payment_hash; });
  return it == job.refunds.end() ? nullptr : &*it;
}

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
                   if (job.declined || job.quote) return;
                   job.quote = e;
                   job.quoted_at = time;
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
                 [&](const ledger::InvoiceUnknown& e) {
                   Invoice* invoice = mutable_invoice(job, e.payment_hash);
                   if (invoice) invoice->unknown_since = time;
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
                 [&](const ledger::NoticeRetried& e) { on_notice_retried(job, e); },
                 [&](const ledger::JobCancelled& e) {
                   if (cancellable(job)) job.cancelled = e;
                 },
                 [&](const ledger::JobExpired& e) {
                   if (!job.expired) job.expired = e;
                 },
                 [&](const ledger::JobClosed& e) {
                   if (!job.closed) job.closed = e;
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
                 [](const ledger::TextsPruned&) {},
                 [](const ledger::RollbackAccepted&) {},
                 [](const ledger::ReadinessChanged&) {},
             },
             event);
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
  if (job.closed) return State::closed;
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
                             State::undelivered,    State::failed,     State::refund_owed,      State::refunded,
                             State::closed};

}  // namespace

bool is_unfinished(State state) {
  return state == State::requested || state == State::working || state == State::invoicing ||
         state == State::delivering;
}

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
    case State::closed:
      return "closed";
  }
  return "unknown";
}

}  // namespace core
