// Who does not pay loses their credit; who pays gets it back.
#include <gtest/gtest.h>

#include "tests/unit/pipeline/core/engine_driver.h"

namespace core {
namespace {

constexpr std::uint8_t kCustomer = 7;

// A customer of a shop whose pool is for one job at a time.
class CreditTest : public testing::Test {
 protected:
  static Policy policy() {
    Policy out = EngineDriver::policy();
    out.credit_percent = 100;
    out.stranger_pool = {1'000'000};
    return out;
  }
  std::uint8_t ask() {
    shop.ask(++jobs, shop.request(kCustomer));
    return jobs;
  }
  void settle(int times) {
    for (int i = 0; i < times; ++i) shop.pay(ask());
  }
  void default_on(int times) {
    for (int i = 0; i < times; ++i) shop.invoice_never_paid(ask());
  }
  ledger::Basis basis() {
    PublicKey key;
    key.bytes.fill(kCustomer);
    return core::basis(shop.engine().shop(), shop.engine().policy(), key, shop.now);
  }
  Msat price_of(std::uint8_t n) { return shop.job(n).invoices.front().issued.amount; }

  EngineDriver shop{policy()};
  std::uint8_t jobs = 0;
};

TEST_F(CreditTest, IsAShareOfWhatWasSettledLessWhatWasNeverPaid) {
  settle(5);
  const Msat price = price_of(1);
  default_on(1);
  EXPECT_EQ(basis().customer_settled, Msat{5 * price.value});
  EXPECT_EQ(basis().customer_unpaid, price);
  EXPECT_EQ(basis().customer_credit, Msat{4 * price.value});
  EXPECT_FALSE(basis().credit_ended) << "one default ends nothing";
}

TEST_F(CreditTest, TwoDefaultsEndItAndThePoolIsClosedToo) {
  settle(5);
  default_on(2);
  EXPECT_TRUE(basis().credit_ended);
  EXPECT_EQ(basis().customer_credit, Msat{});
  const auto next = ask();
  EXPECT_EQ(shop.job(next).quote->payment_mode, ledger::PaymentMode::payment_first);
  EXPECT_TRUE(shop.job(next).quote->basis.credit_ended) << "the decision records why";
}

TEST_F(CreditTest, TwoDefaultsWithinAHundredthOfWhatWasSettledAreTolerated) {
  settle(200);
  default_on(2);
  EXPECT_FALSE(basis().credit_ended);
}

TEST_F(CreditTest, JobsPaidFirstBringItBack) {
  settle(5);
  const std::uint8_t first = ask();
  for (int i = 1; i < 4; ++i) ask();
  for (int i = 0; i < 4; ++i) shop.invoice_never_paid(static_cast<std::uint8_t>(first + i));
  shop.pay(ask());
  EXPECT_TRUE(basis().credit_ended) << "less than was not paid";
  shop.pay(ask());
  EXPECT_FALSE(basis().credit_ended);
}

TEST_F(CreditTest, APaymentAfterAllIsNoDefault) {
  settle(5);
  default_on(2);
  const Job job = shop.job(jobs);
  shop.give(Settled{
      job.id, {.payment_hash = job.invoices[0].issued.payment_hash, .received = job.invoices[0].issued.amount}, job});
  EXPECT_EQ(state(shop.job(jobs)), State::settled);
  EXPECT_EQ(basis().customer_unpaid, price_of(1));
  EXPECT_FALSE(basis().credit_ended);
}

TEST_F(CreditTest, DefaultsAreForgottenWithTheWindow) {
  settle(5);
  default_on(2);
  shop.wait(31 * kDayMs);
  EXPECT_FALSE(basis().credit_ended);
  EXPECT_EQ(basis().customer_unpaid, Msat{});
  EXPECT_TRUE(shop.engine().shop().customers.empty());
}

TEST_F(CreditTest, AWalletThatForgotAnInvoiceMakesNobodyADefaulter) {
  settle(5);
  const auto n = ask();
  shop.give(NeverPaid{
      EngineDriver::id(n),
      {.payment_hash = shop.job(n).invoices[0].issued.payment_hash, .basis = ledger::ExpiryBasis::unknown_to_wallet}});
  EXPECT_EQ(state(shop.job(n)), State::unpaid);
  EXPECT_EQ(basis().customer_unpaid, Msat{});
}

// ---- what the wallet does not know --------------------------------------------------------------------------------

TEST_F(CreditTest, WhatTheWalletDoesNotKnowCountsAgainstNoLimit) {
  const auto n = ask();
  ASSERT_GT(shop.engine().shop().total_exposure, Msat{});
  shop.give(UnknownToWallet{EngineDriver::id(n), {.payment_hash = shop.job(n).invoices[0].issued.payment_hash}});
  EXPECT_EQ(shop.engine().shop().total_exposure, Msat{});
  EXPECT_EQ(shop.engine().open_jobs(), 1u) << "it is still watched";
  shop.pay(n);
  EXPECT_EQ(state(shop.job(n)), State::settled);
}

TEST_F(CreditTest, TheDayOfAnInvoiceThatIsForgottenAgainBeginsAnew) {
  const auto n = ask();
  const UnknownToWallet unknown{EngineDriver::id(n), {.payment_hash = shop.job(n).invoices[0].issued.payment_hash}};
  shop.give(unknown);
  shop.wait(base::kHourMs);
  shop.give(unknown);
  EXPECT_EQ(shop.job(n).invoices[0].unknown_since, shop.now);
}

TEST_F(CreditTest, WhatTheOperatorClosesIsNoDefaultAndNotAskedForAgain) {
  Policy renewing = policy();
  renewing.renew_invoices = true;
  shop.give(Configured{renewing});
  settle(5);
  const auto n = ask();
  shop.give(NeverPaid{EngineDriver::id(n),
                      {.payment_hash = shop.job(n).invoices[0].issued.payment_hash,
                       .evidence = "paid elsewhere: in cash",
                       .basis = ledger::ExpiryBasis::operator_said}});
  EXPECT_EQ(state(shop.job(n)), State::unpaid);
  EXPECT_EQ(shop.job(n).invoices.size(), 1u) << "no other invoice is shown";
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
  EXPECT_EQ(shop.engine().shop().total_exposure, Msat{});
  EXPECT_EQ(basis().customer_unpaid, Msat{});
  shop.give(Settled{EngineDriver::id(n),
                    {.payment_hash = shop.job(n).invoices[0].issued.payment_hash, .received = price_of(n)},
                    shop.job(n)});
  EXPECT_EQ(state(shop.job(n)), State::settled) << "the wallet's word counts more";
}

TEST_F(CreditTest, APaymentOfAJobAtRestIsBooked) {
  const auto n = ask();
  const auto hash = shop.job(n).invoices[0].issued.payment_hash;
  shop.give(NeverPaid{EngineDriver::id(n), {.payment_hash = hash, .basis = ledger::ExpiryBasis::unknown_to_wallet}});
  ASSERT_EQ(shop.engine().open_jobs(), 0u);
  shop.give(Settled{EngineDriver::id(n), {.payment_hash = hash, .received = price_of(n)}, shop.job(n)});
  EXPECT_EQ(state(shop.job(n)), State::settled);
  EXPECT_EQ(earned(shop.job(n)), price_of(n));
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
}

}  // namespace
}  // namespace core
