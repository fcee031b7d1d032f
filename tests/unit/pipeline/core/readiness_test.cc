// What is observed, and what it means for selling; and which changes of that the ledger records.
#include "pipeline/core/readiness.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/core/engine.h"

namespace core {
namespace {

using base::Error;
using base::ErrorKind;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr auto kFirst = PaymentMode::payment_first;
constexpr auto kEscrow = PaymentMode::escrow;

Error wrong(std::string code) {
  return {ErrorKind::connection, std::move(code), "it is broken", {}, {}};
}

Observations all_well() {
  return {.wallet = {.which = "nwc"},
          .backend = {.which = "http://127.0.0.1:11434"},
          .models = {{.which = "llama3.2"}, {.which = "qwen3"}},
          .relays = {{.which = "wss://a.example"}, {.which = "wss://b.example"}},
          .clock = TimeMs{1'000'000}};
}

TEST(Readiness, WithEverythingWellEverythingCanBeSold) {
  const Readiness ready = judge(all_well());
  EXPECT_TRUE(ready.ready(kFirst));
  EXPECT_TRUE(ready.ready(kEscrow));
  EXPECT_THAT(ready.failing_models(), IsEmpty());
  for (const PartReadiness& part : ready.parts(kEscrow)) EXPECT_TRUE(part.ready());
}

TEST(Readiness, OneModelAndOneRelayAreEnough) {
  Observations seen = all_well();
  seen.models[0].error = wrong("inference.model_fails");
  seen.relays[1].error = wrong("relay.unreachable");
  const Readiness ready = judge(seen);
  EXPECT_TRUE(ready.ready(kFirst));
  EXPECT_THAT(ready.failing_models(), ElementsAre("llama3.2"));
}

TEST(Readiness, WhatAllOfThemLackStopsTheShop) {
  Observations models = all_well();
  for (Observation& one : models.models) one.error = wrong("inference.model_fails");
  EXPECT_EQ(judge(models).obstacle(kFirst)->part, ReadinessPart::inference);
  Observations relays = all_well();
  for (Observation& one : relays.relays) one.error = wrong("relay.unreachable");
  EXPECT_EQ(judge(relays).obstacle(kFirst)->part, ReadinessPart::relays);
}

TEST(Readiness, AWalletThatCannotHoldStopsEscrowOnly) {
  Observations seen = all_well();
  seen.wallet.error = wrong("config.escrow");
  const Readiness ready = judge(seen);
  EXPECT_TRUE(ready.ready(kFirst));
  EXPECT_FALSE(ready.ready(kEscrow));
  EXPECT_EQ(ready.parts(kEscrow).front(), (PartReadiness{ReadinessPart::wallet, "config.escrow"}));
}

TEST(Readiness, WarningsStopNothing) {
  Observations seen = all_well();
  seen.relays[0].warning = wrong("relay.unread");
  seen.ledger_time = seen.clock + 3 * base::kHourMs;
  seen.rollback_checked = false;
  const Readiness ready = judge(seen);
  EXPECT_TRUE(ready.ready(kFirst));
  EXPECT_EQ(std::ranges::count_if(ready.conditions, [](const auto& one) { return one.seen.warning.has_value(); }), 3);
}

TEST(Readiness, ALedgerAsOldAsTheClockIsNotReported) {
  Observations seen = all_well();
  seen.ledger_time = seen.clock + kClockToleranceMs;
  for (const Condition& one : judge(seen).conditions) EXPECT_FALSE(one.seen.warning);
}

// ---- what is recorded -----------------------------------------------------------------------------------------------

class ReadinessFactsTest : public testing::Test {
 protected:
  ReadinessFactsTest() { engine.step(Online{"1.0"}, now); }
  // The facts that this judgement, or the passing of time, brings.
  std::vector<std::pair<ReadinessPart, std::string>> see(Input input) {
    std::vector<std::pair<ReadinessPart, std::string>> out;
    for (const ledger::NewEntry& entry : engine.step(std::move(input), now).entries) {
      if (const auto* change = std::get_if<ledger::ReadinessChanged>(&entry.fact)) {
        EXPECT_EQ(change->ready, change->code.empty());
        out.emplace_back(change->part, change->code);
      }
    }
    return out;
  }
  static ReadinessJudged wallet(std::string code) { return {.parts = {{ReadinessPart::wallet, std::move(code)}}}; }

  TimeMs now{1'700'000'000'000};
  Engine engine;
};

using Recorded = std::pair<ReadinessPart, std::string>;

TEST_F(ReadinessFactsTest, AChangeIsAFactAndWhatLastsIsNot) {
  EXPECT_THAT(see(wallet("")), IsEmpty());
  EXPECT_THAT(see(wallet("wallet.unreachable")), ElementsAre(Recorded{ReadinessPart::wallet, "wallet.unreachable"}));
  EXPECT_THAT(see(wallet("wallet.unreachable")), IsEmpty());
}

TEST_F(ReadinessFactsTest, APartHasOneFactAMinuteAndTheLastWordIsKept) {
  see(wallet("wallet.unreachable"));
  now = now + 1'000;
  EXPECT_THAT(see(wallet("")), IsEmpty());
  EXPECT_THAT(see(ReadinessJudged{.parts = {{ReadinessPart::disk, "disk.low"}}}), SizeIs(1)) << "another part";
  now = now + kReadinessFactIntervalMs;
  EXPECT_THAT(see(Tick{}), ElementsAre(Recorded{ReadinessPart::wallet, ""}));
}

TEST_F(ReadinessFactsTest, WhatWasUndoneWithinTheMinuteIsNotRecorded) {
  see(wallet("wallet.unreachable"));
  see(wallet(""));
  see(wallet("wallet.unreachable"));
  now = now + 2 * kReadinessFactIntervalMs;
  EXPECT_THAT(see(Tick{}), IsEmpty());
}

TEST_F(ReadinessFactsTest, EveryPartCountsAsReadyWhenTheShopGoesOnlineAgain) {
  see(wallet("wallet.unreachable"));
  see(Offline{"told so"});
  now = now + 2 * kReadinessFactIntervalMs;
  EXPECT_THAT(see(Tick{}), IsEmpty());
  see(Online{"1.0"});
  EXPECT_THAT(see(wallet("wallet.unreachable")), SizeIs(1));
}

}  // namespace
}  // namespace core
