// Payments that are not what the invoice asked for, and invoices that take the place of one that expired.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/core/stages/stage.h"
#include "tests/unit/pipeline/core/engine_driver.h"

namespace core {
namespace {

using testing::Contains;
using testing::Not;

Policy payment_policy(ledger::PaymentMode mode) {
  Policy policy = EngineDriver::policy();
  policy.payment_mode = mode;
  return policy;
}

Policy renewing_policy() {
  Policy policy = EngineDriver::policy();
  policy.renew_invoices = true;
  return policy;
}

// As the wallet tells it: so much more or less than was asked, so long after the invoice was made.
void pay_with(EngineDriver& shop, const Invoice& invoice, std::int64_t more_msat, std::int64_t after_ms = 0) {
  shop.give(Settled{EngineDriver::id(1),
                    {.payment_hash = invoice.issued.payment_hash,
                     .received = Msat{invoice.issued.amount.value + more_msat},
                     .settled_at = shop.now + after_ms}});
}

PaymentRemarks remarks_of_first(const EngineDriver& shop) {
  const Job job = shop.job(1);
  return remarks(job, job.invoices.front());
}

TEST(Payment, ExactlyWhatWasAskedNeedsNoRemark) {
  EngineDriver shop(payment_policy(ledger::PaymentMode::result_first));
  pay_with(shop, shop.ask(1).invoices.front(), 0);
  EXPECT_EQ(remarks_of_first(shop).missing, Msat{});
  EXPECT_EQ(remarks_of_first(shop).beyond, Msat{});
  EXPECT_FALSE(remarks_of_first(shop).late);
  EXPECT_FALSE(remarks_of_first(shop).again);
}

TEST(Payment, WhatTheWalletTookAsItsFeeIsNotMissing) {
  EngineDriver shop(payment_policy(ledger::PaymentMode::payment_first));
  const Invoice invoice = shop.ask(1).invoices.front();
  shop.give(Settled{EngineDriver::id(1),
                    {.payment_hash = invoice.issued.payment_hash,
                     .received = invoice.issued.amount,
                     .fee = Msat{400},
                     .settled_at = shop.now}});
  EXPECT_EQ(remarks_of_first(shop).missing, Msat{});
  EXPECT_EQ(state(shop.job(1)), State::settled);
}

TEST(Payment, MoreThanWasAskedIsKeptAndSaid) {
  EngineDriver shop(payment_policy(ledger::PaymentMode::payment_first));
  const Invoice invoice = shop.ask(1).invoices.front();
  pay_with(shop, invoice, 500);
  EXPECT_EQ(remarks_of_first(shop).beyond, Msat{500});
  EXPECT_EQ(state(shop.job(1)), State::settled);
  EXPECT_EQ(earned(shop.job(1)), invoice.issued.amount + Msat{500});
}

TEST(Payment, LessThanWasAskedAfterTheResultIsEarnedAndSaid) {
  EngineDriver shop(payment_policy(ledger::PaymentMode::result_first));
  pay_with(shop, shop.ask(1).invoices.front(), -500);
  EXPECT_EQ(remarks_of_first(shop).missing, Msat{500});
  EXPECT_EQ(state(shop.job(1)), State::settled);
}

TEST(Payment, LessThanWasAskedBeforehandBuysNothingAndIsOwedBack) {
  EngineDriver shop(payment_policy(ledger::PaymentMode::payment_first));
  const Invoice invoice = shop.ask(1).invoices.front();
  pay_with(shop, invoice, -500);
  const Job job = shop.job(1);
  EXPECT_THAT(shop.types(1), Not(Contains("InferenceStarted")));
  EXPECT_EQ(state(job), State::refund_owed);
  EXPECT_EQ(still_owed(job), invoice.issued.amount - Msat{500});
  EXPECT_EQ(job.refunds[0].owed.reason, "paid less than was asked");
  EXPECT_THAT(shop.notices(1), Contains(NoticePurpose::error)) << "the customer is told";
}

TEST(Payment, LessThanWasAskedInEscrowGoesBack) {
  EngineDriver shop(payment_policy(ledger::PaymentMode::escrow));
  const Invoice invoice = shop.ask(1).invoices.front();
  shop.give(PaymentHeld{EngineDriver::id(1),
                        {.payment_hash = invoice.issued.payment_hash, .amount = invoice.issued.amount - Msat{1}}});
  EXPECT_THAT(shop.types(1), Not(Contains("InferenceStarted")));
  EXPECT_THAT(shop.holds, Contains(Work{.action = Action::give_back}));
  shop.invoice_never_paid(1);
  EXPECT_EQ(state(shop.job(1)), State::expired);
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
}

TEST(Payment, AfterTheInvoiceHadExpiredItIsMoneyAllTheSame) {
  EngineDriver shop(payment_policy(ledger::PaymentMode::result_first));
  const Invoice invoice = shop.ask(1).invoices.front();
  pay_with(shop, invoice, 0, EngineDriver::policy().invoice_expiry_ms + 1);
  EXPECT_TRUE(remarks_of_first(shop).late);
  EXPECT_EQ(state(shop.job(1)), State::settled);
}

// ---- renewed invoices -----------------------------------------------------------------------------------------------

TEST(Renewal, WithoutThePolicyADeliveredJobStaysUnpaid) {
  EngineDriver shop(EngineDriver::policy());
  shop.ask(1);
  shop.invoice_never_paid(1);
  EXPECT_EQ(state(shop.job(1)), State::unpaid);
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
}

TEST(Renewal, AnotherInvoiceForTheSameMoneyIsShownWhenTheFirstWasNeverPaid) {
  EngineDriver shop(renewing_policy());
  shop.ask(1);
  shop.invoice_never_paid(1);
  const Job job = shop.job(1);
  ASSERT_EQ(job.invoices.size(), 2u);
  EXPECT_EQ(job.invoices[1].issued.amount, job.invoices[0].issued.amount);
  EXPECT_EQ(job.invoices[1].issued.attempt, 2u);
  EXPECT_TRUE(job.invoices[1].revealed);
  EXPECT_THAT(shop.notices(1), Contains(NoticePurpose::invoice_renewed));
  EXPECT_EQ(state(job), State::delivered_unpaid);
  pay_with(shop, job.invoices[1], 0);
  EXPECT_EQ(state(shop.job(1)), State::settled);
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
}

TEST(Renewal, IsOfferedOnce) {
  EngineDriver shop(renewing_policy());
  shop.ask(1);
  shop.invoice_never_paid(1);
  shop.give(NeverPaid{EngineDriver::id(1), {.payment_hash = shop.job(1).invoices[1].issued.payment_hash}});
  EXPECT_EQ(shop.job(1).invoices.size(), 2u);
  EXPECT_EQ(state(shop.job(1)), State::unpaid);
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
}

TEST(Renewal, TheCustomerOwesUntilTheSecondHasExpiredToo) {
  EngineDriver shop(renewing_policy());
  const Msat owed = exposure(shop.ask(1));
  EXPECT_GT(owed, Msat{});
  shop.invoice_never_paid(1);
  EXPECT_EQ(shop.engine().shop().total_exposure, owed);
  shop.give(NeverPaid{EngineDriver::id(1), {.payment_hash = shop.job(1).invoices[1].issued.payment_hash}});
  EXPECT_EQ(shop.engine().shop().total_exposure, Msat{});
}

TEST(Renewal, WhereTheWalletFailsItIsTriedAgainAndGivenUpInTheEnd) {
  EngineDriver shop(renewing_policy());
  shop.ask(1);
  shop.wallet_creates = false;
  shop.invoice_never_paid(1);
  EXPECT_EQ(state(shop.job(1)), State::delivered_unpaid);
  shop.wait(60'000);
  EXPECT_EQ(shop.job(1).invoice_failures, EngineDriver::policy().invoice_attempts);
  EXPECT_EQ(state(shop.job(1)), State::unpaid);
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
  EXPECT_EQ(shop.engine().shop().total_exposure, Msat{});
}

TEST(Renewal, WhatWasNeverDeliveredIsNotAskedForAgain) {
  EngineDriver shop(renewing_policy());
  shop.relays_accept = false;
  shop.ask(1);
  shop.wait(EngineDriver::policy().delivery_deadline_ms + 1);
  shop.invoice_never_paid(1);
  EXPECT_EQ(state(shop.job(1)), State::undelivered);
  EXPECT_EQ(shop.job(1).invoices.size(), 1u);
}

TEST(Renewal, PaymentFirstStartsAnewInstead) {
  Policy policy = renewing_policy();
  policy.payment_mode = ledger::PaymentMode::payment_first;
  EngineDriver shop(policy);
  shop.ask(1);
  shop.invoice_never_paid(1);
  EXPECT_EQ(shop.job(1).invoices.size(), 1u);
  EXPECT_EQ(state(shop.job(1)), State::expired);
}

}  // namespace
}  // namespace core
