// Pays back, and finds out what became of it. The wallet is told to pay an attempt once, by the process that began it;
// whoever finds the attempt begun before asks only what became of it. "Not paid" is believed of the wallet's own words:
// that it failed, or, once the customer's invoice has expired and so nobody can pay it any more, that it never heard
// of it.
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

  // Both outlive it. Null: nothing can be paid, and what was begun before waits. `account` names the account that pays,
  // for only that one knows what became of its payments.
  RefundPayments(wallet::Payer* payer, std::string account, Scheduler& scheduler)
      : payer_(payer), account_(std::move(account)), scheduler_(scheduler) {}

  // Fails with "refund.invoice_used" for an invoice that is being paid, or that the wallet knows: one that failed there
  // could be taken for the new attempt. One whose order the wallet refused may be tried again. Fails with the wallet's
  // error when it does not answer.
  void check_unpaid(const wallet::PaymentOrder& order, std::function<void(base::Result<void>)> done);

  // The next follow() of this invoice is ours to pay. False when it is being paid, or was meanwhile.
  bool begin(const base::Hash256& to);

  // A person has seen in the wallet that the attempt was not paid: it is followed no more. Fails with
  // "refund.may_be_paid" while the customer's invoice has not expired, with "refund.ended" when the wallet knows
  // better, and with its error when it does not answer.
  void give_up(const ledger::RefundStarted& attempt, std::function<void(base::Result<void>)> done);

  // Until it is known what became of the attempt; `ended` is called once. False when its wallet is not at hand.
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
  std::set<base::Hash256> paid_;            // in this life: a look-up that was asked before may not know it yet
  std::map<base::Hash256, Entry> entries_;  // by the payment hash of the customer's invoice
  base::Lifetime lifetime_;
};

}  // namespace runtime
