// Pruning: whose texts go, that it is recorded, and that everything else stays.
#include "replay/pruning.h"

#include <gtest/gtest.h>

#include "replay/auditor.h"
#include "replay/jobs_view.h"
#include "tests/unit/replay/honest_shop.h"
#include "tests/unit/replay/shop_ledger.h"

namespace replay {
namespace {

class PruningTest : public testing::Test {
 protected:
  PruningTest() {
    paid = shop.ask("Why is the sky blue?");
    unpaid = shop.ask("And at dusk red?");
    shop.pay(paid);
    ledger.write(shop.entries);
    end = shop.now + 1;
  }

  // Prunes, and writes what the engine would.
  ledger::TextsPruned prune_until(base::TimeMs before) {
    const auto take = [&](core::PruningOrdered batch) {
      ++batches;
      ledger.write({{.time = end, .fact = batch.pruned, .gone = batch.texts}});
      return base::Result<void>();
    };
    const auto pruned = prune(ledger.reader, before, take);
    EXPECT_TRUE(pruned) << pruned.error().describe();
    return pruned.value_or(ledger::TextsPruned{});
  }

  std::optional<std::string> question_of(const base::JobId& id) const {
    return ledger.reader.text(find_job(ledger.reader, id)->value().request->request).value();
  }

  HonestShop shop;
  ShopLedger ledger;
  base::JobId paid, unpaid;
  base::TimeMs end;
  int batches = 0;
};

TEST_F(PruningTest, OnlyWhatHasEndedLosesItsTexts) {
  const ledger::TextsPruned pruned = prune_until(end);
  EXPECT_EQ(pruned.jobs, 1u);
  EXPECT_GE(pruned.texts, 4u) << "request, result, and the tags of its notices";
  EXPECT_GT(pruned.bytes, 0u);
  EXPECT_EQ(batches, 1);
  EXPECT_EQ(question_of(paid), std::nullopt);
  EXPECT_TRUE(question_of(unpaid)) << "its invoice is still watched";
}

TEST_F(PruningTest, WhatHappenedLaterIsLeftAlone) {
  EXPECT_EQ(prune_until(find_job(ledger.reader, paid)->value().updated_at).texts, 0u);
  EXPECT_EQ(batches, 0) << "nothing is recorded for nothing";
  EXPECT_TRUE(question_of(paid));
}

TEST_F(PruningTest, ASecondTimeThereIsNothingLeft) {
  prune_until(end);
  EXPECT_EQ(prune_until(end).texts, 0u);
  EXPECT_EQ(batches, 1);
}

TEST_F(PruningTest, FactsAndProofsStayWhole) {
  prune_until(end);
  sim::SimDisk scratch;
  const auto found = audit(ledger.disk, scratch);
  ASSERT_TRUE(found) << found.error().describe();
  EXPECT_TRUE(found->findings.empty()) << found->findings.front().what;
  EXPECT_GT(found->pruned_texts, 0u);
}

TEST_F(PruningTest, AnErrorOfTheTakerEndsIt) {
  const auto failed = prune(ledger.reader, end, [](const core::PruningOrdered&) -> base::Result<void> {
    return base::fail(base::ErrorKind::invocation, "test.full", "the disk is full");
  });
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, "test.full");
}

TEST(Pruning, NothingOfAJobWithMoneyOwed) {
  core::Job job;
  job.request = ledger::JobRequested{};
  job.declined = ledger::JobDeclined{};
  const base::TimeMs later = job.updated_at + 1;
  EXPECT_TRUE(prunable(job, later));
  EXPECT_FALSE(prunable(job, job.updated_at));
  job.refunds.push_back({.owed = {.amount = base::Msat{1'000}}});
  EXPECT_FALSE(prunable(job, later));
  job.refunds.back().paid = ledger::RefundPaid{};
  EXPECT_TRUE(prunable(job, later));
}

TEST(Pruning, NothingWhileANoticeIsOnItsWay) {
  core::Job job;
  job.request = ledger::JobRequested{};
  job.declined = ledger::JobDeclined{.told = true};
  job.notices.push_back({.notice = {.purpose = ledger::NoticePurpose::error, .targets = {"wss://relay.example"}}});
  EXPECT_FALSE(prunable(job, job.updated_at + 1));
  job.notices.back().closed = true;
  EXPECT_TRUE(prunable(job, job.updated_at + 1));
}

}  // namespace
}  // namespace replay
