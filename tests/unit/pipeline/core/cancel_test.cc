// A customer takes a request back, or we give a job up: what becomes of it in each of its states, and who owes whom.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/core/engine_driver.h"

namespace core {
namespace {

using ledger::CancelledBy;
using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::Not;
using testing::SizeIs;

Policy pays_first() {
  Policy policy = EngineDriver::policy();
  policy.payment_mode = ledger::PaymentMode::payment_first;
  return policy;
}

Cancelled cancel(std::uint8_t n, CancelledBy by = CancelledBy::customer) {
  return {.job = EngineDriver::id(n), .cancellation = {.by = by}};
}

// The model had made 40 tokens of the answer, and the customer had seen some of them.
Cancelled cancel_with_parts_seen(std::uint8_t n) {
  Cancelled out = cancel(n);
  out.shown = {.completion = {.attempt = 1, .input_tokens = 18, .output_tokens = 40, .partials = 2}};
  return out;
}

void expect_ignored(EngineDriver& shop, Cancelled too_late) {
  const auto before = shop.entries.size();
  shop.give(std::move(too_late));
  EXPECT_EQ(shop.entries.size(), before);
}

TEST(Cancel, WaitingForASlotEndsAndLeavesTheQueue) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_inference = true;
  shop.ask(1);
  shop.ask(2);
  shop.give(cancel(2));
  EXPECT_EQ(state(shop.job(2)), State::cancelled);
  EXPECT_THAT(shop.notices(2), Contains(NoticePurpose::error)) << "what is owed is told";
  EXPECT_EQ(shop.engine().shop().queued, 0u);
  EXPECT_EQ(shop.engine().shop().total_exposure, shop.job(1).quote->price);
  EXPECT_EQ(shop.engine().find(EngineDriver::id(2)), nullptr) << "nothing of it is left in memory";
}

TEST(Cancel, WhileItsInputsAreGatheredItIsNeitherQuotedNorDeclined) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_inputs = true;
  auto request = shop.request();
  request.sources = {{.type = ledger::InputType::url, .data = "https://example.com/page"}};
  shop.ask(1, request);
  shop.give(cancel(1));
  shop.give(InputsReady{EngineDriver::id(1), {.action = Action::gather}, {}, {}});
  EXPECT_THAT(shop.types(1), ElementsAre("JobRequested", "JobCancelled", "NoticeSigned", "NoticePublished"));
  EXPECT_EQ(state(shop.job(1)), State::cancelled);
}

TEST(Cancel, WhileItRunsFreesTheSlotForTheNext) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_inference = true;
  shop.ask(1);
  shop.ask(2);
  shop.give(cancel(1));
  EXPECT_EQ(state(shop.job(1)), State::cancelled);
  EXPECT_EQ(shop.engine().shop().slots_busy, 1u);
  EXPECT_EQ(shop.job(2).inference_started, 1u);
  shop.release_inference();
  EXPECT_FALSE(shop.job(1).completion) << "an answer that comes too late is not taken";
  EXPECT_THAT(shop.job(1).invoices, IsEmpty());
  EXPECT_EQ(state(shop.job(2)), State::delivered_unpaid);
}

TEST(Cancel, AnsweredAndNotYetInvoicedCostsNothingWhenNothingWasSeen) {
  EngineDriver shop(EngineDriver::policy());
  shop.wallet_creates = false;
  shop.ask(1);
  ASSERT_EQ(state(shop.job(1)), State::invoicing);
  shop.give(cancel(1));
  shop.wallet_creates = true;
  shop.wait(60'000);
  EXPECT_EQ(state(shop.job(1)), State::cancelled);
  EXPECT_THAT(shop.notices(1), Not(Contains(NoticePurpose::result)));
  EXPECT_EQ(shop.engine().shop().total_exposure, Msat{});
}

TEST(Cancel, BetweenTheInvoiceAndItsSignatureShowsNoInvoice) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_inference = true;
  shop.ask(1);
  shop.hold_signing = true;
  shop.release_inference();
  ASSERT_THAT(shop.job(1).invoices, SizeIs(1));
  shop.give(cancel(1));
  shop.give(NoticeReady{EngineDriver::id(1),
                        {.action = Action::sign, .purpose = NoticePurpose::result},
                        {.purpose = NoticePurpose::result},
                        {}});
  EXPECT_THAT(shop.notices(1), Not(Contains(NoticePurpose::result))) << "signed too late";
  EXPECT_EQ(state(shop.job(1)), State::cancelled);
}

TEST(Cancel, AfterPartsWereSeenTheAnswerEndsThereAndCostsWhatWasMade) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_inference = true;
  shop.ask(1);
  shop.give(cancel_with_parts_seen(1));
  const Job job = shop.job(1);
  EXPECT_EQ(state(job), State::delivered_unpaid);
  EXPECT_LT(job.invoices.at(0).issued.amount, job.quote->price);
  EXPECT_EQ(job.invoices.at(0).issued.amount, amount_used(job));
  shop.pay(1);
  EXPECT_EQ(state(shop.job(1)), State::settled);
}

TEST(Cancel, BeforeThePaymentThatComesFirstAPaymentAfterAllIsOwedBack) {
  EngineDriver shop(pays_first());
  shop.ask(1);
  shop.give(cancel(1));
  EXPECT_EQ(state(shop.job(1)), State::cancelled);
  EXPECT_EQ(shop.engine().shop().offers.size(), 0u);
  shop.pay(1);
  const Job job = shop.job(1);
  EXPECT_EQ(state(job), State::refund_owed);
  EXPECT_EQ(job.refunds.at(0).owed.amount, job.invoices.at(0).issued.amount);
  EXPECT_FALSE(job.inference_started);
}

TEST(Cancel, PaidAndRunningIsOwedBackWhole) {
  EngineDriver shop(pays_first());
  shop.hold_inference = true;
  shop.ask(1);
  shop.pay(1);
  shop.give(cancel(1));
  EXPECT_EQ(shop.job(1).refunds.at(0).owed.amount, shop.job(1).invoices.at(0).issued.amount);
}

TEST(Cancel, PaidAndPartlySeenIsOwedBackWhatWasNotMade) {
  EngineDriver shop(pays_first());
  shop.hold_inference = true;
  shop.ask(1);
  shop.pay(1);
  shop.give(cancel_with_parts_seen(1));
  const Job job = shop.job(1);
  EXPECT_THAT(shop.notices(1), Contains(NoticePurpose::result));
  EXPECT_EQ(job.refunds.at(0).owed.amount, job.quote->price - amount_used(job));
  EXPECT_GT(amount_used(job), Msat{});
}

TEST(Cancel, PaidPartlySeenAndUndeliverableIsOwedBackWhole) {
  EngineDriver shop(pays_first());
  shop.hold_inference = true;
  shop.ask(1);
  shop.pay(1);
  shop.relays_accept = false;
  shop.give(cancel_with_parts_seen(1));
  EXPECT_THAT(shop.job(1).refunds, IsEmpty()) << "a relay may still take it";
  shop.wait(3'600'000);
  EXPECT_EQ(shop.job(1).refunds.at(0).owed.amount, shop.job(1).invoices.at(0).issued.amount);
}

TEST(Cancel, IsTooLateOnceTheResultIsSigned) {
  EngineDriver shop(EngineDriver::policy());
  shop.relays_accept = false;
  shop.ask(1);
  ASSERT_EQ(state(shop.job(1)), State::delivering);
  expect_ignored(shop, cancel(1));
}

TEST(Cancel, OfAJobThatHasEndedChangesNothing) {
  EngineDriver shop(EngineDriver::policy());
  shop.inference_fails = ledger::InferenceFailure::rejected;
  shop.ask(1);
  ASSERT_EQ(state(shop.job(1)), State::failed);
  expect_ignored(shop, cancel(1));
}

TEST(Cancel, ASecondTimeChangesNothing) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_inference = true;
  shop.ask(1);
  shop.give(cancel(1));
  expect_ignored(shop, cancel(1));
}

TEST(Cancel, ByUsNeverCostsTheCustomerAnything) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_inference = true;
  shop.ask(1);
  Cancelled ours = cancel_with_parts_seen(1);
  ours.cancellation.by = CancelledBy::provider;
  shop.give(std::move(ours));
  EXPECT_EQ(state(shop.job(1)), State::cancelled);
  EXPECT_THAT(shop.job(1).invoices, IsEmpty());
}

TEST(Cancel, SurvivesARestart) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_inference = true;
  shop.ask(1);
  shop.hold_signing = true;
  shop.give(cancel(1));
  shop.hold_signing = false;
  shop.restart(EngineDriver::policy(), shop.job(1));
  EXPECT_EQ(state(shop.job(1)), State::cancelled);
  EXPECT_THAT(shop.notices(1), Contains(NoticePurpose::error));
  EXPECT_EQ(shop.job(1).inference_started, 1u) << "not started again";
}

TEST(Cancel, TheJobsThatCanBeCancelledAreThoseNotYetSigned) {
  EngineDriver shop(pays_first());
  shop.ask(1);
  shop.wait(1'000);
  shop.ask(2);
  EXPECT_THAT(shop.engine().cancellable_jobs(9), ElementsAre(EngineDriver::id(2), EngineDriver::id(1)));
  EXPECT_THAT(shop.engine().cancellable_jobs(1), ElementsAre(EngineDriver::id(2)));
  shop.pay(1);
  EXPECT_THAT(shop.engine().cancellable_jobs(9), ElementsAre(EngineDriver::id(2)));
}

}  // namespace
}  // namespace core
