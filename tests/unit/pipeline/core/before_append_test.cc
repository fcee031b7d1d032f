// What ends the process before it is written. What the engine does itself always passes: every other test shows it.
#include "pipeline/core/before_append.h"

#include <gtest/gtest.h>

#include "pipeline/core/rules.h"
#include "tests/unit/pipeline/core/engine_driver.h"

namespace core {
namespace {

// Answered, invoiced, delivered and paid, for so much.
Job settled_job() {
  EngineDriver shop(EngineDriver::policy());
  shop.ask(1);
  shop.pay(1);
  return shop.job(1);
}

// Requested, with a bid.
Job requested_job(Msat bid) {
  EngineDriver shop(EngineDriver::policy());
  Job job;
  ledger::JobRequested request = shop.request();
  request.bid = bid;
  evolve(job, EngineDriver::id(1), shop.now, request);
  return job;
}

ledger::JobQuoted quote_of(Msat price) {
  return {
      .unit = Msat{1000}, .minimum = Msat{1000}, .price = price, .payment_mode = ledger::PaymentMode::payment_first};
}

TEST(BeforeAppend, AQuoteIsWithinTheBidAndWhatTheWalletCanExpress) {
  const Job job = requested_job(Msat{5000});
  check_before_append(job, quote_of(Msat{5000}));
  check_before_append(job, quote_of(Msat{}));  // free
}

TEST(BeforeAppendDeathTest, NoQuoteIsAboveTheBid) {
  EXPECT_DEATH(check_before_append(requested_job(Msat{5000}), quote_of(Msat{6000})), "6000 msat, 5000 msat");
}

TEST(BeforeAppendDeathTest, NoQuoteIsFinerThanTheWalletsUnitOrBelowItsMinimum) {
  EXPECT_DEATH(check_before_append(requested_job(Msat{5000}), quote_of(Msat{1500})), "1500 msat, 1000 msat");
  EXPECT_DEATH(check_before_append(requested_job(Msat{5000}), quote_of(Msat{500})), "500 msat, 1000 msat");
  EXPECT_DEATH(check_before_append(requested_job(Msat{5000}), quote_of(Msat{-1000})), "-1000 msat");
}

TEST(BeforeAppendDeathTest, AJobIsQuotedOnce) {
  EXPECT_DEATH(check_before_append(settled_job(), quote_of(Msat{1000})), "!job.quote");
}

TEST(BeforeAppendDeathTest, NoInvoiceAsksForMoreThanIsDue) {
  EngineDriver shop(EngineDriver::policy());
  shop.wallet_creates = false;
  shop.ask(1);
  const Job job = shop.job(1);
  ledger::InvoiceIssued invoice{.attempt = next_invoice_attempt(job), .amount = amount_due(job)};
  check_before_append(job, invoice);
  invoice.amount += Msat{1000};
  EXPECT_DEATH(check_before_append(job, invoice), "fact.amount == amount_due\\(job\\)");
}

TEST(BeforeAppendDeathTest, ANoticeIsSignedOnce) {
  EXPECT_DEATH(check_before_append(settled_job(), ledger::NoticeSigned{.purpose = NoticePurpose::result}),
               "!find_notice");
}

TEST(BeforeAppendDeathTest, APaymentIsCountedOnce) {
  const Job job = settled_job();
  EXPECT_DEATH(check_before_append(job, *job.invoices[0].settled), "!invoice->settled");
}

TEST(BeforeAppendDeathTest, NoMoreIsOwedBackThanWasPaid) {
  const Job job = settled_job();
  const ledger::InvoiceSettled& payment = *job.invoices[0].settled;
  check_before_append(job, ledger::RefundOwed{.payment_hash = payment.payment_hash, .amount = payment.received});
  EXPECT_DEATH(check_before_append(
                   job, ledger::RefundOwed{.payment_hash = payment.payment_hash, .amount = payment.received + Msat{1}}),
               "any_of\\(job.invoices, covers\\)");
}

TEST(BeforeAppendDeathTest, OnePaymentIsPaidBackOnceAtATime) {
  Job job = settled_job();
  const ledger::InvoiceSettled& payment = *job.invoices[0].settled;
  const ledger::RefundStarted refund{.payment_hash = payment.payment_hash, .attempt = 1, .amount = payment.received};
  EXPECT_DEATH(check_before_append(job, refund), "refund && ") << "nothing is owed";
  evolve(job, job.id, job.updated_at,
         ledger::RefundOwed{.payment_hash = payment.payment_hash, .amount = payment.received});
  check_before_append(job, refund);
  evolve(job, job.id, job.updated_at, refund);
  EXPECT_DEATH(check_before_append(job, refund), "!under_way");
}

TEST(BeforeAppendDeathTest, WhatIsOverIsNotBegunAgain) {
  const Job job = settled_job();
  const base::EventId result = find_notice(job, NoticePurpose::result)->notice.event;
  EXPECT_DEATH(check_before_append(job, ledger::NoticeRetried{.purpose = NoticePurpose::result, .event = result}),
               "may_retry_result");
  EXPECT_DEATH(check_before_append(job, ledger::InferenceStarted{.attempt = 1}), "!job.completion");
  EXPECT_DEATH(check_before_append(job, ledger::JobCancelled{}), "cancellable");
}

}  // namespace
}  // namespace core
