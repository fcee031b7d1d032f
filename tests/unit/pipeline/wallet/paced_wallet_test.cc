// The number of calls that a wallet bears, in virtual time.
#include "pipeline/wallet/paced_wallet.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/pipeline/wallet/wallet_behind.h"

namespace wallet {
namespace {

constexpr std::int64_t kSecond = 1'000;

class PacedWalletTest : public testing::Test {
 protected:
  PacedWalletTest() {
    auto made = std::make_unique<WalletBehind>(process);
    behind = made.get();
    behind->can.calls_per_minute = 30;
    wallet = std::make_unique<PacedWallet>(std::move(made), process);
  }
  void order() {
    wallet->create_invoice({.amount = base::Msat{9'000}}, [this](const base::Result<MadeInvoice>& made) {
      orders.push_back(made ? "" : made.error().code);
    });
  }
  void look_up() {
    wallet->look_up({}, [this](const base::Result<LookupAnswer>&) { ++looked_up; });
  }
  base::Result<WalletStatus> status() {
    std::optional<base::Result<WalletStatus>> out;
    wallet->status([&](base::Result<WalletStatus> told) { out = std::move(told); });
    pass(time, 1);
    return *out;
  }

  sim::VirtualTime time{base::TimeMs{1'800'000'000'000}};
  std::int64_t clock_error_ms = 0;
  sim::ProcessTime process{time, clock_error_ms};
  WalletBehind* behind = nullptr;
  std::unique_ptr<PacedWallet> wallet;
  std::vector<std::string> orders;
  int looked_up = 0;
};

TEST_F(PacedWalletTest, LookUpsCostNoMoreHoweverManyInvoicesAreOpen) {
  for (int i = 0; i < 500; ++i) look_up();
  pass(time, 60 * kSecond);
  EXPECT_LE(behind->asked.size(), 45U);
  EXPECT_GE(behind->asked.size(), 40U);
  pass(time, 500 * 2 * kSecond);
  EXPECT_EQ(looked_up, 500) << "each is answered in the end";
}

TEST_F(PacedWalletTest, AnInvoiceDoesNotWaitForLookUps) {
  for (int i = 0; i < 500; ++i) look_up();
  for (int i = 0; i < 5; ++i) order();
  EXPECT_EQ(orders.size(), 5U) << "at once: half of what the wallet bears is left for them";
  for (int i = 0; i < 100; ++i) order();
  const auto before = orders.size();
  pass(time, 60 * kSecond);
  EXPECT_GE(orders.size(), before + 14) << "and then before all look-ups";
}

TEST_F(PacedWalletTest, EachPageOfAListIsACall) {
  behind->can.calls_per_minute = 2;  // one at once for lists and look-ups
  int lists = 0;
  wallet->list_paid({}, [&](const base::Result<std::vector<PaidInvoice>>& listed) { lists += listed ? 1 : 0; });
  EXPECT_EQ(behind->count("page"), 1U);
  pass(time, 60 * kSecond);
  EXPECT_EQ(behind->count("page"), 3U);
  EXPECT_EQ(lists, 0);
  pass(time, 60 * kSecond);
  EXPECT_EQ(lists, 1);
}

TEST_F(PacedWalletTest, AnInvoiceDoesNotWaitForAList) {
  wallet->list_paid({}, [](const base::Result<std::vector<PaidInvoice>>&) {});
  for (int i = 0; i < 100; ++i) look_up();
  order();
  EXPECT_EQ(orders.size(), 1U);
}

TEST_F(PacedWalletTest, NoMinuteHasMoreThanTwiceTheRate) {
  for (int i = 0; i < 100; ++i) order();
  pass(time, 60 * kSecond);
  EXPECT_EQ(orders.size(), 100U) << "those for which nobody waits any longer are given up";
  EXPECT_LE(2 * std::ranges::count(orders, ""), 60) << "an order is two calls";
}

TEST_F(PacedWalletTest, OrdersAndLookUpsTakeTurns) {
  for (int i = 0; i < 100; ++i) order();
  for (int i = 0; i < 10; ++i) look_up();
  pass(time, 60 * kSecond);
  EXPECT_GE(looked_up, 5) << "what is paid is seen, however many order";
}

TEST_F(PacedWalletTest, AWalletOnThisMachineIsNotHeldBack) {
  behind->can.calls_per_minute = 0;
  for (int i = 0; i < 500; ++i) look_up();
  EXPECT_EQ(looked_up, 500);
}

TEST_F(PacedWalletTest, ItIsLeftAloneForAsLongAsItWishesAndTheOrderIsGivenAgain) {
  behind->refusal = wallet_error("wallet.rate_limited", "12 s");
  order();
  look_up();
  EXPECT_EQ(behind->asked.size(), 1U);
  behind->refusal.reset();
  pass(time, 11 * kSecond);
  EXPECT_EQ(behind->asked.size(), 1U);
  pass(time, 2 * kSecond);
  EXPECT_EQ(orders, std::vector<std::string>{""});
  EXPECT_EQ(looked_up, 1);
}

TEST_F(PacedWalletTest, WithoutAWishThePausesGrow) {
  behind->answer = tl::unexpected(wallet_error("wallet.rate_limited"));
  for (int i = 0; i < 200; ++i) look_up();
  pass(time, 300 * kSecond);
  EXPECT_LE(behind->asked.size(), 10U);
  EXPECT_EQ(looked_up, static_cast<int>(behind->asked.size())) << "a look-up is not kept: it is made again anyway";
}

TEST_F(PacedWalletTest, AnOrderIsNotKeptLongerThanACustomerWaits) {
  behind->refusal = wallet_error("wallet.rate_limited", "60 s");
  order();
  EXPECT_EQ(orders, std::vector<std::string>{"wallet.rate_limited"});
}

TEST_F(PacedWalletTest, AnOrderThatWaitsIsGivenUpWhenItsCustomerLeavesAndNotWhenThePauseEnds) {
  behind->answer = tl::unexpected(wallet_error("wallet.rate_limited", "300 s"));
  look_up();
  order();
  pass(time, 21 * kSecond);
  EXPECT_EQ(orders, std::vector<std::string>{"wallet.unreachable"});
}

TEST_F(PacedWalletTest, AClockThatIsSetBackDoesNotStopTheCalls) {
  clock_error_ms = 5 * 3'600 * kSecond;
  for (int i = 0; i < 100; ++i) look_up();
  behind->refusal = wallet_error("wallet.rate_limited", "12 s");
  order();
  behind->refusal.reset();
  pass(time, 1 * kSecond);
  clock_error_ms = 0;
  const auto before = looked_up;
  pass(time, 90 * kSecond);
  EXPECT_EQ(orders, std::vector<std::string>{""});
  EXPECT_GT(looked_up, before + 20);
}

TEST_F(PacedWalletTest, AWalletThatSaysSlowDownIsThere) {
  EXPECT_TRUE(status());
  pass(time, 2 * 60 * kSecond);
  behind->well = tl::unexpected(wallet_error("wallet.rate_limited", "30 s"));
  EXPECT_EQ(status()->name, "behind");
  EXPECT_EQ(status()->name, "behind");
  EXPECT_EQ(behind->count("status"), 2U) << "not asked while it wants to be left alone";
}

TEST_F(PacedWalletTest, AWalletThatHasAnsweredLatelyIsNotAskedWhetherItIsWell) {
  EXPECT_TRUE(status());
  pass(time, 30 * kSecond);
  look_up();
  pass(time, 45 * kSecond);
  EXPECT_TRUE(status());
  EXPECT_EQ(behind->count("status"), 1U);
  pass(time, 30 * kSecond);
  behind->well = tl::unexpected(wallet_error("wallet.unreachable"));
  EXPECT_EQ(status().error().code, "wallet.unreachable");
}

}  // namespace
}  // namespace wallet
