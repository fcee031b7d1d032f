// What follows from a job's facts: what may run, what is owed, what is paid. Pure functions of one job.
#pragma once

#include <set>

#include "pipeline/core/job.h"

namespace core {

// The current invoice, if it was shown to the customer or can still be: one that expired unseen is an orphan, and
// another takes its place.
const Invoice* usable_invoice(const Job& job, TimeMs now);
// The result was delivered, nobody paid its invoice in time, and the quote promised another one that was not shown yet.
bool renewal_due(const Job& job);
// Nothing asks for this job's money, or not any more.
bool needs_invoice(const Job& job, TimeMs now);
// Which invoice to order next. The same order is the same invoice, until it is known to have expired.
std::uint32_t next_invoice_attempt(const Job& job);

// What the times of others (of the request, of its invoices) are compared with at `now`, a time of the ledger: this
// machine's clock, as far as the request tells how far the ledger was ahead of it.
TimeMs clock_time(const Job& job, TimeMs now);
// The time of the ledger at which clock_time() can be `at`.
TimeMs when_clock_shows(const Job& job, TimeMs at);

// Some of its inputs must be gathered before it can be decided.
bool awaits_inputs(const Job& job, TimeMs now);
// What we estimate for the whole prompt: with what was gathered, once it was.
std::uint64_t input_tokens(const Job& job);

// How a payment differs from what its invoice asked for.
struct PaymentRemarks {
  Msat missing;        // what came, with what the wallet kept of it, is less than was asked
  Msat beyond;         // or more: the customer's gift
  bool late = false;   // after the invoice had expired
  bool again = false;  // the job was paid for before
};
// Of an invoice of this job that settled.
PaymentRemarks remarks(const Job& job, const Invoice& invoice);

bool paid(const Job& job);
// What its customer took and, by the wallet's word, never paid; zero as soon as it is paid after all.
Msat unpaid_by_default(const Job& job);
// What came, or is held, is less than was asked before anything is done: nothing is, and it goes back.
bool underpaid(const Job& job);
Msat settled_amount(const Job& job);  // what the wallet received
// The wallet was told to pay it back, and it is not known what became of that.
bool under_way(const Refund& refund);
Msat still_owed(const Job& job);     // what is to be paid back, and is not yet
Msat earned(const Job& job);         // what of it is ours to keep
bool payment_first(const Job& job);  // held in escrow too
bool escrowed(const Job& job);
// The payment that the wallet holds for this job, while it holds it; null: none.
const Invoice* held(const Job& job);
// An error that ends the job without a result: declined, cancelled, expired unpaid, given up after the last attempt, or
// closed by a rollback.
bool ended_without_result(const Job& job);
// It can still be cancelled: what is signed is on its way, and what has ended is over.
bool cancellable(const Job& job);
// A customer who was shown a part of the answer cancelled: it ends there, is delivered and costs what was made of it.
bool cut_short(const Job& job);
// Until when a notice is tried. That of a result in escrow waits for its payment, and so is counted from there.
TimeMs deadline_of(const Job& job, const Notice& notice);
// The relays that a notice is brought to: those that it was signed for, or those of the last retry.
const std::vector<std::string>& targets_of(const Notice& notice);
// The result was signed, and no relay took it before the deadline.
bool undeliverable(const Job& job);
// Its result may be published again: it is undeliverable, no rollback closed the job, and nothing was paid back for it or
// is being paid back.
bool may_retry_result(const Job& job);
// Its result was published again by the operator's order. Its invoice may have expired before anybody saw it: nobody is
// blamed for not paying it, and no other one takes its place.
bool result_retried(const Job& job);
// Its result is being published again: until that has ended, nothing is paid back for it.
bool result_on_its_way(const Job& job);
// Every text that its facts refer to: what was asked, its inputs, its answer, and what is in its notices.
std::set<base::TextRef> texts_of(const Job& job);
// What a model made counts. Not when it is answered already, or when the payment that was held went back meanwhile.
bool answerable(const Job& job);
// The pause before the next try after so many failures in a row, at least one: doubled with each, up to ten minutes.
std::int64_t back_off_ms(std::int64_t first_ms, std::uint32_t failures);
// It may end well the next time.
bool is_transient(ledger::InferenceFailure failure);
// Quoted, and where payment comes first, paid or held.
bool may_run(const Job& job);

// The tokens really used, never more than the quote; zero before there is an answer.
Msat amount_used(const Job& job);
// What an invoice for this job asks for: the quote where payment comes first; else what was used. Zero: no invoice.
Msat amount_due(const Job& job);
// The customer's own credit covers the price; without any, the one of nothing only.
bool within_credit(const ledger::Basis& basis, Msat price);
// The answer may be shown while it grows: to whom we owe it, or who may owe us for it.
bool may_stream(const Job& job);
// What the customer may owe us for this job as it stands: reserved when quoted, freed when paid, expired or failed.
Msat exposure(const Job& job);

}  // namespace core
