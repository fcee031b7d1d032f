// A ledger that lost its end: what was open waits until it is known, and is closed when the operator goes on all the
// same.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/core/stages/stage.h"
#include "tests/unit/pipeline/core/engine_driver.h"

namespace core {
namespace {

using testing::IsEmpty;
using testing::Not;

// An engine that has taken these jobs over, and was not told to go on with them.
class RollbackTest : public testing::Test {
 protected:
  explicit RollbackTest(ledger::PaymentMode mode = ledger::PaymentMode::payment_first) {
    policy.payment_mode = mode;
    shop.emplace(policy);
  }
  void take_over() {
    engine = Engine({.time = shop->now, .policy = policy, .open_jobs = {shop->job(1)}});
    job = shop->job(1);
  }
  Step give(Input input) {
    Step step = engine.step(std::move(input), shop->now);
    for (const auto& entry : step.entries) {
      if (entry.job == EngineDriver::id(1)) evolve(job, entry.job, entry.time, entry.fact);
    }
    return step;
  }
  // What follows when it may go on; nothing leaves the process.
  std::vector<Fact> owed_after_resume() {
    const Step step = engine.resume(shop->now);
    EXPECT_THAT(step.commands, IsEmpty());
    std::vector<Fact> out;
    for (const auto& entry : step.entries) {
      evolve(job, entry.job, entry.time, entry.fact);
      out.push_back(entry.fact);
    }
    EXPECT_THAT(out, Not(IsEmpty()));
    return out;
  }
  RollbackConfirmed confirmed() const { return {{.evidence = "a checkpoint", .at = shop->now, .covers = shop->now}}; }
  Settled payment() const {
    const auto& invoice = job.invoices.at(0).issued;
    return {job.id, {.payment_hash = invoice.payment_hash, .received = invoice.amount, .settled_at = shop->now}};
  }

  Policy policy = EngineDriver::policy();
  std::optional<EngineDriver> shop;
  Engine engine;
  Job job;
};

TEST_F(RollbackTest, WhatWasOpenWaitsUntilItIsResumed) {
  shop->ask(1);
  take_over();
  EXPECT_THAT(give(payment()).commands, IsEmpty()) << "it is paid, and still nothing is done for it";
  EXPECT_TRUE(paid(job));
  EXPECT_THAT(give(Tick{}).commands, IsEmpty());
  EXPECT_THAT(engine.resume(shop->now).commands, Not(IsEmpty()));
}

TEST_F(RollbackTest, NewJobsDoNotWait) {
  shop->ask(1);
  take_over();
  const Step step = give(RequestArrived{EngineDriver::id(2), shop->request(), {}});
  EXPECT_THAT(step.commands, Not(IsEmpty()));
}

TEST_F(RollbackTest, WhatWasOpenIsClosedAndOnlyItsPaymentIsStillSeen) {
  shop->ask(1);
  take_over();
  give(confirmed());
  EXPECT_EQ(state(job), State::closed);
  const Due left = due(job, shop->now);
  ASSERT_EQ(left.work.size(), 1U);
  EXPECT_EQ(left.work[0].action, Action::watch);
  engine.resume(shop->now);
  give(payment());
  EXPECT_EQ(state(job), State::refund_owed);
  EXPECT_EQ(still_owed(job), job.invoices[0].issued.amount);
  EXPECT_FALSE(is_open(job));
}

TEST_F(RollbackTest, WhatWasPaidAndNotServedIsOwedBack) {
  shop->hold_inference = true;
  shop->ask(1);
  shop->pay(1);
  take_over();
  give(confirmed());
  for (const Fact& fact : owed_after_resume()) EXPECT_TRUE(std::holds_alternative<ledger::RefundOwed>(fact));
  EXPECT_EQ(state(job), State::refund_owed) << "the model is not run again";
}

TEST_F(RollbackTest, ASecondAcceptanceClosesNothingTwice) {
  shop->ask(1);
  take_over();
  give(confirmed());
  const Step again = give(confirmed());
  ASSERT_EQ(again.entries.size(), 1U);
  EXPECT_TRUE(std::holds_alternative<ledger::RollbackAccepted>(again.entries[0].fact));
}

TEST_F(RollbackTest, ItIsRememberedForTheRequestsThatComeAgain) {
  take_over();
  EXPECT_EQ(engine.shop().rollback_accepted_at, TimeMs{});
  give(confirmed());
  EXPECT_EQ(engine.shop().rollback_accepted_at, shop->now);
  EXPECT_EQ(Engine({.time = shop->now, .rollback_accepted_at = shop->now}).shop().rollback_accepted_at, shop->now);
}

class DeliveredBeforeRollback : public RollbackTest {
 protected:
  DeliveredBeforeRollback() : RollbackTest(ledger::PaymentMode::result_first) {}
};

TEST_F(DeliveredBeforeRollback, WhatIsPaidForADeliveredResultIsEarned) {
  shop->ask(1);
  take_over();
  give(confirmed());
  EXPECT_EQ(state(job), State::delivered_unpaid);
  give(payment());
  EXPECT_EQ(state(job), State::settled);
  EXPECT_EQ(still_owed(job), Msat{});
}

TEST_F(DeliveredBeforeRollback, ItIsNoDefaultOfTheCustomersAndNoOtherInvoiceIsMade) {
  policy.renew_invoices = true;
  shop.emplace(policy);
  shop->ask(1);
  take_over();
  give(confirmed());
  give(NeverPaid{job.id, {.payment_hash = job.invoices.at(0).issued.payment_hash, .evidence = "expired"}});
  EXPECT_EQ(unpaid_by_default(job), Msat{});
  EXPECT_FALSE(renewal_due(job));
  EXPECT_FALSE(is_open(job));
}

}  // namespace
}  // namespace core
