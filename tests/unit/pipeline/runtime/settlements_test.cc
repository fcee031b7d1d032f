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
  std::string account() const override { return account_; }
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
  std::string account_;
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

// ---- wallets that forget --------------------------------------------------------------------------------------------

using base::kHourMs;

class Forgotten : public testing::Test {
 protected:
  void watch(const std::string& made_by = {}, TimeMs unknown_since = {}) {
    settlements.watch({.invoice = {.wallet = "scripted", .wallet_account = made_by},
                       .since = TimeMs{0},
                       .give_up_at = kGiveUp,
                       .unknown_since = unknown_since,
                       .settled = [&](const auto&) { settled_at = world.now(); },
                       .unknown = [&](const auto&) { unknown_at.push_back(world.now()); },
                       .never_paid =
                           [&](const auto& expiry) {
                             never_paid_at = world.now();
                             basis = expiry.basis;
                           }});
  }
  void pass(TimeMs until) {
    while (world.step(until)) {
    }
  }

  sim::VirtualTime world{TimeMs{0}};
  sim::ProcessTime process{world};
  std::function<Answer(TimeMs)> says = [](TimeMs) -> Answer { return wallet::Unknown{}; };
  ScriptedWallet wallet{process, [this](TimeMs now) { return says(now); }};
  Settlements settlements{{&wallet}, process};
  std::optional<TimeMs> settled_at, never_paid_at;
  std::vector<TimeMs> unknown_at;
  ledger::ExpiryBasis basis = ledger::ExpiryBasis::wallet_said;
};

TEST_F(Forgotten, BeforeItsEndUnknownProvesNothing) {
  watch();
  pass(kGiveUp);
  EXPECT_TRUE(unknown_at.empty());
  EXPECT_FALSE(never_paid_at);
}

TEST_F(Forgotten, AfterASecondAnswerItIsReportedOnce) {
  watch();
  pass(kGiveUp + 2 * kHourMs);
  ASSERT_EQ(unknown_at.size(), 1u);
  EXPECT_LE(unknown_at.front(), kGiveUp + kHourMs);
  EXPECT_FALSE(never_paid_at);
}

TEST_F(Forgotten, AfterADayItIsGivenUp) {
  watch();
  pass(kGiveUp + 26 * kHourMs);
  ASSERT_TRUE(never_paid_at);
  EXPECT_GE(*never_paid_at, kGiveUp + kUnknownBeforeEndMs);
  EXPECT_EQ(basis, ledger::ExpiryBasis::unknown_to_wallet);
}

TEST_F(Forgotten, ADayCountsOverRestartsButTheAnswersAreAskedForAgain) {
  world.step(TimeMs{kGiveUp.ms + 25 * kHourMs});
  watch({}, kGiveUp);
  const TimeMs restarted = world.now();
  pass(restarted + 48 * kHourMs);
  ASSERT_TRUE(never_paid_at);
  EXPECT_TRUE(unknown_at.empty()) << "the ledger has that already";
  EXPECT_GE(wallet.asked.size(), kUnknownBeforeEnd);
}

TEST_F(Forgotten, AWalletThatRemembersStartsTheDayAnew) {
  const TimeMs remembers = kGiveUp + 20 * kHourMs;
  says = [&](TimeMs now) -> Answer {
    if (now > remembers && now < remembers + 2 * kHourMs) return wallet::Open{};
    return wallet::Unknown{};
  };
  watch();
  pass(remembers + 20 * kHourMs);
  EXPECT_FALSE(never_paid_at);
}

TEST_F(Forgotten, AWalletThatForgetsAgainIsReportedAgain) {
  const TimeMs remembers = kGiveUp + 20 * kHourMs;
  says = [&](TimeMs now) -> Answer {
    if (now > remembers && now < remembers + 2 * kHourMs) return wallet::Open{};
    return wallet::Unknown{};
  };
  watch();
  pass(remembers + 10 * kHourMs);
  ASSERT_EQ(unknown_at.size(), 2u);
  EXPECT_GT(unknown_at.back(), remembers + 2 * kHourMs);
}

TEST_F(Forgotten, AWalletThatRemembersAfterARestartStartsTheDayAnew) {
  world.step(kGiveUp + 25 * kHourMs);
  const TimeMs restarted = world.now();
  says = [&](TimeMs now) -> Answer {
    if (now < restarted + kHourMs) return wallet::Open{};
    return wallet::Unknown{};
  };
  watch({}, kGiveUp);
  pass(restarted + 24 * kHourMs);
  EXPECT_FALSE(never_paid_at);
  EXPECT_EQ(unknown_at.size(), 1u) << "the ledger must know that the day has begun anew";
  pass(restarted + 27 * kHourMs);
  EXPECT_TRUE(never_paid_at);
}

TEST_F(Forgotten, AWalletThatCannotBeReachedForgetsNothing) {
  says = [](TimeMs) -> Answer { return base::fail(base::ErrorKind::connection, "wallet.down", "down"); };
  watch();
  pass(kGiveUp + 72 * kHourMs);
  EXPECT_FALSE(never_paid_at);
  EXPECT_TRUE(unknown_at.empty());
}

TEST_F(Forgotten, OnlyTheAccountThatMadeItCanEndIt) {
  wallet.account_ = "another node";
  watch("the node that made it");
  pass(kGiveUp + 72 * kHourMs);
  EXPECT_FALSE(never_paid_at);
}

TEST_F(Forgotten, APaymentThatTheWalletRemembersInTimeIsBooked) {
  says = [](TimeMs now) -> Answer {
    if (now < kGiveUp + 10 * kHourMs) return wallet::Unknown{};
    return ledger::InvoiceSettled{};
  };
  watch();
  pass(kGiveUp + 72 * kHourMs);
  EXPECT_TRUE(settled_at);
  EXPECT_FALSE(never_paid_at);
}

// ---- the cost of watching -------------------------------------------------------------------------------------------

TEST(Settlements, AnOldInvoiceIsAskedAboutSlowly) {
  const auto out = watch_until_the_end([](TimeMs) -> Answer { return wallet::Open{}; });
  EXPECT_LT(out.asked.size(), 200u);
  EXPECT_FALSE(out.settled || out.never_paid) << "open is open, however late: the wallet has the last word";
}

TEST(Settlements, ManyOpenInvoicesCostNoMoreThanALimitedNumberOfLookUps) {
  sim::VirtualTime world{TimeMs{0}};
  sim::ProcessTime process{world};
  ScriptedWallet wallet(process, [](TimeMs) -> Answer { return wallet::Open{}; });
  Settlements settlements({&wallet}, process);
  for (std::uint32_t n = 0; n < 1'000; ++n) {
    ledger::InvoiceIssued invoice{.wallet = "scripted", .payment_hash = base::sha256(std::to_string(n))};
    settlements.watch({.invoice = invoice,
                       .since = TimeMs{0},
                       .give_up_at = kGiveUp,
                       .settled = [](const auto&) {},
                       .never_paid = [](const auto&) {}});
  }
  while (world.step(TimeMs{100'000})) {
  }
  EXPECT_LE(wallet.asked.size(), 101u * kLookUpsPerSecond);
  EXPECT_GE(wallet.asked.size(), 90u * kLookUpsPerSecond) << "and each has its turn";
}

TEST(Settlements, AClockThatIsSetBackDelaysNoLookUpForLong) {
  sim::VirtualTime world{TimeMs{100 * 3'600'000LL}};
  std::int64_t error_ms = 0;
  sim::ProcessTime process{world, error_ms};
  ScriptedWallet wallet(process, [](TimeMs) -> Answer { return wallet::Open{}; });
  Settlements settlements({&wallet}, process);
  settlements.watch({.invoice = {.wallet = "scripted"},
                     .since = world.now(),
                     .give_up_at = world.now() + 900'000,
                     .settled = [](const auto&) {},
                     .never_paid = [](const auto&) {}});
  const TimeMs start = world.now();
  while (world.step(start + 10'000)) {
  }
  error_ms = -10 * 3'600'000LL;
  const std::size_t before = wallet.asked.size();
  while (world.step(start + 130'000)) {
  }
  EXPECT_GE(wallet.asked.size(), before + 10);
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
