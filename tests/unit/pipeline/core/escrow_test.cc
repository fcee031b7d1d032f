// Payment in escrow: held while the model works, taken when the signed result is durable, given back when there is
// none.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/core/stages/stage.h"
#include "tests/unit/pipeline/core/engine_driver.h"

namespace core {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::Not;

Policy escrow_policy() {
  Policy policy = EngineDriver::policy();
  policy.payment_mode = ledger::PaymentMode::escrow;
  policy.inference_attempts = 1;
  return policy;
}

Work about_invoice(Action action) {
  return {.action = action};
}

TEST(Escrow, NothingRunsBeforeThePaymentIsHeld) {
  EngineDriver shop(escrow_policy());
  shop.ask(1);
  EXPECT_EQ(state(shop.job(1)), State::awaiting_payment);
  EXPECT_TRUE(shop.job(1).invoices[0].issued.hold);
  EXPECT_THAT(shop.types(1), Not(Contains("InferenceStarted")));
}

TEST(Escrow, ThePaymentIsTakenWhenTheResultIsSignedAndThenItIsPublished) {
  EngineDriver shop(escrow_policy());
  shop.ask(1);
  shop.hold(1);
  const Job job = shop.job(1);
  EXPECT_TRUE(find_notice(job, NoticePurpose::result));
  EXPECT_FALSE(find_notice(job, NoticePurpose::result)->delivered) << "not before the money is ours";
  EXPECT_THAT(shop.holds, ElementsAre(about_invoice(Action::take)));
  shop.pay(1);
  EXPECT_EQ(state(shop.job(1)), State::settled);
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
}

TEST(Escrow, NoMoreIsOwedBackThanTheWalletReceived) {
  EngineDriver shop(escrow_policy());
  shop.hold_inference = true;
  shop.ask(1);
  shop.hold(1);
  shop.give(Cancelled{.job = EngineDriver::id(1),
                      .cancellation = {.by = ledger::CancelledBy::customer},
                      .shown = Answer{.completion = {.attempt = 1, .output_tokens = 1, .partials = 1}, .result = {}}});
  const Msat received{1000};  // the wallet kept, or lost, most of what it held
  shop.give(Settled{EngineDriver::id(1),
                    {.payment_hash = shop.job(1).invoices[0].issued.payment_hash, .received = received}});
  const Job job = shop.job(1);
  ASSERT_GT(job.quote->price - amount_used(job), received);
  ASSERT_EQ(job.refunds.size(), 1u);
  EXPECT_EQ(job.refunds[0].owed.amount, received);
}

TEST(Escrow, WhatCannotBeServedIsGivenBackAndNothingIsOwed) {
  for (const auto failure : {ledger::InferenceFailure::rejected, ledger::InferenceFailure::empty}) {
    EngineDriver shop(escrow_policy());
    shop.inference_fails = failure;
    shop.ask(1);
    shop.hold(1);
    EXPECT_THAT(shop.holds, ElementsAre(about_invoice(Action::give_back)));
    shop.invoice_never_paid(1);
    EXPECT_EQ(state(shop.job(1)), State::failed);
    EXPECT_EQ(shop.job(1).refunds.size(), 0u);
    EXPECT_EQ(shop.engine().open_jobs(), 0u);
  }
}

TEST(Escrow, ACustomerWhoCancelsGetsItBack) {
  EngineDriver shop(escrow_policy());
  shop.hold_inference = true;
  shop.ask(1);
  shop.hold(1);
  shop.give(Cancelled{.job = EngineDriver::id(1), .cancellation = {.by = ledger::CancelledBy::customer}});
  EXPECT_THAT(shop.holds, ElementsAre(about_invoice(Action::give_back)));
  EXPECT_EQ(state(shop.job(1)), State::cancelled);
}

TEST(Escrow, AnInvoiceOfAnEndedJobCanBePaidNoMore) {
  EngineDriver shop(escrow_policy());
  shop.ask(1);
  shop.give(Cancelled{.job = EngineDriver::id(1), .cancellation = {.by = ledger::CancelledBy::customer}});
  EXPECT_THAT(shop.holds, ElementsAre(about_invoice(Action::give_back)));
}

TEST(Escrow, WhatIsTakenAllTheSameIsOwedBack) {
  EngineDriver shop(escrow_policy());
  shop.inference_fails = ledger::InferenceFailure::rejected;
  shop.ask(1);
  shop.hold(1);
  shop.pay(1);
  EXPECT_EQ(state(shop.job(1)), State::refund_owed);
}

TEST(Escrow, APaymentThatWentBackEndsTheJobAndItsResultIsNotPublished) {
  EngineDriver shop(escrow_policy());
  shop.ask(1);
  shop.hold(1);
  shop.invoice_never_paid(1);
  EXPECT_EQ(state(shop.job(1)), State::expired);
  EXPECT_FALSE(find_notice(shop.job(1), NoticePurpose::result)->delivered);
  EXPECT_THAT(shop.notices(1), Contains(NoticePurpose::error));
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
}

TEST(Escrow, AnAnswerToAPaymentThatWentBackMeanwhileIsNotTaken) {
  EngineDriver shop(escrow_policy());
  shop.hold_inference = true;
  shop.ask(1);
  shop.hold(1);
  shop.invoice_never_paid(1);
  shop.release_inference();
  EXPECT_EQ(state(shop.job(1)), State::expired);
  EXPECT_FALSE(shop.job(1).completion);
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
}

TEST(Escrow, WhatWaitsTooLongIsGivenBackLongBeforeTheNetworkWouldDoIt) {
  EngineDriver shop(escrow_policy());
  shop.hold_inference = true;
  shop.ask(1);
  shop.hold(1);
  shop.ask(2);
  shop.hold(2);
  shop.wait(2LL * 60 * 60 * 1000);
  EXPECT_EQ(state(shop.job(2)), State::expired) << "no slot in all that time";
  EXPECT_EQ(state(shop.job(1)), State::working) << "what runs is not cut off";
  EXPECT_THAT(shop.holds, ElementsAre(about_invoice(Action::give_back)));
}

TEST(Escrow, AResultWhosePaymentWasTakenLateIsStillPublished) {
  EngineDriver shop(escrow_policy());
  shop.ask(1);
  shop.hold(1);
  shop.wait(20LL * 60 * 60 * 1000);  // the wallet was away: longer than a notice is tried
  shop.pay(1);
  EXPECT_EQ(state(shop.job(1)), State::settled);
}

TEST(Escrow, TheEndOfAnotherInvoiceStopsNothing) {
  EngineDriver shop(escrow_policy());
  shop.hold_inference = true;
  shop.ask(1);
  shop.hold(1);
  ledger::InvoiceIssued orphan = shop.job(1).invoices[0].issued;
  orphan.payment_hash = base::sha256("orphan");
  Job job = shop.job(1);
  job.invoices.insert(job.invoices.begin(), Invoice{.issued = orphan});
  shop.restart(escrow_policy(), job);
  shop.give(NeverPaid{EngineDriver::id(1), {.payment_hash = orphan.payment_hash}});
  EXPECT_EQ(shop.engine().shop().slots_busy, 1u);
  shop.release_inference();
  EXPECT_TRUE(shop.engine().find(EngineDriver::id(1))->completion);
}

TEST(Escrow, AfterARestartItIsStillTaken) {
  EngineDriver shop(escrow_policy());
  shop.ask(1);
  shop.hold(1);
  shop.holds.clear();
  shop.restart(escrow_policy(), shop.job(1));
  EXPECT_THAT(shop.holds, ElementsAre(about_invoice(Action::take)));
}

}  // namespace
}  // namespace core
