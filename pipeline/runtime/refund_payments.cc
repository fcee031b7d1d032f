#include "pipeline/runtime/refund_payments.h"

#include <algorithm>

#include "base/check.h"
#include "pipeline/wallet/bolt11.h"

namespace runtime {
namespace {

constexpr std::int64_t kFirstCheckPauseMs = 1'000;
constexpr std::int64_t kLongestCheckPauseMs = 60'000;
constexpr std::int64_t kExpiryGraceMs = 10 * base::kMinuteMs;  // clocks differ

wallet::PaymentOrder order_of(const ledger::RefundStarted& attempt) {
  return {
      .bolt11 = attempt.bolt11, .payment_hash = attempt.to, .amount = attempt.amount, .fee_limit = attempt.fee_limit};
}

bool expired(const std::string& bolt11, base::TimeMs now) {
  const auto invoice = wallet::decode_bolt11(bolt11);
  return !invoice || now >= invoice->expires_at() + kExpiryGraceMs;
}

}  // namespace

bool RefundPayments::used(const base::Hash256& to) const {
  return entries_.contains(to) || begun_.contains(to) || paid_.contains(to);
}

bool RefundPayments::begin(const base::Hash256& to) {
  return !used(to) && begun_.insert(to).second;
}

void RefundPayments::check_unpaid(const wallet::PaymentOrder& order, std::function<void(base::Result<void>)> done) {
  const auto refused = [] {
    return base::fail(base::ErrorKind::payment, "refund.invoice_used", "this invoice was paid before, or it was tried",
                      {}, "ask the customer for another one");
  };
  CHECK(payer_);
  if (used(order.payment_hash)) return done(refused());
  payer_->look_up(order, [refused, done = std::move(done)](const base::Result<wallet::PaymentAnswer>& answer) {
    if (!answer) return done(tl::unexpected(answer.error()));
    // Of one that failed before, an old failure could be taken for that of the new attempt.
    const bool unpaid = std::holds_alternative<wallet::Unknown>(*answer);
    done(unpaid ? base::Result<void>() : base::Result<void>(refused()));
  });
}

bool RefundPayments::follow(const ledger::RefundStarted& attempt, Ended ended) {
  if (!payer_ || account_ != attempt.wallet) return false;
  const base::Hash256 to = attempt.to;
  if (!entries_.try_emplace(to, Entry{attempt, std::move(ended)}).second) return true;
  if (begun_.erase(to) == 0) {
    look(to);
    return true;
  }
  CHECK(!paid_.contains(to), attempt.attempt);  // begin() has refused what was paid before
  payer_->pay(order_of(attempt), lifetime_.guard([this, to](const base::Result<wallet::PaymentAnswer>& answer) {
    if (!entries_.contains(to)) return;
    if (answer && conclude(to, *answer)) return;
    entries_.at(to).accepted = answer && std::holds_alternative<wallet::PaymentUnderWay>(*answer);
    // A refusal is an answer: the wallet has dealt with it, and what it does not know now it will not pay.
    const std::string code = answer ? "" : answer.error().code;
    if (code == "wallet.refused" || code == "wallet.unauthorized") entries_.at(to).refused = answer.error().message;
    look(to);
  }));
  return true;
}

void RefundPayments::give_up(const ledger::RefundStarted& attempt, std::function<void(base::Result<void>)> done) {
  if (!expired(attempt.bolt11, scheduler_.now())) {
    return done(base::fail(base::ErrorKind::payment, "refund.may_be_paid", "the customer's invoice can still be paid",
                           {}, "wait until some minutes after it has expired, and then look into the wallet again"));
  }
  if (!entries_.contains(attempt.to)) return done({});  // its wallet is not at hand
  const auto answered = [this, to = attempt.to,
                         done = std::move(done)](const base::Result<wallet::PaymentAnswer>& answer) {
    if (!answer) return done(tl::unexpected(answer.error()));
    const bool made = std::holds_alternative<wallet::PaymentMade>(*answer);
    if (!entries_.contains(to) || (made && conclude(to, *answer))) {
      return done(base::fail(base::ErrorKind::payment, "refund.ended", "the wallet knows what became of it", {},
                             "`sellcompute jobs show` says it"));
    }
    entries_.erase(to);
    done({});
  };
  payer_->look_up(order_of(attempt), lifetime_.guard(answered));
}

void RefundPayments::look(const base::Hash256& to) {
  payer_->look_up(order_of(entries_.at(to).attempt),
                  lifetime_.guard([this, to](const base::Result<wallet::PaymentAnswer>& answer) {
                    if (!entries_.contains(to)) return;
                    if (!answer || !conclude(to, *answer)) look_later(to);
                  }));
}

void RefundPayments::look_later(const base::Hash256& to) {
  Entry& entry = entries_.at(to);
  entry.pause_ms = std::clamp(entry.pause_ms * 2, kFirstCheckPauseMs, kLongestCheckPauseMs);
  scheduler_.after(entry.pause_ms, lifetime_.guard([this, to] {
    if (entries_.contains(to)) look(to);
  }));
}

// True when it is known what became of it.
bool RefundPayments::conclude(const base::Hash256& to, const wallet::PaymentAnswer& answer) {
  const Entry& entry = entries_.at(to);
  if (const auto* failed = std::get_if<wallet::PaymentFailed>(&answer)) {
    fail(to, failed->message);
    return true;
  }
  if (std::holds_alternative<wallet::Unknown>(answer)) {
    if (!entry.refused.empty()) {
      fail(to, entry.refused);
      return true;
    }
    // One that took the order and cannot find it again must know it: a person has to look.
    if (entry.accepted || !expired(entry.attempt.bolt11, scheduler_.now())) return false;
    fail(to, "the wallet knows of no such payment, and the invoice has expired");
    return true;
  }
  const auto* made = std::get_if<wallet::PaymentMade>(&answer);
  if (!made) return false;
  const Entry done = std::move(entries_.extract(to).mapped());
  paid_.insert(to);
  done.ended(ledger::RefundPaid{.payment_hash = done.attempt.payment_hash,
                                .attempt = done.attempt.attempt,
                                .amount = done.attempt.amount,
                                .fee = made->fee,
                                .paid_at = made->paid_at,
                                .preimage = made->preimage,
                                .evidence = made->evidence});
  return true;
}

void RefundPayments::fail(const base::Hash256& to, std::string message) {
  const Entry done = std::move(entries_.extract(to).mapped());
  done.ended(ledger::RefundFailed{
      .payment_hash = done.attempt.payment_hash, .attempt = done.attempt.attempt, .message = std::move(message)});
}

}  // namespace runtime
