// What is owed back is paid back once: nothing else is paid before it is known what became of an attempt.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/core/stages/stage.h"
#include "tests/unit/pipeline/core/engine_driver.h"

namespace core {
namespace {

using testing::SizeIs;

// A shop that owes back what was paid for job 1.
EngineDriver shop_that_owes() {
  Policy policy = EngineDriver::policy();
  policy.payment_mode = ledger::PaymentMode::payment_first;
  policy.inference_attempts = 1;
  EngineDriver shop(policy);
  shop.inference_fails = ledger::InferenceFailure::cut_off;
  shop.ask(1);
  shop.pay(1);
  return shop;
}

RefundOrdered order_for(const EngineDriver& shop) {
  const Job job = shop.job(1);
  const auto& owed = job.refunds.at(0).owed;
  return {.job = EngineDriver::id(1),
          .at_rest = job,
          .refund = {.payment_hash = owed.payment_hash, .to = base::sha256("theirs"), .amount = owed.amount}};
}

TEST(Refund, IsPaidOnce) {
  auto shop = shop_that_owes();
  EXPECT_EQ(state(shop.job(1)), State::refund_owed);
  EXPECT_EQ(shop.engine().find(EngineDriver::id(1)), nullptr) << "owing needs no memory";
  shop.purse = true;
  shop.give(order_for(shop));
  EXPECT_EQ(state(shop.job(1)), State::refunded);
  EXPECT_EQ(still_owed(shop.job(1)), Msat{});
  shop.give(order_for(shop));
  EXPECT_THAT(shop.payments, SizeIs(1));
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
}

TEST(Refund, ASecondOrderWhileOneIsUnderWayIsIgnored) {
  auto shop = shop_that_owes();
  shop.give(order_for(shop));
  shop.give(order_for(shop));
  EXPECT_THAT(shop.payments, SizeIs(1));
  EXPECT_EQ(state(shop.job(1)), State::refund_owed) << "until the wallet says that it is paid";
}

TEST(Refund, OneThatFailedIsOwedAsBeforeAndCanBeOrderedAgain) {
  auto shop = shop_that_owes();
  shop.purse = false;
  shop.give(order_for(shop));
  EXPECT_EQ(state(shop.job(1)), State::refund_owed);
  shop.purse = true;
  shop.give(order_for(shop));
  EXPECT_EQ(state(shop.job(1)), State::refunded);
  EXPECT_EQ(shop.job(1).refunds[0].started->attempt, 2u);
}

TEST(Refund, AfterARestartTheSameAttemptIsFollowed) {
  auto shop = shop_that_owes();
  shop.give(order_for(shop));
  ASSERT_TRUE(is_open(shop.job(1))) << "or recovery would not see it";
  shop.purse = true;
  shop.restart(EngineDriver::policy(), shop.job(1));
  EXPECT_EQ(state(shop.job(1)), State::refunded);
  EXPECT_EQ(shop.job(1).refunds[0].started->attempt, 1u);
}

TEST(Refund, WithNothingOwedNothingIsPaid) {
  EngineDriver shop(EngineDriver::policy());
  shop.ask(1);
  shop.pay(1);
  const Job job = shop.job(1);
  shop.give(RefundOrdered{.job = job.id, .at_rest = job, .refund = {.payment_hash = base::sha256("x")}});
  EXPECT_THAT(shop.payments, SizeIs(0));
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
}

}  // namespace
}  // namespace core
