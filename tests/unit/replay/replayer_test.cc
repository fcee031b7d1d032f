#include "replay/replayer.h"

#include "replay/phrases.h"
#include "tests/unit/replay/shop_ledger.h"

namespace replay {
namespace {

using base::Seq;
using base::TimeMs;
using core::EngineDriver;

struct OneSale : ShopLedger {
  EngineDriver driver{EngineDriver::policy()};
  OneSale() {
    driver.ask(1);
    driver.wait(1000);
    driver.pay(1);
    driver.ask(2);
    write(driver.entries);
  }
};

std::vector<std::string> lines(const std::vector<ReplayStep>& steps) {
  std::vector<std::string> out;
  for (const auto& step : steps) {
    std::string line = phrase(step.entry.fact) + " |";
    for (const auto& due : step.due) line += " " + describe(due, step.job.updated_at) + ";";
    out.push_back(line + " " + std::string(core::name(core::state(step.job))));
  }
  return out;
}

TEST(Replayer, ShowsEachFactTheStateAfterItAndWhatWasDue) {
  const OneSale shop;
  const auto steps = replay_job(shop.reader, EngineDriver::id(1)).value();
  EXPECT_EQ(
      lines(steps),
      (std::vector<std::string>{
          ("requested by npub1qurs… through wss://relay.example, about 20 tokens | decide whether to take the job; "
           "requested"),
          ("quoted 7 sat, llama3.2, to pay afterwards | run the model, attempt 1; sign the notice \"processing\"; "
           "working"),
          "runs on llama3.2 | run the model, attempt 1; sign the notice \"processing\"; working",
          "signed processing | run the model, attempt 1; publish the notice \"processing\"; working",
          "answered: 100 tokens in 0 ms | make the invoice, attempt 1; publish the notice \"processing\"; invoicing",
          "published processing to 1 relay | make the invoice, attempt 1; invoicing",
          "invoiced 3 sat | sign the result; watch the invoice; invoicing",
          "signed result | publish the result; watch the invoice; delivering",
          "published result to 1 relay | sign the notice \"success\"; watch the invoice; delivered_unpaid",
          "signed success | publish the notice \"success\"; watch the invoice; delivered_unpaid",
          "published success to 1 relay | watch the invoice; delivered_unpaid", "settled 3 sat | settled"}));
}

TEST(Phrases, GroupTheDigitsOfLargeNumbers) {
  EXPECT_EQ(phrase(ledger::JobQuoted{.terms = {.name = "a:latest"},
                                     .price = base::Msat{12'345'000},
                                     .payment_mode = ledger::PaymentMode::payment_first}),
            "quoted 12,345 sat, a, to pay first");
  EXPECT_EQ(phrase(ledger::InferenceCompleted{.output_tokens = 1'234, .total_ms = 61'500}),
            "answered: 1,234 tokens in 1 min");
}

TEST(Phrases, CountInTheSingularToo) {
  EXPECT_EQ(phrase(ledger::RequestsDropped{
                .counts = {{.reason = "rate", .count = 1, .keys = 1}, {.reason = "signature", .count = 3}}}),
            "not recorded: 1 request (rate) of 1 key, 3 requests (signature)");
}

TEST(Replayer, TheLastJobIsTheOneThatTheEngineHad) {
  const OneSale shop;
  const auto steps = replay_job(shop.reader, EngineDriver::id(1)).value();
  EXPECT_EQ(ledger::encode(steps.back().job), ledger::encode(shop.driver.job(1)));
}

TEST(Replayer, StopsAtAPositionOrAtAMoment) {
  const OneSale shop;
  const auto all = replay_job(shop.reader, EngineDriver::id(1)).value();
  const Seq third = all[2].entry.seq;
  EXPECT_EQ(replay_job(shop.reader, EngineDriver::id(1), third).value().size(), 3u);
  const auto before_payment = replay_job(shop.reader, EngineDriver::id(1), all.back().entry.header.time - 1).value();
  EXPECT_EQ(core::state(before_payment.back().job), core::State::delivered_unpaid);
  EXPECT_TRUE(replay_job(shop.reader, EngineDriver::id(1), TimeMs{0}).value().empty());
}

TEST(Replayer, AJobThatTheLedgerDoesNotHaveHasNoSteps) {
  const OneSale shop;
  EXPECT_TRUE(replay_job(shop.reader, EngineDriver::id(9)).value().empty());
}

TEST(Replayer, WhatOnlyWaitsForTimeSaysHowLong) {
  EngineDriver driver(EngineDriver::policy());
  driver.inference_fails = ledger::InferenceFailure::timed_out;
  driver.ask(1);
  ShopLedger shop;
  shop.write(driver.entries);
  const auto steps = replay_job(shop.reader, EngineDriver::id(1)).value();
  const auto failed = std::ranges::find_if(
      steps, [](const auto& step) { return std::holds_alternative<ledger::InferenceFailed>(step.entry.fact); });
  ASSERT_NE(failed, steps.end());
  EXPECT_EQ(phrase(failed->entry.fact), "inference failed (timed_out): broken; it is tried again");
  EXPECT_EQ(describe(failed->due.front(), failed->job.updated_at), "run the model again in 2 s");
}

TEST(Phrase, ABasisSaysWhatTheDecisionStoodOn) {
  EXPECT_EQ(phrase(ledger::Basis{.slots = 2,
                                 .slots_busy = 1,
                                 .stranger = true,
                                 .stranger_pool_left = base::Msat{20'000},
                                 .inference_healthy = true,
                                 .wallet_healthy = true}),
            "1 of 2 slots free, a stranger, strangers' pool 20 sat");
  EXPECT_EQ(
      phrase(ledger::Basis{.slots = 1,
                           .slots_busy = 1,
                           .queued = 3,
                           .customer_exposure = base::Msat{1'500},
                           .customer_credit = base::Msat{40'000},
                           .wallet_healthy = true}),
      "0 of 1 slot free, 3 waiting, credit 40 sat of which 1.5 sat is used, strangers' pool 0 sat, model server down");
}

}  // namespace
}  // namespace replay
