// Paying back: told to the wallet once an attempt, and "not paid" only by its own words.
#include "pipeline/runtime/refund_payments.h"

#include <gtest/gtest.h>

#include "pipeline/wallet/bolt11.h"
#include "tests/sim/virtual_time.h"

namespace runtime {
namespace {

using base::TimeMs;
using PayAnswer = base::Result<wallet::PaymentAnswer>;

constexpr TimeMs kStart{1'800'000'000'000};
constexpr std::int64_t kInvoiceLifeMs = 600'000;

class ScriptedPayer final : public wallet::Payer {
 public:
  explicit ScriptedPayer(sim::ProcessTime& time) : time_(time) {}
  void pay(const wallet::PaymentOrder&, std::function<void(PayAnswer)> done) override {
    ++paid;
    time_.after(10, [this, done] { done(pays); });
  }
  void look_up(const wallet::PaymentOrder&, std::function<void(PayAnswer)> done) override {
    ++asked;
    time_.after(10, [this, done] { done(says); });
  }

  PayAnswer pays = wallet::PaymentUnderWay{};
  PayAnswer says = wallet::Unknown{};
  int paid = 0;
  int asked = 0;

 private:
  sim::ProcessTime& time_;
};

PayAnswer silence() {
  return base::fail(base::ErrorKind::payment, "wallet.unreachable", "no answer");
}

class RefundsTest : public testing::Test {
 protected:
  static ledger::RefundStarted attempt() {
    const auto hash = base::sha256("theirs");
    const wallet::Invoice invoice{.network = wallet::Network::regtest,
                                  .amount = base::Msat{9'000},
                                  .timestamp_s = kStart.ms / 1000,
                                  .payment_hash = hash,
                                  .payment_secret = hash,
                                  .description = "back",
                                  .expiry_s = kInvoiceLifeMs / 1000,
                                  .features = {8, 14}};
    return {.attempt = 1,
            .wallet = "scripted 01",
            .bolt11 = wallet::encode_bolt11(invoice, wallet::NodeKey{base::sha256("node").bytes}).value(),
            .to = hash,
            .amount = base::Msat{9'000}};
  }
  bool follow() {
    return refunds.follow(attempt(), [this](const auto& facts) {
      EXPECT_FALSE(end) << "told twice";
      end = facts;
    });
  }
  void begin() {
    ASSERT_TRUE(refunds.begin(attempt().to));
    ASSERT_TRUE(follow());
  }
  void run(std::int64_t ms) {
    const TimeMs until = world.now() + ms;
    while (world.step(until)) {
    }
  }
  bool paid() const { return end && std::holds_alternative<ledger::RefundPaid>(*end); }
  bool failed() const { return end && std::holds_alternative<ledger::RefundFailed>(*end); }

  sim::VirtualTime world{kStart};
  sim::ProcessTime process{world};
  ScriptedPayer payer{process};
  RefundPayments refunds{&payer, "scripted 01", process};
  std::optional<std::variant<ledger::RefundPaid, ledger::RefundFailed>> end;
};

TEST_F(RefundsTest, IsOverWithTheWalletsAnswer) {
  payer.pays = wallet::PaymentMade{.fee = base::Msat{1'000}};
  begin();
  run(1'000);
  ASSERT_TRUE(paid());
  EXPECT_EQ(std::get<ledger::RefundPaid>(*end).fee, base::Msat{1'000});
  EXPECT_EQ(payer.asked, 0);
}

TEST_F(RefundsTest, ALostAnswerIsFoundByLookingUpAndNeverByPayingAgain) {
  payer.pays = silence();
  payer.says = silence();
  begin();
  run(120'000);
  EXPECT_FALSE(end);
  payer.says = wallet::PaymentMade{};
  run(120'000);
  EXPECT_TRUE(paid());
  EXPECT_EQ(payer.paid, 1);
}

TEST_F(RefundsTest, AnAttemptThatWasBegunBeforeIsOnlyAskedAbout) {
  payer.says = wallet::PaymentMade{};
  ASSERT_TRUE(follow());
  run(1'000);
  EXPECT_TRUE(paid());
  EXPECT_EQ(payer.paid, 0);
}

TEST_F(RefundsTest, APaymentUnderWayIsWaitedForHoweverLong) {
  begin();
  payer.says = wallet::PaymentUnderWay{};
  run(10 * kInvoiceLifeMs);
  EXPECT_FALSE(end);
  payer.says = wallet::PaymentFailed{"no route"};
  run(kInvoiceLifeMs);
  EXPECT_TRUE(failed());
}

TEST_F(RefundsTest, WhatTheWalletDoesNotKnowCanBePaidUntilTheInvoiceHasExpired) {
  payer.pays = silence();
  begin();
  run(kInvoiceLifeMs);
  EXPECT_FALSE(end) << "the order may be on its way still";
  run(kInvoiceLifeMs + 600'000);
  EXPECT_TRUE(failed());
}

TEST_F(RefundsTest, ARefusalThatTheWalletThenKnowsNothingOfIsAFailure) {
  payer.pays = base::fail(base::ErrorKind::payment, "wallet.refused", "not enough money");
  begin();
  run(1'000);
  ASSERT_TRUE(failed());
  EXPECT_EQ(std::get<ledger::RefundFailed>(*end).message, "not enough money");
}

TEST_F(RefundsTest, APersonsWordEndsItOnceNobodyCanPayTheInvoiceAnyMore) {
  payer.says = wallet::PaymentUnderWay{};
  begin();
  run(1'000);
  std::string said;
  const auto give_up = [&] {
    said.clear();
    refunds.give_up(attempt(), [&](const base::Result<void>& done) { said = done ? "given up" : done.error().code; });
    run(1'000);
  };
  give_up();
  EXPECT_EQ(said, "refund.may_be_paid");
  run(kInvoiceLifeMs + 11 * 60'000);
  payer.says = silence();
  give_up();
  EXPECT_EQ(said, "wallet.unreachable") << "it may know better";
  payer.says = wallet::PaymentUnderWay{};
  give_up();
  EXPECT_EQ(said, "given up");
  const int asked = payer.asked;
  run(600'000);
  EXPECT_FALSE(end) << "whoever gives it up knows it";
  EXPECT_LE(payer.asked, asked + 1);
}

TEST_F(RefundsTest, APersonsWordIsNotTakenAgainstTheWallets) {
  payer.says = wallet::PaymentUnderWay{};
  begin();
  run(kInvoiceLifeMs + 11 * 60'000);
  payer.says = wallet::PaymentMade{};
  std::string said;
  refunds.give_up(attempt(), [&](const base::Result<void>& done) { said = done ? "given up" : done.error().code; });
  run(1'000);
  EXPECT_EQ(said, "refund.ended");
  EXPECT_TRUE(paid());
}

TEST_F(RefundsTest, AnotherAccountSaysNothing) {
  auto another = attempt();
  another.wallet = "scripted 02";
  EXPECT_FALSE(refunds.follow(another, [](const auto&) { FAIL(); }));
  RefundPayments without(nullptr, "", process);
  EXPECT_FALSE(without.follow(attempt(), [](const auto&) { FAIL(); }));
}

TEST_F(RefundsTest, OneInvoicePaysForOneThing) {
  const wallet::PaymentOrder order{.payment_hash = attempt().to};
  std::optional<std::string> said;
  const auto check = [&] {
    said.reset();
    refunds.check_unpaid(
        order, [&](const base::Result<void>& result) { said = result ? "unpaid" : std::string(result.error().code); });
    run(1'000);
  };
  check();
  EXPECT_EQ(said, "unpaid");
  payer.says = wallet::PaymentMade{};
  check();
  EXPECT_EQ(said, "refund.invoice_used");
  payer.says = wallet::PaymentUnderWay{};
  begin();
  check();
  EXPECT_EQ(said, "refund.invoice_used");
  EXPECT_FALSE(refunds.begin(order.payment_hash)) << "a look-up that was on its way does not know it yet";
}

}  // namespace
}  // namespace runtime
