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
// An invoice must be ordered: the job is not paid, and no usable invoice asks for its money, or a renewal is due.
bool needs_invoice(const Job& job, TimeMs now);
// The number of the next invoice to order. It stays the same until an invoice with it is recorded, or the wallet
// returns an expired one: a repeated order must give the same invoice.
std::uint32_t next_invoice_attempt(const Job& job);

// Converts `now`, a time of the ledger, to this machine's clock, for comparison with times that others set (in the
// request or in invoices). The ledger's time may be ahead of the clock; the request records by how much when it came.
TimeMs clock_time(const Job& job, TimeMs now);
// The earliest time of the ledger at which clock_time() is `at` or later.
TimeMs when_clock_shows(const Job& job, TimeMs at);

// Some of its inputs must be gathered before it can be decided.
bool awaits_inputs(const Job& job, TimeMs now);
// The estimated tokens of the whole prompt, including the gathered inputs once they are there.
std::uint64_t input_tokens(const Job& job);

// How a payment differs from what its invoice asked for.
struct PaymentRemarks {
  Msat missing;        // how much less than asked the customer paid, fees of the wallet included
  Msat beyond;         // how much more than asked the customer paid; we keep it
  bool late = false;   // after the invoice had expired
  bool again = false;  // the job was paid for before
};
// Of an invoice of this job that settled.
PaymentRemarks remarks(const Job& job, const Invoice& invoice);

bool paid(const Job& job);
// What its customer took and, by the wallet's word, never paid; zero as soon as it is paid after all.
Msat unpaid_by_default(const Job& job);
// The customer has to pay first, and the amount paid or held is too small: the job is not run, and the money goes back.
bool underpaid(const Job& job);
Msat settled_amount(const Job& job);  // what the wallet received
// The wallet was told to pay it back, and it is not known what became of that.
bool under_way(const Refund& refund);
Msat still_owed(const Job& job);     // what is to be paid back, and is not yet
Msat earned(const Job& job);         // what was settled, less what is owed or paid back
bool payment_first(const Job& job);  // held in escrow too
bool escrowed(const Job& job);
// The payment that the wallet holds for this job, while it holds it; null: none.
const Invoice* held(const Job& job);
// The job ends without a result: declined, cancelled, expired unpaid, underpaid, given up after the last attempt, or
// closed by a rollback.
bool ended_without_result(const Job& job);
// It can still be cancelled: its result is not signed yet, and it has not ended.
bool cancellable(const Job& job);
// The customer cancelled after a part of the answer was shown to them: the answer ends there and is delivered, and the
// customer pays for the tokens made so far.
bool cut_short(const Job& job);
// Until when a notice is sent to relays. The result of a job in escrow is sent only after its payment, so its time
// counts from the payment.
TimeMs deadline_of(const Job& job, const Notice& notice);
// The relays that a notice is brought to: those that it was signed for, or those of the last retry.
const std::vector<std::string>& targets_of(const Notice& notice);
// The result was signed, and no relay took it before the deadline.
bool undeliverable(const Job& job);
// Its result may be published again: it is undeliverable, no rollback closed the job, and nothing was paid back for it
// or is being paid back.
bool may_retry_result(const Job& job);
// Its result is being published again: until that has ended, nothing is paid back for it.
bool result_on_its_way(const Job& job);
// Every text that its facts refer to: what was asked, its inputs, its answer, and what is in its notices.
std::set<base::TextRef> texts_of(const Job& job);
// An answer from a model is still accepted: the job has none yet and has not ended, for example because the held
// payment went back.
bool answerable(const Job& job);
// The pause before the next try: `first_ms` after one failure, doubled with each further failure in a row, up to ten
// minutes. `failures` must be at least 1.
std::int64_t back_off_ms(std::int64_t first_ms, std::uint32_t failures);
// Another attempt may succeed after this failure.
bool is_transient(ledger::InferenceFailure failure);
// Quoted; and, where payment comes first, paid or held, unless the price is zero.
bool may_run(const Job& job);

// The price of the tokens used, never more than the quote. Input tokens count only up to the number quoted. Zero before
// there is an answer.
Msat amount_used(const Job& job);
// What an invoice for this job asks for: the quote where payment comes first; else what was used. Zero: no invoice.
Msat amount_due(const Job& job);
// The customer's own credit covers the price. A price of zero is always covered.
bool within_credit(const ledger::Basis& basis, Msat price);
// The answer may be shown while it grows: the customer pays for it first, or their credit covers it.
bool may_stream(const Job& job);
// What the customer may owe us for this job as it stands: reserved when quoted, freed when paid, expired or failed.
Msat exposure(const Job& job);

}  // namespace core
