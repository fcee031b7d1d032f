// The operator's orders to pay customers back: checked, recorded as RefundStarted, carried out once that is durable,
// and answered.
#pragma once

#include <map>

#include "pipeline/runtime/context.h"
#include "pipeline/runtime/refund_payments.h"

namespace runtime {

// Where a customer is paid back: an invoice, or an event of theirs with one. The event is signed by the customer who
// asked for the job, names the job in an `e` tag, and has the invoice in a `bolt11` tag or as its content.
struct RefundOrder {
  std::string bolt11;
  std::string event_json;
  std::optional<base::Msat> fee_limit;  // without one: a hundredth, and at least 10 sat
};
// What became of it; RefundStarted: that is not known yet.
using RefundOutcome = std::variant<ledger::RefundStarted, ledger::RefundPaid, ledger::RefundFailed>;

class RefundDesk {
 public:
  using Done = std::function<void(base::Result<RefundOutcome>)>;

  // `context` outlives it, and it outlives every callback of its ports.
  explicit RefundDesk(const Context& context);

  // Pays back what is owed for a job, one of its payments per order. `done` is called once: with what became of it,
  // after some seconds with RefundStarted, or with the reason why nothing was paid ("refund.…", "bolt11.…",
  // "wallet.…").
  void order(const core::JobId& id, const RefundOrder& order, Done done);

  // Ends an attempt that was not paid and never will be, by the word of a person who looked into the wallet. Fails with
  // "refund.…".
  void give_up(const core::JobId& id, const std::string& word, std::function<void(base::Result<void>)> done);

  // Pays an attempt that order() began, or finds out what became of one that was begun by another process; posts
  // RefundEnded, once. Reports a problem when the wallet that pays it is not configured.
  void pay_back(const core::Job& job, const core::Work& work);

 private:
  base::Result<ledger::RefundStarted> prepare(const core::Job& job, const RefundOrder& order) const;
  base::Result<wallet::DecodedInvoice> check_invoice(const std::string& bolt11, base::Msat owed) const;
  void begin(core::Job job, ledger::RefundStarted attempt, Done done);
  void answer(const base::Hash256& to, const RefundOutcome& outcome);

  const Context& context_;
  RefundPayments refunds_;
  std::map<base::Hash256, Done> waiting_;  // by the payment hash of the customer's invoice
};

}  // namespace runtime
