// What the runtime looks at, how often, and who hears of it.
#include "pipeline/runtime/readiness_watch.h"

#include <gmock/gmock.h>

#include "tests/unit/pipeline/runtime/part_test.h"

namespace runtime {
namespace {

using core::ReadinessJudged;
using core::ReadinessPart;

struct AnsweringWallet final : wallet::Wallet {
  std::string kind() const override { return "scripted"; }
  wallet::Abilities abilities() const override { return {}; }
  bool play_money() const override { return true; }
  base::Msat unit() const override { return {1'000}; }
  base::Msat minimum() const override { return {1'000}; }
  void create_invoice(const wallet::InvoiceOrder&, std::function<void(base::Result<wallet::MadeInvoice>)>) override {}
  void look_up(const ledger::InvoiceIssued&, std::function<void(base::Result<wallet::LookupAnswer>)>) override {}
  void status(std::function<void(base::Result<wallet::WalletStatus>)> done) override {
    ++asked;
    done(answer);
  }
  base::Result<wallet::WalletStatus> answer = wallet::WalletStatus{.name = "scripted", .balance = base::Msat{12'000}};
  int asked = 0;
};

class ReadinessWatchTest : public PartTest {
 protected:
  // The part as the engine heard it last.
  std::string heard(ReadinessPart part) const {
    const ReadinessJudged last = all<ReadinessJudged>().back();
    for (const core::PartReadiness& one : last.parts) {
      if (one.part == part) return one.code;
    }
    return "not judged";
  }
  void start() {
    open({}, {.payment_mode = ledger::PaymentMode::result_first});
    watch.start();
  }

  AnsweringWallet answering;
  Ports with_answers = [this] {
    return Ports{.journal = journal,
                 .wallet = answering,
                 .backend = backend,
                 .relays = relays,
                 .web = web,
                 .scheduler = time,
                 .random = [] { return base::Salt{}; },
                 .disk_low = [this] { return disk_low; }};
  }();
  Context seen_from{.ports = with_answers,
                    .key = key,
                    .options = options,
                    .engine = engine,
                    .post = context.post,
                    .fail = context.fail,
                    .all_durable = [] { return true; },
                    .failed = context.failed,
                    .problem = context.problem};
  std::vector<core::Observation> our_relays;
  std::vector<core::Readiness> changes;
  ReadinessWatch watch{
      seen_from,
      {.observe = [this](core::Observations& seen) { seen.relays = our_relays; },
       .changed = [this](const core::Readiness&, const core::Readiness& now) { changes.push_back(now); }}};
};

TEST_F(ReadinessWatchTest, LooksEveryQuarterOfAMinute) {
  start();
  pass(60'000);
  EXPECT_EQ(answering.asked, 5);
  EXPECT_EQ(heard(ReadinessPart::wallet), "");
  EXPECT_EQ(changes.size(), 1U) << "only what differs is told";
}

TEST_F(ReadinessWatchTest, TellsWhatFailsAndWhatWorksAgain) {
  start();
  const auto well = answering.answer;
  answering.answer = base::fail(base::ErrorKind::payment, "wallet.unreachable", "no answer");
  pass(15'000);
  EXPECT_EQ(heard(ReadinessPart::wallet), "wallet.unreachable");
  EXPECT_FALSE(watch.readiness().ready(ledger::PaymentMode::result_first));
  answering.answer = well;
  pass(15'000);
  EXPECT_EQ(heard(ReadinessPart::wallet), "");
  EXPECT_EQ(changes.size(), 3U);
}

TEST_F(ReadinessWatchTest, AFullDiskIsOneOfTheThings) {
  start();
  disk_low = true;
  pass(15'000);
  EXPECT_EQ(heard(ReadinessPart::disk), "disk.low");
}

TEST_F(ReadinessWatchTest, WhatTheOwnerSeesIsJudgedAtOnce) {
  start();
  our_relays = {{.which = "wss://a.example", .error = base::Error{.code = "relay.unreachable"}}};
  watch.judge();
  EXPECT_EQ(heard(ReadinessPart::relays), "relay.unreachable");
}

TEST_F(ReadinessWatchTest, WhileWeAreOfflineNothingIsAskedOrJudged) {
  start();
  watch.pause();
  const int asked = answering.asked;
  const std::size_t judged = posted.size();
  pass(60'000);
  watch.judge();
  EXPECT_EQ(answering.asked, asked);
  EXPECT_EQ(posted.size(), judged);
  watch.resume();
  EXPECT_GT(posted.size(), judged);
}

TEST_F(ReadinessWatchTest, WhatTheOwnerWasToldBeforeTheStartCounts) {
  watch.hear(
      base::Result<wallet::WalletStatus>(base::fail(base::ErrorKind::payment, "wallet.unreachable", "no answer")));
  answering.answer = base::fail(base::ErrorKind::payment, "wallet.unreachable", "no answer");
  start();
  EXPECT_EQ(heard(ReadinessPart::wallet), "wallet.unreachable");
}

}  // namespace
}  // namespace runtime
