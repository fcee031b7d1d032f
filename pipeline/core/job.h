// A job: what the facts about one request add up to. There is no other job state anywhere; views store this very
// struct.
#pragma once

#include "ledger/entry.h"

namespace core {

using base::Hash256;
using base::JobId;
using base::Msat;
using base::PublicKey;
using base::TimeMs;
using ledger::Fact;
using ledger::field;
using ledger::NoticePurpose;

struct Invoice {
  ledger::InvoiceIssued issued;
  bool revealed = false;  // a durable notice carries it: the customer may have seen it
  std::optional<ledger::InvoiceSettled> settled;
  std::optional<ledger::InvoiceExpired> expired;
  std::optional<ledger::InvoiceHeld> held;
  TimeMs held_at;
  TimeMs settled_at;  // by our ledger
  static constexpr auto fields() {
    using T = Invoice;
    return std::tuple{field(1, "issued", &T::issued),
                      field(2, "revealed", &T::revealed),
                      field(3, "settled", &T::settled),
                      field(4, "expired", &T::expired),
                      field(5, "held", &T::held),
                      field(6, "held_at_ms", &T::held_at),
                      field(7, "settled_at_ms", &T::settled_at)};
  }
};

struct Notice {
  ledger::NoticeSigned notice;
  bool delivered = false;  // a relay accepted it
  bool closed = false;     // nothing more will be tried
  std::vector<ledger::RelayAnswer> answers;
  TimeMs delivered_at;
  static constexpr auto fields() {
    using T = Notice;
    return std::tuple{field(1, "notice", &T::notice), field(2, "delivered", &T::delivered),
                      field(3, "closed", &T::closed), field(4, "answers", &T::answers),
                      field(5, "delivered_at_ms", &T::delivered_at)};
  }
};

// What we owe back of one payment, and what became of paying it back.
struct Refund {
  ledger::RefundOwed owed;
  std::optional<ledger::RefundStarted> started;  // the last attempt
  std::optional<ledger::RefundFailed> failed;    // the last that failed
  std::optional<ledger::RefundPaid> paid;
  static constexpr auto fields() {
    using T = Refund;
    return std::tuple{field(1, "owed", &T::owed), field(2, "started", &T::started), field(3, "failed", &T::failed),
                      field(4, "paid", &T::paid)};
  }
};

struct Job {
  JobId id;
  TimeMs requested_at;
  TimeMs updated_at;
  std::optional<ledger::JobRequested> request;
  std::optional<ledger::JobDeclined> declined;
  std::optional<ledger::JobQuoted> quote;
  std::vector<Invoice> invoices;
  std::uint32_t invoice_failures = 0;                   // since the last one that was made
  std::optional<ledger::InvoiceFailed> invoice_failed;  // the last one
  std::uint32_t inference_started = 0;                  // the last attempt that was started
  std::uint32_t inference_failures = 0;
  std::optional<ledger::InferenceFailed> inference_failed;  // the last one
  std::optional<ledger::InferenceCompleted> completion;
  std::vector<Notice> notices;
  std::optional<ledger::JobExpired> expired;
  std::vector<Refund> refunds;
  std::optional<ledger::JobCancelled> cancelled;
  std::optional<ledger::InputsGathered> inputs;
  std::optional<ledger::InputsFailed> inputs_failed;
  static constexpr auto fields() {
    using T = Job;
    return std::tuple{field(1, "id", &T::id),
                      field(2, "requested_at_ms", &T::requested_at),
                      field(3, "updated_at_ms", &T::updated_at),
                      field(4, "request", &T::request),
                      field(5, "declined", &T::declined),
                      field(6, "quote", &T::quote),
                      field(7, "invoices", &T::invoices),
                      field(8, "invoice_failures", &T::invoice_failures),
                      field(9, "invoice_failed", &T::invoice_failed),
                      field(10, "inference_started", &T::inference_started),
                      field(11, "inference_failures", &T::inference_failures),
                      field(12, "inference_failed", &T::inference_failed),
                      field(13, "completion", &T::completion),
                      field(14, "notices", &T::notices),
                      field(15, "expired", &T::expired),
                      field(16, "refunds", &T::refunds),
                      field(17, "cancelled", &T::cancelled),
                      field(18, "inputs", &T::inputs),
                      field(19, "inputs_failed", &T::inputs_failed)};
  }
};

// The job after one more fact. Total: any event in any state; a fact about something that the job does not have, or
// that it has already, changes nothing but `updated_at`.
void evolve(Job& job, JobId id, TimeMs time, const Fact& event);

// Where a job stands, for people and for list filters. Derived, never stored.
enum class State {
  requested,
  declined,
  awaiting_payment,  // payment first: nothing happens until it is paid
  working,           // waiting for a slot, or running
  invoicing,         // answered, the invoice or the result notice is being made
  delivering,        // the result is signed, no relay has it yet
  delivered_unpaid,
  settled,         // delivered and paid
  delivered_free,  // delivered, and nothing was asked for it
  unpaid,          // delivered, and the wallet says that it was never paid
  expired,
  cancelled,
  undelivered,  // no relay took the result before the deadline
  failed,       // could not be served; nothing was paid
  refund_owed,
  refunded,
};
State state(const Job& job);
std::string_view name(State state);
std::span<const State> all_states();

// ---- what the rules ask about a job ---------------------------------------------------------------------------------

const Notice* find_notice(const Job& job, NoticePurpose purpose);
const Invoice* find_invoice(const Job& job, const Hash256& payment_hash);
// The invoice that asks for this job's money: the last one made.
const Invoice* current_invoice(const Job& job);
// The same, if it was shown to the customer or can still be: one that expired unseen is an orphan, and another takes
// its place.
const Invoice* usable_invoice(const Job& job, TimeMs now);
// The result was delivered, nobody paid its invoice in time, and the quote promised another one that was not shown yet.
bool renewal_due(const Job& job);
// Nothing asks for this job's money, or not any more.
bool needs_invoice(const Job& job, TimeMs now);
// Which invoice to order next. The same order is the same invoice, until it is known to have expired.
std::uint32_t next_invoice_attempt(const Job& job);

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
// What came, or is held, is less than was asked before anything is done: nothing is, and it goes back.
bool underpaid(const Job& job);
Msat settled_amount(const Job& job);  // what the wallet received
const Refund* find_refund(const Job& job, const Hash256& payment_hash);
// The wallet was told to pay it back, and it is not known what became of that.
bool under_way(const Refund& refund);
Msat still_owed(const Job& job);     // what is to be paid back, and is not yet
Msat earned(const Job& job);         // what of it is ours to keep
bool payment_first(const Job& job);  // held in escrow too
bool escrowed(const Job& job);
// The payment that the wallet holds for this job, while it holds it; null: none.
const Invoice* held(const Job& job);
// An error that ends the job without a result: declined, cancelled, expired unpaid, or given up after the last attempt.
bool ended_without_result(const Job& job);
// It can still be cancelled: what is signed is on its way, and what has ended is over.
bool cancellable(const Job& job);
// A customer who was shown a part of the answer cancelled: it ends there, is delivered and costs what was made of it.
bool cut_short(const Job& job);
// Until when a notice is tried. That of a result in escrow waits for its payment, and so is counted from there.
TimeMs deadline_of(const Job& job, const Notice& notice);
// The result was signed, and no relay took it before the deadline.
bool undeliverable(const Job& job);
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
