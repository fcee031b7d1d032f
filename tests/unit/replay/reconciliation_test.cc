// The ledger against the wallet's own list.
#include "replay/reconciliation.h"

#include <gtest/gtest.h>

#include "tests/unit/replay/shop_ledger.h"

namespace replay {
namespace {

using base::Msat;
using core::EngineDriver;
using Kind = Difference::Kind;

// One paid sale and one that is open, with what an honest wallet lists.
class ReconciliationTest : public testing::Test {
 protected:
  ReconciliationTest() : driver(EngineDriver::policy()) {
    driver.ask(1);
    driver.pay(1);
    driver.ask(2);
    shop.write(driver.entries);
    listed = {paid(1)};
  }
  wallet::PaidInvoice paid(std::uint8_t job) const {
    const auto invoice = driver.job(job).invoices.at(0).issued;
    return {invoice.payment_hash, invoice.amount, driver.now, std::string(wallet::kJobDescription) + "01020304"};
  }
  Reconciliation books(base::TimeMs since = {}) const {
    return reconcile(shop.reader, {{"sandbox", listed}}, {.since = since, .until = driver.now}, habits).value();
  }
  void expect_only(Kind kind) const {
    const auto out = books();
    ASSERT_EQ(out.differences.size(), 1u);
    EXPECT_EQ(name(out.differences[0].kind), name(kind)) << phrase(out.differences[0]);
  }

  EngineDriver driver;
  ShopLedger shop;
  std::vector<wallet::PaidInvoice> listed;
  WalletHabits habits;
};

TEST_F(ReconciliationTest, BothTellOfTheSameMoney) {
  const auto out = books();
  EXPECT_EQ(out.matched, 1u);
  EXPECT_EQ(out.matched_amount, listed[0].received);
  EXPECT_TRUE(out.differences.empty());
}

TEST_F(ReconciliationTest, WhatTheWalletHasAndTheLedgerHasNot) {
  listed.push_back(paid(2));
  expect_only(Kind::not_recorded);
  EXPECT_EQ(books().differences[0].job, EngineDriver::id(2));
}

TEST_F(ReconciliationTest, WhatTheLedgerHasAndTheWalletHasNot) {
  listed.clear();
  expect_only(Kind::not_in_wallet);
  EXPECT_TRUE(books(driver.now + 1).differences.empty()) << "before the time that is compared";
}

TEST_F(ReconciliationTest, AnotherAmount) {
  listed[0].received += Msat{1};
  expect_only(Kind::another_amount);
}

TEST_F(ReconciliationTest, AnOrphanThatWasPaidAllTheSame) {
  listed.push_back({base::sha256("lost"), Msat{9'000}, driver.now, std::string(wallet::kJobDescription) + "0f"});
  expect_only(Kind::orphan);
}

TEST_F(ReconciliationTest, AWalletThatDeletesPaidInvoicesIsNoDifferenceWhereTheOperatorSaysSo) {
  listed.clear();
  habits.forgets_paid = true;
  const auto out = books();
  EXPECT_TRUE(out.differences.empty());
  EXPECT_EQ(out.forgotten, 1u);
  EXPECT_EQ(out.forgotten_amount, driver.job(1).invoices[0].settled->received);
}

TEST_F(ReconciliationTest, AnotherLedgersPaymentsAreTheirsWhereTheOperatorSaysSo) {
  const std::string ours = EngineDriver::id(2).hex().substr(0, 8);
  listed.push_back(
      {base::sha256("theirs"), Msat{9'000}, driver.now, std::string(wallet::kJobDescription) + "feedbeef"});
  EXPECT_EQ(books().differences.size(), 1u);
  habits.shared = true;
  EXPECT_TRUE(books().differences.empty());
  EXPECT_EQ(books().others, 1u);
  listed.push_back({base::sha256("lost"), Msat{9'000}, driver.now, std::string(wallet::kJobDescription) + ours});
  expect_only(Kind::orphan);
}

// The preimages of a wallet that takes ours.
base::Hash256 preimage_of(const wallet::InvoiceOrder& order) {
  return base::sha256(order.job.hex() + std::to_string(order.attempt) + std::to_string(order.amount.value));
}

TEST_F(ReconciliationTest, AnInvoiceThatOurSecretMakesForAJobOfOursWasLost) {
  const base::JobId id = EngineDriver::id(2);
  const auto preimage = preimage_of({.job = id, .attempt = 2, .amount = {9'000}});
  listed.push_back({base::sha256(preimage.view()), Msat{9'000}, driver.now,
                    std::string(wallet::kJobDescription) + id.hex().substr(0, 8)});
  expect_only(Kind::orphan);
  const Difference orphan = books().differences[0];
  EXPECT_EQ(job_of_lost_invoice(shop.reader, orphan, preimage_of).value(), id);
  const auto other = [](const wallet::InvoiceOrder&) { return base::sha256("another secret"); };
  EXPECT_EQ(job_of_lost_invoice(shop.reader, orphan, other).value(), std::nullopt);
  shop.write(driver.now, id, ledger::InvoiceIssued{.wallet = "sandbox", .payment_hash = orphan.payment_hash});
  EXPECT_EQ(job_of_lost_invoice(shop.reader, orphan, preimage_of).value(), std::nullopt) << "the ledger has it";
}

TEST_F(ReconciliationTest, OfAJobThatARollbackClosedNothingElseIsProven) {
  const base::JobId id = EngineDriver::id(2);
  const auto preimage = preimage_of({.job = id, .attempt = 2, .amount = {9'000}});
  shop.write(driver.now, id, ledger::JobClosed{.reason = "a test"});
  const Difference orphan{.kind = Kind::orphan,
                          .payment_hash = base::sha256(preimage.view()),
                          .in_wallet = {9'000},
                          .job_digits = id.hex().substr(0, 8)};
  EXPECT_EQ(job_of_lost_invoice(shop.reader, orphan, preimage_of).value(), std::nullopt);
}

TEST_F(ReconciliationTest, WhatWasPaidForSomethingElseIsCountedAndNoDifference) {
  listed.push_back({base::sha256("coffee"), Msat{50'000}, driver.now, "coffee"});
  const auto out = books();
  EXPECT_TRUE(out.differences.empty());
  EXPECT_EQ(out.others_amount, Msat{50'000});
}

TEST_F(ReconciliationTest, AnotherWalletsInvoicesAreNotItsBusiness) {
  EXPECT_TRUE(reconcile(shop.reader, {{"lnd", {}}}, {.until = driver.now})->differences.empty());
}

TEST_F(ReconciliationTest, WhatIsStillAskedAboutIsMarked) {
  listed.push_back(paid(2));
  EXPECT_TRUE(books().differences.at(0).watched);
  const auto written = static_cast<std::ptrdiff_t>(driver.entries.size());
  driver.invoice_never_paid(2);
  shop.write({driver.entries.begin() + written, driver.entries.end()});
  EXPECT_FALSE(books().differences.at(0).watched) << "the ledger holds it for never paid";
}

TEST_F(ReconciliationTest, WhatCameAfterTheEndIsLeftToTheNextTime) {
  listed.push_back(paid(2));
  listed.back().settled_at = driver.now + 1;
  EXPECT_TRUE(books().differences.empty());
}

}  // namespace
}  // namespace replay
