#include "cmd/provider/checkpoints.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>

#include "ledger/reader.h"
#include "tests/sim/virtual_time.h"
#include "tests/support/sim_disk.h"

namespace cmd {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::int64_t kFiveMinutesMs = 5LL * 60 * 1000;

class CheckpointsTest : public testing::Test {
 protected:
  // What was posted so far, once the writer thread has ended.
  void run_posted() {
    commits.stop();
    for (const auto& task : posted) task();
  }

  sim::VirtualTime world{base::TimeMs{1'763'800'000'500}};
  sim::ProcessTime time{world};
  sim::SimDisk disk;
  const nostr::SecretKey key = *nostr::SecretKey::from_bytes(std::string(32, 1));
  base::Result<nostr::AuxRandom> random;
  std::mutex mutex;
  std::vector<std::function<void()>> posted;
  std::vector<std::string> problems;
  ledger::GroupCommit commits{std::move(ledger::Ledger::open(disk, {}).value())};
  Checkpoints checkpoints{{.scheduler = time,
                           .post =
                               [this](std::function<void()> task) {
                                 const std::lock_guard lock(mutex);
                                 posted.push_back(std::move(task));
                               },
                           .commits = commits,
                           .key = key,
                           .random = [this] { return random; },
                           .problem = [this](const std::string& what) { problems.push_back(what); }}};
};

TEST_F(CheckpointsTest, OneIsKeptSignedByTheProvider) {
  std::string made;
  checkpoints.make([&](const auto& note) { made = note.value(); });
  EXPECT_EQ(made, "");
  run_posted();
  EXPECT_THAT(problems, IsEmpty());
  const auto last = ledger::Reader(disk).last_checkpoint();
  ASSERT_TRUE(last);
  ASSERT_TRUE(last->has_value());
  EXPECT_EQ((*last)->note, made);
}

TEST_F(CheckpointsTest, OneThatCannotBeSignedIsReportedAndNothingWaitsForIt) {
  random = base::fail(base::ErrorKind::invocation, "key.no_randomness", "the system has no randomness");
  bool made = false;
  checkpoints.make([&](const auto&) { made = true; });
  run_posted();
  EXPECT_TRUE(made);
  EXPECT_THAT(problems, ElementsAre(StartsWith("no checkpoint was made: the system has no randomness")));
}

TEST_F(CheckpointsTest, AfterTheLedgerHasStoppedNothingWaitsEither) {
  commits.stop();
  bool made = false;
  checkpoints.make([&](const auto&) { made = true; });
  EXPECT_FALSE(made) << "called inside the call";
  run_posted();
  EXPECT_TRUE(made);
  EXPECT_THAT(problems, ElementsAre(StartsWith("no checkpoint was made: ")));
}

TEST_F(CheckpointsTest, OneIsMadeEveryFiveMinutes) {
  std::vector<std::string> made;
  checkpoints.make_regularly([&](const std::string& note) { made.push_back(note); });
  const base::TimeMs start = world.now();
  while (world.step(start + (kFiveMinutesMs - 1))) {
  }
  EXPECT_THAT(posted, IsEmpty());
  while (world.step(start + 2 * kFiveMinutesMs)) {
  }
  run_posted();
  EXPECT_EQ(made.size(), 2U);
  EXPECT_THAT(problems, IsEmpty());
}

}  // namespace
}  // namespace cmd
