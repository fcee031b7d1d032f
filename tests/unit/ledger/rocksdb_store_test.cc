// The store on a real disk: one writer, readers beside it, everything there after a restart.
#include "ledger/rocksdb_store.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/temporary_folder.h"
#include "ledger/ledger.h"
#include "ledger/reader.h"
#include "tests/support/sample_ledger.h"
#include "tests/support/sim_disk.h"

namespace ledger {
namespace {

namespace fs = std::filesystem;

void append(Ledger& ledger, std::size_t count) {
  const Group group = sim::sample_group(ledger.size(), count);
  const auto done = ledger.append({&group, 1});
  ASSERT_TRUE(done) << done.error().describe();
}

std::unique_ptr<KeyValue> writer(const fs::path& folder) {
  auto opened = open_writer(folder);
  EXPECT_TRUE(opened) << opened.error().describe();
  return std::move(opened.value());
}

TEST(RocksDbStore, HoldsWhatASimulatedDiskHolds) {
  const base::TemporaryFolder folder = base::TemporaryFolder::make("test").value();
  sim::SimDisk simulated;
  sim::SampleView view;
  for (const std::size_t count : {3U, 300U, 41U}) {  // reopened between
    const auto store = writer(folder.path());
    append(**Ledger::open(*store, {&view}), count);
    append(**Ledger::open(simulated, {&view}), count);
  }
  const auto store = writer(folder.path());
  for (const Family family : {Family::entries, Family::texts, Family::tiles, Family::views, Family::meta}) {
    std::vector<std::pair<std::string, std::string>> there;
    std::vector<std::pair<std::string, std::string>> expected;
    ASSERT_TRUE(store->scan(family, {}, {}, [&](auto k, auto v) { return there.emplace_back(k, v), true; }));
    ASSERT_TRUE(simulated.scan(family, {}, {}, [&](auto k, auto v) { return expected.emplace_back(k, v), true; }));
    EXPECT_EQ(there, expected) << name(family);
  }
}

TEST(RocksDbStore, ScansRangesInBothDirections) {
  const base::TemporaryFolder folder = base::TemporaryFolder::make("test").value();
  const auto store = writer(folder.path());
  Batch batch;
  for (const char* key : {"a", "b", "c", "d"}) batch.put(Family::meta, key, key);
  ASSERT_TRUE(store->commit(batch));
  const auto keys = [&](std::string_view from, std::string_view until, bool back) {
    std::string out;
    const auto visit = [&](std::string_view key, std::string_view) {
      out += key;
      return out.size() < 3;
    };
    EXPECT_TRUE(back ? store->scan_back(Family::meta, from, until, visit)
                     : store->scan(Family::meta, from, until, visit));
    return out;
  };
  EXPECT_EQ(keys("", "", false), "abc");
  EXPECT_EQ(keys("b", "d", false), "bc");
  EXPECT_EQ(keys("", "", true), "dcb");
  EXPECT_EQ(keys("b", "d", true), "cb");
}

TEST(RocksDbStore, HasOneWriter) {
  const base::TemporaryFolder folder = base::TemporaryFolder::make("test").value();
  auto first = writer(folder.path());
  const auto second = open_writer(folder.path());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, "ledger.locked");
  EXPECT_TRUE(second.error().message.starts_with("process " + std::to_string(getpid()) + " ("))
      << second.error().message;
  first.reset();
  EXPECT_TRUE(open_writer(folder.path()));
}

TEST(RocksDbStore, AReaderNeedsALedger) {
  const base::TemporaryFolder folder = base::TemporaryFolder::make("test").value();
  EXPECT_EQ(open_reader(folder.path() / "none").error().code, "ledger.absent");
}

TEST(RocksDbStore, AReaderSeesTheStoreAsItWasAndWritesNothing) {
  const base::TemporaryFolder folder = base::TemporaryFolder::make("test").value();
  const auto store = writer(folder.path());
  const auto ledger = std::move(Ledger::open(*store, {}).value());
  append(*ledger, 5);
  auto reader = open_reader(folder.path());
  ASSERT_TRUE(reader) << reader.error().describe();
  EXPECT_EQ(Reader(**reader).size(), 5U);
  append(*ledger, 5);
  EXPECT_EQ(Reader(**reader).size(), 5U);
  EXPECT_EQ(Reader(**open_reader(folder.path())).size(), 10U);
  EXPECT_EQ((*reader)->commit({}).error().code, "ledger.read_only");
}

TEST(RocksDbStore, AReaderOpensThroughFlushesOfTheLog) {
  const base::TemporaryFolder folder = base::TemporaryFolder::make("test").value();
  const auto store = writer(folder.path());
  const auto ledger = std::move(Ledger::open(*store, {}).value());
  append(*ledger, 1);
  const auto first = std::move(open_reader(folder.path()).value());
  for (int i = 0; i < 25; ++i) {  // about 1 MB each: the 8 MB write buffers flush, logs go
    append(*ledger, 2000);
    const auto reader = open_reader(folder.path());
    ASSERT_TRUE(reader) << reader.error().describe();
    ASSERT_EQ(Reader(**reader).size(), ledger->size());
    const auto tree = Reader(**reader).tree();
    ASSERT_TRUE(tree) << tree.error().describe();
    ASSERT_EQ(tree->root(), ledger->root());
  }
  EXPECT_TRUE(Reader(*first).tree()) << "its files stay readable though the writer has replaced them";
}

// GoogleTest runs suites of this name first: the process has no threads yet, which a fork would lose.
TEST(RocksDbStoreDeathTest, KilledAtAnyMomentItHoldsWhatWasAcknowledged) {
  const base::TemporaryFolder folder = base::TemporaryFolder::make("test").value();
  int acknowledged[2];
  ASSERT_EQ(::pipe(acknowledged), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    auto store = open_writer(folder.path());
    auto ledger = Ledger::open(**store, {});
    for (std::uint8_t i = 0; i < 255; ++i) {
      const Group group = sim::sample_group((*ledger)->size(), 1);
      if (!(*ledger)->append({&group, 1}) || ::write(acknowledged[1], &i, 1) != 1) ::_exit(1);
    }
    ::pause();
  }
  ::close(acknowledged[1]);  // so that a child that dies early ends the reading
  std::uint8_t count = 0;
  while (count < 40) ASSERT_EQ(::read(acknowledged[0], &count, 1), 1);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  const auto store = writer(folder.path());
  const auto ledger = Ledger::open(*store, {});
  ASSERT_TRUE(ledger) << ledger.error().describe();
  EXPECT_GT((*ledger)->size(), count);
}

}  // namespace
}  // namespace ledger
