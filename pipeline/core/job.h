// A job: what the facts about one request add up to. There is no other job state anywhere; views store this very
// struct.
#pragma once

#include "ledger/entry.h"

namespace core {

using base::Hash256;
using base::JobId;
using base::kDayMs;
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
  TimeMs settled_at;     // by our ledger
  TimeMs unknown_since;  // since when, by the ledger, the wallet has not known it; 0: it knows it
  static constexpr auto fields() {
    using T = Invoice;
    return std::tuple{field(1, "issued", &T::issued),
                      field(2, "revealed", &T::revealed),
                      field(3, "settled", &T::settled),
                      field(4, "expired", &T::expired),
                      field(5, "held", &T::held),
                      field(6, "held_at_ms", &T::held_at),
                      field(7, "settled_at_ms", &T::settled_at),
                      field(8, "unknown_since_ms", &T::unknown_since)};
  }
};

struct Notice {
  ledger::NoticeSigned notice;
  bool delivered = false;  // a relay accepted it
  bool closed = false;     // nothing more will be tried
  std::vector<ledger::RelayAnswer> answers;
  TimeMs delivered_at;
  std::optional<ledger::NoticeRetried> retried;  // the last time
  static constexpr auto fields() {
    using T = Notice;
    return std::tuple{field(1, "notice", &T::notice),
                      field(2, "delivered", &T::delivered),
                      field(3, "closed", &T::closed),
                      field(4, "answers", &T::answers),
                      field(5, "delivered_at_ms", &T::delivered_at),
                      field(6, "retried", &T::retried)};
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
  TimeMs quoted_at;
  std::optional<ledger::JobClosed> closed;
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
                      field(19, "inputs_failed", &T::inputs_failed),
                      field(20, "quoted_at_ms", &T::quoted_at),
                      field(21, "closed", &T::closed)};
  }
};

// Parts of a job; null when it has no such part.
const Notice* find_notice(const Job& job, NoticePurpose purpose);
const Invoice* find_invoice(const Job& job, const Hash256& payment_hash);
// The invoice that asks for this job's money: the last one made.
const Invoice* current_invoice(const Job& job);
const Refund* find_refund(const Job& job, const Hash256& payment_hash);

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
  closed,  // by a rollback that was accepted; nothing of it was delivered
};
State state(const Job& job);
// The provider still has to decide on it, to run, to bill or to deliver it. A job that waits only for its customer's
// payment is not unfinished.
bool is_unfinished(State state);
std::string_view name(State state);
std::span<const State> all_states();

}  // namespace core
