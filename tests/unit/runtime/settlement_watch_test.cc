// Watching an invoice: settled when the wallet says so, never paid only when it says so after expiry plus grace.
#include "pipeline/settlement_watch.h"

#include <gtest/gtest.h>

#include "tests/sim/virtual_time.h"

namespace runtime {
namespace {

using ledger::TimeMs;
using Answer = ledger::Result<wallet::LookupAnswer>;

class ScriptedWallet final : public wallet::Wallet {
 public:
  ScriptedWallet(sim::ProcessTime& time, std::function<Answer(TimeMs)> says) : time_(time), says_(std::move(says)) {}
  std::string kind() const override { return "scripted"; }
  bool play_money() const override { return true; }
  ledger::Msat unit() const override { return {1}; }
  ledger::Msat minimum() const override { return {1}; }
  void create_invoice(const wallet::InvoiceOrder&, std::function<void(ledger::Result<std::string>)>) override {}
  void status(std::function<void(ledger::Result<wallet::WalletStatus>)>) override {}
  void look_up(const ledger::Hash256&, std::function<void(Answer)> done) override {
    asked.push_back(time_.now());
    time_.after(0, [this, done] { done(says_(time_.now())); });
  }
  std::vector<TimeMs> asked;

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
  watch(wallet, process,
        {.since = TimeMs{0},
         .give_up_at = kGiveUp,
         .settled = [&](const auto&) { out.settled = world.now(); },
         .never_paid = [&](const auto&) { out.never_paid = world.now(); }});
  while (world.step(TimeMs{2'000'000})) {
  }
  out.asked = wallet.asked;
  return out;
}

TEST(SettlementWatch, SeesAPaymentWithinASecondWhileTheInvoiceIsYoung) {
  const auto out = watch_until_the_end([](TimeMs now) -> Answer {
    if (now < TimeMs{5'000}) return wallet::Open{};
    return ledger::InvoiceSettled{};
  });
  ASSERT_TRUE(out.settled);
  EXPECT_LT(*out.settled, TimeMs{6'000});
  EXPECT_FALSE(out.never_paid);
}

TEST(SettlementWatch, AFailingLookUpIsNoAnswer) {
  const auto out = watch_until_the_end([](TimeMs now) -> Answer {
    if (now < TimeMs{60'000}) return ledger::fail(ledger::ErrorKind::connection, "wallet.down", "down");
    return ledger::InvoiceSettled{};
  });
  EXPECT_TRUE(out.settled);
}

TEST(SettlementWatch, ExpiryIsBelievedOnlyAfterTheGrace) {
  const auto out = watch_until_the_end([](TimeMs now) -> Answer {
    if (now < kExpiry) return wallet::Open{};
    return wallet::Expired{.evidence = "expired"};
  });
  ASSERT_TRUE(out.never_paid);
  EXPECT_GE(*out.never_paid, kGiveUp);
  EXPECT_FALSE(out.settled);
}

TEST(SettlementWatch, APaymentWithinTheGraceStillCounts) {
  const auto out = watch_until_the_end([](TimeMs now) -> Answer {
    if (now < kExpiry) return wallet::Open{};
    if (now < kExpiry + 30'000) return wallet::Expired{.evidence = "expired"};
    return ledger::InvoiceSettled{};
  });
  EXPECT_TRUE(out.settled);
  EXPECT_FALSE(out.never_paid);
}

TEST(SettlementWatch, AWalletThatDoesNotKnowTheInvoiceProvesNothing) {
  const auto out = watch_until_the_end([](TimeMs) -> Answer { return wallet::Unknown{}; });
  EXPECT_FALSE(out.settled || out.never_paid);
}

TEST(SettlementWatch, AnOldInvoiceIsAskedAboutSlowly) {
  const auto out = watch_until_the_end([](TimeMs) -> Answer { return wallet::Open{}; });
  EXPECT_LT(out.asked.size(), 200u);
  EXPECT_FALSE(out.settled || out.never_paid) << "open is open, however late: the wallet has the last word";
}

}  // namespace
}  // namespace runtime
