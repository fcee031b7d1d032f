// Pays refunds, and finds out the outcome of each attempt. Only the process that begins an attempt orders the payment,
// and only once. A later process only looks up the outcome. An attempt counts as not paid if the wallet reports that it
// failed. It also counts as not paid if the wallet does not know the payment, and either had refused the order, or the
// customer's invoice has expired and can no longer be paid.
#pragma once

#include <map>
#include <set>

#include "base/lifetime.h"
#include "base/scheduler.h"
#include "pipeline/wallet/payer.h"

namespace runtime {

using base::Scheduler;

class RefundPayments {
 public:
  using Ended = std::function<void(std::variant<ledger::RefundPaid, ledger::RefundFailed>)>;

  // `payer` and `scheduler` must outlive it. Without a payer (null), nothing can be paid, and attempts begun earlier
  // wait. `account` names the paying account, because only that account knows the outcome of its payments.
  RefundPayments(wallet::Payer* payer, std::string account, Scheduler& scheduler)
      : payer_(payer), account_(std::move(account)), scheduler_(scheduler) {}

  // Fails with "refund.invoice_used" if the invoice is being paid, or if the wallet knows a payment for it: the failure
  // of an earlier payment could be taken for that of the new attempt. An invoice whose order the wallet refused may be
  // tried again. Fails with the wallet's error if the wallet does not answer.
  void check_unpaid(const wallet::PaymentOrder& order, std::function<void(base::Result<void>)> done);

  // Makes the next follow() of this invoice order the payment. Returns false if the invoice is being paid, or has been
  // paid since check_unpaid().
  bool begin(const base::Hash256& to);

  // Stops following the attempt, because a person has seen in the wallet that it was not paid. Fails with
  // "refund.may_be_paid" while the customer's invoice has not expired, with "refund.ended" when the wallet knows
  // better, and with its error when it does not answer.
  void give_up(const ledger::RefundStarted& attempt, std::function<void(base::Result<void>)> done);

  // Follows the attempt until its outcome is known, then calls `ended` once. Returns false if the attempt's wallet is
  // not the one that is configured here.
  bool follow(const ledger::RefundStarted& attempt, Ended ended);

 private:
  struct Entry {
    ledger::RefundStarted attempt;
    Ended ended;
    std::int64_t pause_ms = 0;
    std::string refused;    // what the wallet answered when it was told to pay
    bool accepted = false;  // it took the order
  };

  bool used(const base::Hash256& to) const;
  void look(const base::Hash256& to);
  void look_later(const base::Hash256& to);
  bool conclude(const base::Hash256& to, const wallet::PaymentAnswer& answer);
  void fail(const base::Hash256& to, std::string message);

  wallet::Payer* payer_;
  const std::string account_;
  Scheduler& scheduler_;
  std::set<base::Hash256> begun_;
  std::set<base::Hash256> paid_;            // since this start; an earlier look-up may still answer "unknown"
  std::map<base::Hash256, Entry> entries_;  // by the payment hash of the customer's invoice
  base::Lifetime lifetime_;
};

}  // namespace runtime
