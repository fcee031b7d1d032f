#include "pipeline/core/before_append.h"

#include <algorithm>

#include "base/check.h"
#include "pipeline/core/canary.h"
#include "pipeline/core/rules.h"

namespace core {
namespace {

bool is_amount(Msat amount) {
  return amount >= Msat{} && amount.value <= Msat::kMax;
}

bool is_open(const Invoice* invoice) {
  return invoice && !invoice->settled && !invoice->expired;
}

// ---- before the job is accepted ----

void check(const Job& job, const ledger::JobRequested&) {
  CHECK(!job.request);
}

void check(const Job& job, const ledger::InputsGathered& fact) {
  CHECK(job.request && !job.inputs && !job.inputs_failed);
  CHECK(fact.texts.size() == job.request->sources.size(), fact.texts.size(), job.request->sources.size());
}

void check(const Job& job, const ledger::InputsFailed&) {
  CHECK(job.request && !job.inputs && !job.inputs_failed);
}

void check(const Job& job, const ledger::JobDeclined&) {
  CHECK(job.request && !job.declined && !job.quote);
}

void check(const Job& job, const ledger::JobQuoted& fact) {
  CHECK(job.request && !job.declined && !job.quote);
  CHECK(fact.price == Msat{} || (fact.price > Msat{} && fact.price >= fact.minimum), fact.price, fact.minimum);
  CHECK(fact.unit.value <= 1 || fact.price.value % fact.unit.value == 0, fact.price, fact.unit);
  CHECK(!job.request->bid || fact.price <= *job.request->bid, fact.price, job.request->bid.value_or(Msat{}));
  CHECK(fact.max_output_tokens <= fact.terms.max_output_tokens, fact.max_output_tokens, fact.terms.max_output_tokens);
  CHECK(fact.payment_mode != ledger::PaymentMode::unspecified);
}

// ---- the answer ----

void check(const Job& job, const ledger::InferenceStarted& fact) {
  CHECK(job.quote && !job.completion && fact.attempt == job.inference_failures + 1, fact.attempt,
        job.inference_failures);
}

void check(const Job& job, const ledger::InferenceCompleted&) {
  CHECK(job.quote && !job.completion);
}

void check(const Job& job, const ledger::InferenceFailed& fact) {
  CHECK(job.quote && !job.completion);
  CHECK(fact.attempt == job.inference_failures + 1 || canary(Canary::in_flight_ignored), fact.attempt,
        job.inference_failures);
}

void check(const Job& job, const ledger::NoticeSigned& fact) {
  CHECK(!find_notice(job, fact.purpose), fact.purpose);  // each purpose is signed once: its bytes never change
  if (fact.purpose != NoticePurpose::result) return;
  CHECK(job.completion && fact.content == job.completion->result);
  CHECK(amount_due(job) == Msat{} || !job.invoices.empty(), amount_due(job));
}

void check(const Job& job, const ledger::NoticePublished& fact) {
  CHECK(std::ranges::any_of(job.notices, [&](const Notice& one) { return one.notice.event == fact.event; }),
        fact.purpose);
}

void check(const Job& job, const ledger::NoticeRetried& fact) {
  const Notice* result = find_notice(job, NoticePurpose::result);
  CHECK(result && result->notice.event == fact.event && may_retry_result(job), fact.purpose);
}

// ---- its price ----

// The same order is the same invoice: an attempt's number is used once.
void check(const Job& job, const ledger::InvoiceIssued& fact) {
  CHECK(job.quote && fact.amount == amount_due(job), fact.amount, amount_due(job));
  CHECK(fact.amount <= job.quote->price, fact.amount, job.quote->price);
  CHECK(fact.attempt == next_invoice_attempt(job) || canary(Canary::in_flight_ignored), fact.attempt,
        next_invoice_attempt(job));
}

void check(const Job& job, const ledger::InvoiceSettled& fact) {
  const Invoice* invoice = find_invoice(job, fact.payment_hash);
  CHECK(invoice && (!invoice->settled || canary(Canary::settlement_counted_twice)));
  CHECK(is_amount(fact.received) && is_amount(fact.fee), fact.received, fact.fee);  // the adapters have bounded them
}

void check(const Job& job, const ledger::InvoiceHeld& fact) {
  const Invoice* invoice = find_invoice(job, fact.payment_hash);
  CHECK(is_open(invoice) && !invoice->held);
  CHECK(is_amount(fact.amount), fact.amount);
}

void check(const Job& job, const ledger::InvoiceExpired& fact) {
  CHECK(is_open(find_invoice(job, fact.payment_hash)));
}

void check(const Job& job, const ledger::InvoiceUnknown& fact) {
  CHECK(is_open(find_invoice(job, fact.payment_hash)));
}

// ---- its end ----

void check(const Job& job, const ledger::JobCancelled&) {
  CHECK(cancellable(job));
}

void check(const Job& job, const ledger::JobExpired&) {
  CHECK(!job.expired);
}

void check(const Job& job, const ledger::JobClosed&) {
  CHECK(!job.closed);
}

void check(const Job& job, const ledger::RefundOwed& fact) {
  CHECK(fact.amount > Msat{}, fact.amount);
  const auto covers = [&](const Invoice& one) {
    return one.issued.payment_hash == fact.payment_hash && one.settled && fact.amount <= one.settled->received;
  };
  CHECK(std::ranges::any_of(job.invoices, covers), fact.amount, settled_amount(job));
}

void check(const Job& job, const ledger::RefundStarted& fact) {
  const Refund* refund = find_refund(job, fact.payment_hash);
  CHECK(refund && !refund->paid && !under_way(*refund));  // one attempt at a time, or it might be paid twice
}

// Of these nothing is asked: they follow on any job, or are facts about the shop.
template <class T>
void check(const Job&, const T&) {}

}  // namespace

void check_before_append(const Job& job, const Fact& fact) {
  std::visit([&](const auto& one) { check(job, one); }, fact);
}

}  // namespace core
