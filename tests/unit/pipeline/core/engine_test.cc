// A job's life, from the engine's point of view: what is due when, and what is never done twice.
#include "pipeline/core/engine.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/core/engine_driver.h"

namespace core {
namespace {

using ledger::DeclineReason;
using ledger::InferenceFailure;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

Policy payment_first_policy() {
  Policy policy = EngineDriver::policy();
  policy.payment_mode = ledger::PaymentMode::payment_first;
  return policy;
}

TEST(ResultFirst, ASaleIsTwelveFacts) {
  EngineDriver shop(EngineDriver::policy());
  shop.ask(1);
  EXPECT_EQ(state(shop.job(1)), State::delivered_unpaid);
  shop.pay(1);
  EXPECT_EQ(state(shop.job(1)), State::settled);
  EXPECT_EQ(shop.types(1).size(), 12u);
  EXPECT_THAT(shop.notices(1), ElementsAre(NoticePurpose::processing, NoticePurpose::result, NoticePurpose::success));
}

TEST(ResultFirst, IsBilledForTheTokensReallyUsedAndNeverAboveTheQuote) {
  EngineDriver shop(EngineDriver::policy());
  const Job job = shop.ask(1);
  EXPECT_EQ(job.quote->price, Msat{7000});               // 1 + 0.02 + 5 sat for the cap of 500 tokens, rounded up
  EXPECT_EQ(job.invoices[0].issued.amount, Msat{3000});  // 100 tokens came
}

TEST(ResultFirst, TheInvoiceIsRevealedOnlyByTheSignedResult) {
  EngineDriver shop(EngineDriver::policy());
  shop.ask(1);
  Job job;
  for (const auto& entry : shop.entries) {
    if (entry.job != EngineDriver::id(1)) continue;
    evolve(job, entry.job, entry.time, entry.fact);
    if (!job.invoices.empty()) {
      EXPECT_EQ(job.invoices[0].revealed, find_notice(job, NoticePurpose::result) != nullptr);
    }
  }
}

TEST(PaymentFirst, NothingRunsBeforeThePayment) {
  EngineDriver shop(payment_first_policy());
  shop.ask(1);
  EXPECT_EQ(state(shop.job(1)), State::awaiting_payment);
  EXPECT_THAT(shop.notices(1), ElementsAre(NoticePurpose::payment_required));
  EXPECT_THAT(shop.types(1), Not(Contains("InferenceStarted")));
  shop.pay(1);
  EXPECT_EQ(state(shop.job(1)), State::settled);
  EXPECT_THAT(shop.notices(1), ElementsAre(NoticePurpose::payment_required, NoticePurpose::processing,
                                           NoticePurpose::result, NoticePurpose::success));
  EXPECT_EQ(shop.job(1).invoices.size(), 1u);
}

TEST(PaymentFirst, AnUnpaidInvoiceEndsTheJobWhenTheWalletSaysSo) {
  EngineDriver shop(payment_first_policy());
  shop.ask(1);
  shop.invoice_never_paid(1);
  EXPECT_EQ(state(shop.job(1)), State::expired);
  EXPECT_THAT(shop.notices(1), Contains(NoticePurpose::error));
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
}

TEST(PaymentFirst, SettlementWinsEvenAfterExpiry) {
  EngineDriver shop(payment_first_policy());
  auto request = shop.request();
  request.expires_at = shop.now + 5'000;
  shop.ask(1, request);
  shop.wait(6'000);
  EXPECT_EQ(state(shop.job(1)), State::expired);
  shop.pay(1);
  EXPECT_EQ(state(shop.job(1)), State::settled);
}

TEST(Free, NoInvoiceIsMade) {
  Policy policy = EngineDriver::policy();
  policy.models[0].base = policy.models[0].input_per_1k_tokens = policy.models[0].output_per_1k_tokens = Msat{};
  EngineDriver shop(policy);
  shop.ask(1);
  EXPECT_EQ(state(shop.job(1)), State::delivered_free);
  EXPECT_THAT(shop.types(1), Not(Contains("InvoiceIssued")));
}

TEST(Inference, IsTriedAgainAfterAFailureThatMayPassWithBackOffInTheFact) {
  EngineDriver shop(EngineDriver::policy());
  shop.inference_fails = InferenceFailure::cut_off;
  shop.ask(1);
  EXPECT_EQ(shop.job(1).inference_failed->retry_at, shop.now + 2'000);
  shop.wait(2'000);
  EXPECT_EQ(shop.job(1).inference_failed->retry_at, shop.now + 4'000);
  shop.inference_fails.reset();
  shop.wait(4'000);
  EXPECT_EQ(state(shop.job(1)), State::delivered_unpaid);
  EXPECT_EQ(shop.job(1).completion->attempt, 3u);
}

TEST(Inference, GivesUpAtOnceWhenTheSameRequestMustFailAgain) {
  EngineDriver shop(EngineDriver::policy());
  shop.inference_fails = InferenceFailure::unknown_model;
  shop.ask(1);
  EXPECT_EQ(state(shop.job(1)), State::failed);
  EXPECT_THAT(shop.notices(1), ElementsAre(NoticePurpose::processing, NoticePurpose::error));
  EXPECT_EQ(shop.engine().shop().total_exposure, Msat{});
}

TEST(Inference, AnAnswerWithoutTextIsNotTriedAgainAndNothingIsBilled) {
  EngineDriver shop(EngineDriver::policy());
  shop.inference_fails = InferenceFailure::empty;
  shop.ask(1);
  const Job job = shop.job(1);
  EXPECT_EQ(state(job), State::failed);
  EXPECT_EQ(job.inference_failed->failure, InferenceFailure::empty);
  EXPECT_EQ(job.inference_failures, 1U);
  EXPECT_TRUE(job.invoices.empty());
  EXPECT_THAT(shop.notices(1), ElementsAre(NoticePurpose::processing, NoticePurpose::error));
  EXPECT_EQ(shop.engine().shop().total_exposure, Msat{});
  EXPECT_EQ(shop.engine().open_jobs(), 0U);
}

TEST(Inference, APaidJobThatCannotBeServedIsOwedBack) {
  for (const InferenceFailure failure : {InferenceFailure::rejected, InferenceFailure::empty}) {
    EngineDriver shop(payment_first_policy());
    shop.inference_fails = failure;
    shop.ask(1);
    shop.pay(1);
    const Job job = shop.job(1);
    EXPECT_EQ(state(job), State::refund_owed);
    EXPECT_EQ(job.refunds[0].owed.amount, job.invoices[0].issued.amount);
  }
}

TEST(Slots, OneRunsTheOthersWaitInOrderAndTheQueueIsBounded) {
  Policy policy = EngineDriver::policy();
  policy.stranger_pool = Msat{100'000};
  EngineDriver shop(policy);
  shop.hold_inference = true;
  for (std::uint8_t n = 1; n <= 3; ++n) shop.ask(n);
  EXPECT_EQ(shop.engine().shop().slots_busy, 1u);
  EXPECT_EQ(shop.engine().shop().queued, 2u);
  EXPECT_EQ(shop.ask(4).declined->reason, DeclineReason::busy);
  shop.release_inference();
  for (std::uint8_t n = 1; n <= 3; ++n) EXPECT_TRUE(shop.job(n).completion) << int{n};
  EXPECT_EQ(shop.engine().shop().slots_busy, 0u);
}

// Fresh keys together may take 20 sat of its pool; a quote is 7.
Policy small_pool() {
  Policy out = EngineDriver::policy();
  out.stranger_pool = Msat{40'000};
  return out;
}

TEST(Exposure, StrangersShareAPoolAndThenPayFirst) {
  EngineDriver shop(small_pool());
  const auto left = [&] { return stranger_pool_left(shop.engine().shop(), shop.engine().policy(), shop.now); };
  const Msat whole = left();
  EXPECT_EQ(whole, Msat{share_of_class(small_pool().stranger_pool.value, Standing::fresh)});
  EXPECT_EQ(shop.ask(1).quote->payment_mode, ledger::PaymentMode::result_first);
  EXPECT_EQ(left(), whole - shop.job(1).quote->price);
  EXPECT_EQ(shop.ask(2, shop.request(8)).quote->payment_mode, ledger::PaymentMode::result_first);
  EXPECT_EQ(shop.ask(3, shop.request(9)).quote->payment_mode, ledger::PaymentMode::payment_first);
  EXPECT_LT(left(), shop.job(3).quote->price);
  shop.wait(3'600'000);
  EXPECT_EQ(left(), whole);
  EXPECT_EQ(shop.ask(4, shop.request(10)).quote->payment_mode, ledger::PaymentMode::result_first);
}

TEST(Exposure, IsFreedBySettlementAndByExpiryAndNeverNegative) {
  EngineDriver shop(EngineDriver::policy());
  shop.ask(1);
  shop.ask(2, shop.request(8));
  EXPECT_EQ(shop.engine().shop().total_exposure, Msat{6000});  // what is invoiced, no longer what was quoted
  shop.pay(1);
  EXPECT_EQ(shop.engine().shop().total_exposure, Msat{3000});
  shop.invoice_never_paid(2);
  EXPECT_EQ(shop.engine().shop().total_exposure, Msat{});
}

TEST(Exposure, ACustomersCreditIsAShareOfWhatTheySettled) {
  EngineDriver shop(EngineDriver::policy());
  shop.ask(1);
  shop.pay(1);  // 3 sat: credit 0.6 sat
  const Job job = shop.ask(2);
  EXPECT_FALSE(job.quote->basis.stranger);
  EXPECT_EQ(job.quote->basis.customer_credit, Msat{600});
}

TEST(Exposure, WhatCreditDoesNotCoverIsTakenFromTheStrangersPool) {
  EngineDriver shop(small_pool());
  shop.ask(1);
  shop.pay(1);
  const Job small_credit = shop.ask(2);
  EXPECT_EQ(small_credit.quote->payment_mode, ledger::PaymentMode::result_first) << "having paid is no disadvantage";
  EXPECT_FALSE(may_stream(small_credit)) << "what is shown early is shown on credit only";
  const Job stranger = shop.ask(3, shop.request(8));
  EXPECT_EQ(stranger.quote->basis.stranger_pool_left, Msat{6'000}) << "both took from it";
  EXPECT_EQ(stranger.quote->payment_mode, ledger::PaymentMode::payment_first);
}

TEST(Exposure, CreditLeavesThePoolToStrangers) {
  EngineDriver shop(small_pool());
  for (std::uint8_t n = 1; n <= 12; ++n) {  // 36 sat settled, a fifth of it is credit
    shop.ask(n);
    shop.pay(n);
  }
  shop.wait(3'600'000);  // the pool is whole again
  EXPECT_EQ(shop.ask(13).quote->payment_mode, ledger::PaymentMode::result_first);
  EXPECT_EQ(shop.ask(14, shop.request(8)).quote->basis.stranger_pool_left, Msat{20'000});
}

TEST(Delivery, AfterTheDeadlineAnUndeliveredNoticeIsClosed) {
  EngineDriver shop(EngineDriver::policy());
  shop.relays_accept = false;
  shop.ask(1);
  EXPECT_EQ(state(shop.job(1)), State::delivering);
  shop.wait(3'600'000);
  EXPECT_EQ(state(shop.job(1)), State::undelivered);
}

TEST(Wallet, AFailedInvoiceIsOrderedAgainAsTheSameOne) {
  EngineDriver shop(EngineDriver::policy());
  shop.wallet_creates = false;
  shop.ask(1);
  EXPECT_EQ(shop.job(1).invoice_failed->retry_at, shop.now + 1'000);
  shop.wallet_creates = true;
  shop.wait(1'000);
  EXPECT_EQ(state(shop.job(1)), State::delivered_unpaid);
  EXPECT_EQ(shop.job(1).invoices[0].issued.attempt, 1u);
}

TEST(Delivery, APaidResultThatNoRelayTakesIsOwedBack) {
  EngineDriver shop(payment_first_policy());
  shop.ask(1);
  shop.relays_accept = false;
  shop.pay(1);
  shop.wait(3'600'000);
  EXPECT_EQ(state(shop.job(1)), State::refund_owed);
}

TEST(Wallet, AnInvoiceThatExpiredUnseenIsReplacedByAnother) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_signing = true;
  shop.ask(1);
  shop.hold_signing = false;
  shop.now = shop.now + 3'000'000;  // down for longer than the invoice lives
  shop.restart(EngineDriver::policy(), shop.job(1));
  const Job job = shop.job(1);
  ASSERT_EQ(job.invoices.size(), 2u);
  EXPECT_FALSE(job.invoices[0].revealed);
  EXPECT_TRUE(job.invoices[1].revealed);
  EXPECT_EQ(job.invoices[1].issued.attempt, 2u);
  EXPECT_EQ(state(job), State::delivered_unpaid);
}

TEST(Wallet, WithoutAnyInvoiceTheResultIsNotGivenAway) {
  EngineDriver shop(EngineDriver::policy());
  shop.wallet_creates = false;
  shop.ask(1);
  shop.wait(60'000);
  EXPECT_EQ(state(shop.job(1)), State::failed);
  EXPECT_THAT(shop.notices(1), ElementsAre(NoticePurpose::processing, NoticePurpose::error));
}

TEST(Wallet, GivesUpWhenNoOtherInvoiceComesForOneThatExpiredUnseen) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_signing = true;
  shop.ask(1);
  shop.hold_signing = false;
  shop.wallet_creates = false;
  shop.now = shop.now + 3'000'000;
  shop.restart(EngineDriver::policy(), shop.job(1));
  shop.wait(60'000);
  const Job job = shop.job(1);
  EXPECT_EQ(job.invoice_failures, 3u);
  EXPECT_EQ(state(job), State::failed);
  EXPECT_THAT(shop.notices(1), ElementsAre(NoticePurpose::error));
}

TEST(Repetition, TheSameRequestTwiceIsOneJob) {
  EngineDriver shop(payment_first_policy());
  shop.ask(1);
  const std::size_t before = shop.entries.size();
  shop.ask(1);
  EXPECT_EQ(shop.entries.size(), before);
}

TEST(Repetition, ASettlementToldTwiceIsOneFact) {
  EngineDriver shop(EngineDriver::policy());
  shop.ask(1);
  shop.pay(1);
  shop.pay(1);
  EXPECT_EQ(shop.types(1).size(), 12u);
  EXPECT_EQ(settled_amount(shop.job(1)), Msat{3000});
}

TEST(Drain, NoModelIsStartedUntilWeAreOnlineAgain) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_inference = true;
  shop.ask(1);
  shop.ask(2, shop.request(8));
  EXPECT_EQ(shop.engine().in_flight(Action::infer), 1u) << "one runs, one waits for its slot";
  shop.give(Draining{});
  shop.release_inference();
  EXPECT_EQ(shop.engine().in_flight(Action::infer), 0u);
  EXPECT_EQ(state(shop.job(1)), State::delivered_unpaid) << "what was started is finished";
  EXPECT_EQ(state(shop.job(2)), State::working);
  shop.give(Offline{"told so"});
  shop.give(Tick{});
  EXPECT_EQ(state(shop.job(2)), State::working);
  shop.give(Online{"test"});
  EXPECT_EQ(state(shop.job(2)), State::delivered_unpaid);
}

TEST(Recovery, AtAnyPointTheRestOfTheJobFollowsFromItsFactsAlone) {
  for (const Policy& policy : {EngineDriver::policy(), payment_first_policy()}) {
    EngineDriver whole(policy);
    whole.ask(1);
    whole.pay(1);
    for (std::size_t cut = 2; cut < whole.entries.size(); ++cut) {
      EngineDriver again(policy);
      again.entries.assign(whole.entries.begin(), whole.entries.begin() + static_cast<std::ptrdiff_t>(cut));
      again.restart(policy, again.job(1));
      if (!paid(again.job(1))) again.pay(1);
      EXPECT_EQ(state(again.job(1)), State::settled) << "cut before entry " << cut;
      EXPECT_EQ(again.job(1).invoices.size(), 1u);
      EXPECT_EQ(again.engine().open_jobs(), 0u);
      EXPECT_EQ(again.engine().shop().total_exposure, Msat{});
    }
  }
}

// The ledger is input: whatever jobs it holds, a start does not end the process.
TEST(Engine, AJobThatOnlyWaitsForItsPaymentIsNotUnfinished) {
  EngineDriver first(payment_first_policy());
  first.hold_inference = true;
  first.ask(1);
  EXPECT_EQ(first.engine().open_jobs(), 1u);
  EXPECT_EQ(first.engine().unfinished_jobs(), 0u) << "it waits for the customer";
  first.pay(1);
  EXPECT_EQ(first.engine().unfinished_jobs(), 1u) << "it waits for the model";
  first.restart(payment_first_policy(), first.job(1));
  EXPECT_EQ(first.engine().unfinished_jobs(), 1u) << "a restart does not forget it";

  EngineDriver later(EngineDriver::policy());
  later.ask(1);
  EXPECT_EQ(state(later.job(1)), State::delivered_unpaid);
  EXPECT_EQ(later.engine().open_jobs(), 1u);
  EXPECT_EQ(later.engine().unfinished_jobs(), 0u);
}

TEST(Engine, AJobWithoutARequestIsLeftAlone) {
  EngineDriver shop(EngineDriver::policy());
  Job job{.id = EngineDriver::id(1)};
  job.quote = ledger::JobQuoted{.price = Msat{1000}};
  shop.restart(EngineDriver::policy(), job);
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
  EXPECT_EQ(shop.engine().shop().total_exposure, Msat{});
}

TEST(Engine, APriceBelowZeroIsNoExposure) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_inference = true;
  Job job{.id = EngineDriver::id(1)};
  job.request = shop.request();
  job.quote = ledger::JobQuoted{.price = Msat{-1000}, .payment_mode = ledger::PaymentMode::result_first};
  shop.restart(EngineDriver::policy(), job);
  EXPECT_EQ(shop.engine().open_jobs(), 1u);
  EXPECT_EQ(shop.engine().shop().total_exposure, Msat{});
}

}  // namespace
}  // namespace core
