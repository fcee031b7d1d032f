// Watching an invoice: settled when the wallet says so, never paid only when it says so after expiry plus grace.
#include "pipeline/runtime/settlements.h"

#include <gtest/gtest.h>

#include "tests/sim/virtual_time.h"

namespace runtime {
namespace {

using base::TimeMs;
using Answer = base::Result<wallet::LookupAnswer>;

class ScriptedWallet final : public wallet::Wallet {
 public:
  ScriptedWallet(sim::ProcessTime& time, std::function<Answer(TimeMs)> says) : time_(time), says_(std::move(says)) {}
  std::string kind() const override { return "scripted"; }
  wallet::Abilities abilities() const override { return {.pushes = pushes}; }
  bool play_money() const override { return true; }
  base::Msat unit() const override { return {1}; }
  base::Msat minimum() const override { return {1}; }
  void create_invoice(const wallet::InvoiceOrder&, std::function<void(base::Result<wallet::MadeInvoice>)>) override {}
  void status(std::function<void(base::Result<wallet::WalletStatus>)>) override {}
  void look_up(const ledger::InvoiceIssued&, std::function<void(Answer)> done) override {
    asked.push_back(time_.now());
    time_.after(0, [this, done] { done(says_(time_.now())); });
  }
  void on_news(News news) override { tell = std::move(news); }

  std::vector<TimeMs> asked;
  bool pushes = false;
  News tell;

 private:
  sim::ProcessTime& time_;
  std::function<Answer(TimeMs)> says_;
};

struct Outcome {
  std::optional<TimeMs> settled;
  std::optional<TimeMs> never_paid;
  std::vector<TimeMs> asked;
};

constexpr TimeMs kExpiry{900'000};
constexpr TimeMs kGiveUp{960'000};

Outcome watch_until_the_end(const std::function<Answer(TimeMs)>& says) {
  sim::VirtualTime world{TimeMs{0}};
  sim::ProcessTime process{world};
  ScriptedWallet wallet(process, says);
  Outcome out;
  Settlements settlements({&wallet}, process);
  settlements.watch({.invoice = {.wallet = "scripted"},
                     .since = TimeMs{0},
                     .give_up_at = kGiveUp,
                     .settled = [&](const auto&) { out.settled = world.now(); },
                     .never_paid = [&](const auto&) { out.never_paid = world.now(); }});
  while (world.step(TimeMs{2'000'000})) {
  }
  out.asked = wallet.asked;
  return out;
}

TEST(Settlements, SeesAPaymentWithinASecondWhileTheInvoiceIsYoung) {
  const auto out = watch_until_the_end([](TimeMs now) -> Answer {
    if (now < TimeMs{5'000}) return wallet::Open{};
    return ledger::InvoiceSettled{};
  });
  ASSERT_TRUE(out.settled);
  EXPECT_LE(*out.settled, TimeMs{6'001});
  EXPECT_FALSE(out.never_paid);
}

TEST(Settlements, AFailingLookUpIsNoAnswer) {
  const auto out = watch_until_the_end([](TimeMs now) -> Answer {
    if (now < TimeMs{60'000}) return base::fail(base::ErrorKind::connection, "wallet.down", "down");
    return ledger::InvoiceSettled{};
  });
  EXPECT_TRUE(out.settled);
}

TEST(Settlements, ExpiryIsBelievedOnlyAfterTheGrace) {
  const auto out = watch_until_the_end([](TimeMs now) -> Answer {
    if (now < kExpiry) return wallet::Open{};
    return wallet::Expired{.evidence = "expired"};
  });
  ASSERT_TRUE(out.never_paid);
  EXPECT_GE(*out.never_paid, kGiveUp);
  EXPECT_FALSE(out.settled);
}

TEST(Settlements, APaymentWithinTheGraceStillCounts) {
  const auto out = watch_until_the_end([](TimeMs now) -> Answer {
    if (now < kExpiry) return wallet::Open{};
    if (now < kExpiry + 30'000) return wallet::Expired{.evidence = "expired"};
    return ledger::InvoiceSettled{};
  });
  EXPECT_TRUE(out.settled);
  EXPECT_FALSE(out.never_paid);
}

TEST(Settlements, AWalletThatDoesNotKnowTheInvoiceProvesNothing) {
  const auto out = watch_until_the_end([](TimeMs) -> Answer { return wallet::Unknown{}; });
  EXPECT_FALSE(out.settled || out.never_paid);
}

TEST(Settlements, AnOldInvoiceIsAskedAboutSlowly) {
  const auto out = watch_until_the_end([](TimeMs) -> Answer { return wallet::Open{}; });
  EXPECT_LT(out.asked.size(), 200u);
  EXPECT_FALSE(out.settled || out.never_paid) << "open is open, however late: the wallet has the last word";
}

class NewsTest : public testing::Test {
 protected:
  NewsTest() { wallet.pushes = true; }
  void watch(std::uint8_t n) {
    ledger::InvoiceIssued invoice{.wallet = "scripted"};
    invoice.payment_hash.bytes[0] = n;
    settlements.watch({.invoice = invoice,
                       .since = TimeMs{0},
                       .give_up_at = kGiveUp,
                       .settled = [&](const auto&) { settled_at.push_back(world.now()); },
                       .never_paid = [](const auto&) {}});
  }
  void pass(TimeMs until) {
    while (world.step(until)) {
    }
  }

  sim::VirtualTime world{TimeMs{0}};
  sim::ProcessTime process{world};
  TimeMs paid_at{3'600'000};
  ScriptedWallet wallet{process, [this](TimeMs now) -> Answer {
                          if (now < paid_at) return wallet::Open{};
                          return ledger::InvoiceSettled{};
                        }};
  Settlements settlements{{&wallet}, process};
  std::vector<TimeMs> settled_at;
};

TEST_F(NewsTest, APaymentThatIsToldIsSeenAtOnce) {
  watch(1);
  pass(TimeMs{7'000});
  paid_at = TimeMs{7'000};
  base::Hash256 hash;
  hash.bytes[0] = 1;
  wallet.tell(hash);
  pass(TimeMs{7'100});
  EXPECT_EQ(settled_at, std::vector{TimeMs{7'000}});
}

TEST_F(NewsTest, APaymentThatIsToldWhileItIsAskedAboutIsNotMissed) {
  watch(1);  // the question is on its way, and will find the invoice open
  base::Hash256 hash;
  hash.bytes[0] = 1;
  wallet.tell(hash);
  pass(TimeMs{100});
  EXPECT_GE(wallet.asked.size(), 2u);
}

TEST_F(NewsTest, AfterALostConnectionAllAreLookedAt) {
  for (std::uint8_t n = 1; n <= 9; ++n) watch(n);
  pass(TimeMs{8'000});
  paid_at = TimeMs{8'000};
  wallet.tell(std::nullopt);
  pass(TimeMs{8'100});
  EXPECT_EQ(settled_at.size(), 9u);
}

TEST_F(NewsTest, WhatNobodyWatchesIsNoNews) {
  wallet.tell(base::Hash256{});
  pass(TimeMs{1'000});
  EXPECT_TRUE(wallet.asked.empty());
}

TEST_F(NewsTest, BesidePushTheWalletIsAskedSeldom) {
  watch(1);
  pass(TimeMs{60'000});
  EXPECT_LE(wallet.asked.size(), 13u);
}

TEST(SettlementsOfTwoAccounts, AreFoundWhereTheInvoiceIsKnown) {
  sim::VirtualTime world{TimeMs{0}};
  sim::ProcessTime process{world};
  ScriptedWallet today(process, [](TimeMs) -> Answer { return wallet::Unknown{}; });
  ScriptedWallet former(process, [](TimeMs now) -> Answer {
    if (now < TimeMs{5'000}) return wallet::Open{};
    return ledger::InvoiceSettled{};
  });
  Settlements settlements({&today, &former}, process);
  bool settled = false;
  const auto watched = [&](const std::string& kind) {
    return Watched{.invoice = {.wallet = kind},
                   .give_up_at = kGiveUp,
                   .settled = [&](const auto&) { settled = true; },
                   .never_paid = [](const auto&) {}};
  };
  EXPECT_TRUE(settlements.watch(watched("scripted")));
  EXPECT_FALSE(settlements.watch(watched("lnd"))) << "nobody can say whether that was paid";
  while (world.step(TimeMs{20'000})) {
  }
  EXPECT_TRUE(settled);
  EXPECT_EQ(today.asked.size(), 1u) << "who said that it does not know is not asked again";
}

}  // namespace
}  // namespace runtime
