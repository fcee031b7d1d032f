// Whoever waits for the disk waits together, and is told in order.
#include "ledger/group_commit.h"

#include <gtest/gtest.h>

#include <future>
#include <latch>

#include "ledger/reader.h"
#include "tests/support/sample_ledger.h"
#include "tests/support/sim_disk.h"

namespace ledger {
namespace {

using sim::Fault;
using sim::sample_group;
using sim::SimDisk;

std::unique_ptr<Ledger> open(SimDisk& disk) {
  return std::move(Ledger::open(disk, {}).value());
}

TEST(GroupCommit, WhatWaitsDuringACommitSharesTheNext) {
  SimDisk disk;
  auto ledger = open(disk);
  std::latch writing(1);
  std::latch queued(1);
  bool first = true;
  disk.on_commit([&](auto, auto&) {
    if (std::exchange(first, false)) {
      writing.count_down();
      queued.wait();
    }
    return Fault::none;
  });
  const std::uint64_t before = disk.commits();
  std::vector<int> told;
  GroupCommit writer(std::move(ledger));
  const auto submit = [&](Seq seq) {
    ASSERT_TRUE(writer.submit(sample_group(seq, 1), [&told, seq](const Result<void>& done) {
      EXPECT_TRUE(done);
      told.push_back(static_cast<int>(seq));
    }));
  };
  submit(0);
  writing.wait();
  for (Seq seq = 1; seq < 100; ++seq) submit(seq);
  queued.count_down();
  writer.stop();
  EXPECT_EQ(disk.commits(), before + 2);
  ASSERT_EQ(told.size(), 100U);
  EXPECT_TRUE(std::is_sorted(told.begin(), told.end()));
}

TEST(GroupCommit, AFullQueueRefusesAndSaysSo) {
  SimDisk disk;
  auto ledger = open(disk);
  std::latch writing(1);
  std::latch go(1);
  bool first = true;
  disk.on_commit([&](auto, auto&) {
    if (std::exchange(first, false)) {
      writing.count_down();
      go.wait();
    }
    return Fault::none;
  });
  int told = 0;
  GroupCommit writer(std::move(ledger), 2);
  ASSERT_TRUE(writer.submit(sample_group(0, 1), [&](auto) { ++told; }));
  writing.wait();
  ASSERT_TRUE(writer.submit(sample_group(1, 1), [&](auto) { ++told; }));
  ASSERT_TRUE(writer.submit(sample_group(2, 1), [&](auto) { ++told; }));
  const auto refused = writer.submit(sample_group(3, 1), [&](auto) { ADD_FAILURE() << "it was refused"; });
  go.count_down();
  writer.stop();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "ledger.queue_full");
  EXPECT_EQ(told, 3);
}

TEST(GroupCommit, TasksRunBetweenTheGroupsInOrder) {
  SimDisk disk;
  GroupCommit writer(open(disk));
  std::promise<Seq> size;
  for (Seq seq = 0; seq < 3; ++seq) ASSERT_TRUE(writer.submit(sample_group(seq, 1), [](auto) {}));
  ASSERT_TRUE(writer.submit_task([&](Ledger& ledger) { size.set_value(ledger.size()); }));
  ASSERT_TRUE(writer.submit(sample_group(3, 1), [](auto) {}));
  EXPECT_EQ(size.get_future().get(), 3U);
}

TEST(GroupCommit, AFailedCommitFailsItsGroupsAndAllLaterOnes) {
  SimDisk disk;
  auto ledger = open(disk);
  disk.on_commit([](auto, auto&) { return Fault::fail_lost; });
  std::vector<std::string> codes;
  GroupCommit writer(std::move(ledger));
  std::promise<void> failed;
  ASSERT_TRUE(writer.submit(sample_group(0, 1), [&](Result<void> done) {
    codes.push_back(done.error().code);
    failed.set_value();
  }));
  failed.get_future().wait();
  ASSERT_TRUE(writer.submit(sample_group(0, 1), [&](Result<void> done) { codes.push_back(done.error().code); }));
  writer.stop();
  EXPECT_EQ(codes, (std::vector<std::string>{"sim.commit_failed", "ledger.failed"}));
}

class Checkpointing : public testing::Test {
 protected:
  // What is told about one that is asked for behind an entry.
  Result<std::string> make_checkpoint_with(const DigestSigner& signer) {
    EXPECT_TRUE(writer.submit(sample_group(0, 1), [](auto) {}));
    std::promise<Result<std::string>> told;
    make_checkpoint(writer, TimeMs{5}, PublicKey{}, signer,
                    [&](const Result<std::string>& note) { told.set_value(note); });
    return told.get_future().get();
  }

  SimDisk disk;
  GroupCommit writer{open(disk)};
  const DigestSigner sign = [](const Hash256&) { return Signature{}; };
};

TEST_F(Checkpointing, CoversWhatWasQueuedBeforeAndIsKept) {
  const auto note = make_checkpoint_with(sign);
  ASSERT_TRUE(note);
  const StoredCheckpoint kept = Reader(disk).last_checkpoint().value().value();
  EXPECT_EQ(kept.size, 1U);
  EXPECT_EQ(kept.note, *note);
}

TEST_F(Checkpointing, AFailureToSignIsTold) {
  const auto told = make_checkpoint_with([](const Hash256&) { return fail(ErrorKind::invocation, "no.key", "none"); });
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, "no.key");
}

TEST_F(Checkpointing, AFailureToWriteIsTold) {
  disk.on_commit(
      [entry = true](auto, auto&) mutable { return std::exchange(entry, false) ? Fault::none : Fault::fail_lost; });
  const auto told = make_checkpoint_with(sign);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, "sim.commit_failed");
}

TEST_F(Checkpointing, OneThatCannotBeQueuedIsToldAtOnce) {
  writer.stop();
  Result<std::string> told;
  make_checkpoint(writer, TimeMs{5}, PublicKey{}, sign, [&](const Result<std::string>& note) { told = note; });
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, "ledger.stopped");
}

TEST(GroupCommit, StoppingFinishesWhatIsQueuedAndRefusesMore) {
  SimDisk disk;
  GroupCommit writer(open(disk));
  int told = 0;
  for (Seq seq = 0; seq < 50; ++seq) ASSERT_TRUE(writer.submit(sample_group(seq, 1), [&](auto) { ++told; }));
  writer.stop();
  EXPECT_EQ(told, 50);
  EXPECT_EQ(writer.submit(sample_group(50, 1), [](auto) {}).error().code, "ledger.stopped");
}

}  // namespace
}  // namespace ledger
