// The single writer: what one append makes durable, what it refuses, and what is there after a restart.
#include "ledger/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "ledger/reader.h"
#include "tests/support/sample_ledger.h"
#include "tests/support/sim_disk.h"

namespace ledger {
namespace {

using base::sha256;
using sim::Fault;
using sim::sample_entry;
using sim::sample_group;
using sim::SampleView;
using sim::SimDisk;

std::unique_ptr<Ledger> open(SimDisk& disk, std::vector<Projection*> views = {}) {
  auto opened = Ledger::open(disk, std::move(views));
  EXPECT_TRUE(opened) << opened.error().describe();
  return opened ? std::move(*opened) : nullptr;
}

Result<void> append(Ledger& ledger, std::size_t count) {
  const Group group = sample_group(ledger.size(), count);
  return ledger.append({&group, 1});
}

TEST(Ledger, BeginsEmpty) {
  SimDisk disk;
  const auto ledger = open(disk);
  EXPECT_EQ(ledger->size(), 0U);
  EXPECT_EQ(ledger->last_time(), TimeMs{});
  EXPECT_EQ(ledger->root(), empty_root());
}

TEST(Ledger, ReadsBackWhatWasAppended) {
  SimDisk disk;
  const auto ledger = open(disk);
  ASSERT_TRUE(append(*ledger, 20));
  const Reader reader(disk);
  EXPECT_EQ(reader.size(), 20U);
  const auto entry = reader.entry(12);
  ASSERT_TRUE(entry);
  const NewEntry given = sample_entry(12);
  EXPECT_EQ(entry->seq, 12U);
  EXPECT_EQ(entry->header.time, given.time);
  EXPECT_EQ(entry->header.job, given.job);
  EXPECT_EQ(encode_facts(entry->fact), encode_facts(given.fact));
  EXPECT_EQ(entry->header.facts_sha256, sha256(encode_facts(given.fact)));
  EXPECT_EQ(reader.cursor("wss://relay.one"), ledger->last_time());
  EXPECT_EQ(reader.cursor("wss://new"), std::nullopt);
  EXPECT_EQ(reader.entry(20).error().code, "ledger.no_entry");
}

TEST(Ledger, TheRootIsTheMerkleRootOverTheHeaders) {
  SimDisk disk;
  const auto ledger = open(disk);
  ASSERT_TRUE(append(*ledger, 2));
  std::vector<Hash256> leaves;
  ASSERT_TRUE(Reader(disk).for_each_raw(0, 2, [&](const RawEntry& raw) {
    leaves.push_back(leaf_hash(raw.header));
    return true;
  }));
  EXPECT_EQ(ledger->root(), node_hash(leaves[0], leaves[1]));
}

TEST(Ledger, AGroupIsOneCommit) {
  SimDisk disk;
  SampleView view;
  const auto ledger = open(disk, {&view});
  const std::uint64_t before = disk.commits();
  const std::vector<Group> groups = {sample_group(0, 5), sample_group(5, 5), sample_group(10, 300)};
  ASSERT_TRUE(ledger->append(groups));
  EXPECT_EQ(disk.commits(), before + 1);
}

TEST(Ledger, WritesEachKeyOnceInABatch) {
  SimDisk disk;
  SampleView view;
  const auto ledger = open(disk, {&view});
  std::multiset<std::string> rows;
  disk.on_commit([&](std::uint64_t, const Batch& batch) {
    for (const auto& write : batch.writes) rows.insert(std::string(name(write.family)) + write.key);
    return Fault::none;
  });
  const std::vector<Group> groups = {sample_group(0, 100), sample_group(100, 200)};
  ASSERT_TRUE(ledger->append(groups));
  for (const std::string& row : rows) {
    EXPECT_TRUE(rows.count(row) == 1 || row.starts_with("meta")) << row;
  }
}

TEST(Ledger, AViewSeesItsOwnRowsOfTheSameBatchAndOfEarlierOnes) {
  SimDisk disk;
  SampleView view;
  const auto ledger = open(disk, {&view});
  ASSERT_TRUE(append(*ledger, 5));
  ASSERT_TRUE(append(*ledger, 6));
  EXPECT_EQ(Reader(disk).row("sample", "job/" + sample_entry(0).job.hex()), "11");
}

TEST(Ledger, ATextIsStoredOnceUnderItsReference) {
  SimDisk disk;
  const auto ledger = open(disk);
  const Text text = sample_entry(0).texts.at(0);
  Group group = sample_group(0, 3);
  group.entries[1].fact = NoticeSigned{.content = ref(text)};
  group.entries[1].texts = {text};
  ASSERT_TRUE(ledger->append({&group, 1}));
  EXPECT_EQ(Reader(disk).text(ref(text)), text.bytes);
  int stored = 0;
  ASSERT_TRUE(disk.scan(Family::texts, {}, {}, [&](auto, auto) { return ++stored > 0; }));
  EXPECT_EQ(stored, 1);
}

TEST(LedgerDeathTest, ATextThatItsFactDoesNotReferToIsNeverWritten) {
  SimDisk disk;
  const auto ledger = open(disk);
  Group group = sample_group(0, 3);
  group.entries[1].texts = {sample_entry(0).texts.at(0)};
  EXPECT_DEATH(std::ignore = ledger->append({&group, 1}), "refers_to.* = JobQuoted");
}

TEST(Ledger, ASizeThatNoLedgerReachesIsDamage) {
  SimDisk disk;
  Batch batch;
  put_state(batch, {.format_version = kFormatVersion, .size = kMaxEntries + 1});
  ASSERT_TRUE(disk.commit(batch));
  const auto opened = Ledger::open(disk, {});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "ledger.damaged");
  EXPECT_EQ(opened.error().context, "meta state");
}

TEST(Ledger, ATextThatIsGoneLeavesAnEmptyValueInItsPlace) {
  SimDisk disk;
  const auto ledger = open(disk);
  const TextRef text = ref(sample_entry(0).texts.at(0));
  ASSERT_TRUE(append(*ledger, 3));
  const Group pruning{.entries = {{.time = ledger->last_time(), .fact = TextsPruned{.texts = 1}, .gone = {text}}}};
  ASSERT_TRUE(ledger->append({&pruning, 1}));
  EXPECT_EQ(Reader(disk).text(text), std::nullopt);
  EXPECT_EQ(disk.get(Family::texts, text.view()), std::string());
}

TEST(Ledger, ATextThatIsMissingThoughNothingSaysSoIsDamage) {
  SimDisk disk;
  const auto ledger = open(disk);
  const TextRef text = ref(sample_entry(0).texts.at(0));
  ASSERT_TRUE(append(*ledger, 3));
  Batch batch;
  batch.erase(Family::texts, std::string(text.view()));
  ASSERT_TRUE(disk.commit(batch));
  EXPECT_EQ(Reader(disk).text(text).error().code, "ledger.damaged");
  EXPECT_EQ(Reader(disk).text(text).error().context, "text " + text.hex());
}

TEST(Ledger, RefusesTimeThatGoesBackAndStaysUsable) {
  SimDisk disk;
  const auto ledger = open(disk);
  ASSERT_TRUE(append(*ledger, 3));
  Group late = sample_group(3, 2);
  late.entries[1].time = late.entries[0].time - 1;
  const std::string before = disk.dump();
  const auto refused = ledger->append({&late, 1});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "ledger.time_order");
  EXPECT_EQ(refused.error().context, "entry 4");
  EXPECT_EQ(disk.dump(), before);
  EXPECT_TRUE(append(*ledger, 1));
}

TEST(Ledger, ReopensToTheSameRootAtEverySize) {
  SimDisk disk;
  SampleView view;
  auto ledger = open(disk, {&view});
  for (Seq size = 0; size <= 600; ++size) {
    const Hash256 root = ledger->root();
    const TimeMs time = ledger->last_time();
    ledger = open(disk, {&view});
    ASSERT_EQ(ledger->size(), size);
    ASSERT_EQ(ledger->root(), root) << size;
    ASSERT_EQ(ledger->last_time(), time);
    ASSERT_TRUE(append(*ledger, 1));
  }
}

TEST(Ledger, TheBytesDoNotDependOnHowEntriesWereGrouped) {
  SimDisk one_by_one;
  SimDisk at_once;
  SampleView view;
  const auto first = open(one_by_one, {&view});
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(append(*first, 1));
  const auto second = open(at_once, {&view});
  ASSERT_TRUE(append(*second, 300));
  EXPECT_EQ(one_by_one.dump(), at_once.dump());
}

TEST(Ledger, IsPoisonedByAFailedCommit) {
  SimDisk disk;
  const auto ledger = open(disk);
  ASSERT_TRUE(append(*ledger, 3));
  disk.on_commit([](auto, auto&) { return Fault::fail_lost; });
  EXPECT_EQ(append(*ledger, 1).error().code, "sim.commit_failed");
  disk.crash();
  disk.on_commit({});
  const std::uint64_t commits = disk.commits();
  EXPECT_EQ(append(*ledger, 1).error().code, "ledger.failed")
      << "a healthy disk does not help: its contents are unknown";
  EXPECT_EQ(ledger->put_checkpoint(3, "note").error().code, "ledger.failed");
  EXPECT_EQ(disk.commits(), commits);
  EXPECT_EQ(open(disk)->size(), 3U);
}

TEST(Ledger, IsPoisonedByAProjectionThatFails) {
  class Broken final : public Projection {
    std::string_view name() const override { return "broken"; }
    std::uint32_t version() const override { return 1; }
    Result<void> apply(const Entry& entry, Rows&) override {
      if (entry.seq < 1) return {};
      return fail(ErrorKind::invocation, "test.broken", "no");
    }
  } broken;
  SimDisk disk;
  const auto ledger = open(disk, {&broken});
  ASSERT_TRUE(append(*ledger, 1));
  EXPECT_EQ(append(*ledger, 1).error().code, "test.broken");
  EXPECT_EQ(append(*ledger, 1).error().code, "ledger.failed");
  EXPECT_EQ(Reader(disk).size(), 1U);
}

TEST(Ledger, AfterACrashItHoldsAllOfABatchOrNothing) {
  for (const Fault fault : {Fault::crash_before, Fault::crash_after, Fault::fail_lost, Fault::fail_kept}) {
    SimDisk disk;
    SampleView view;
    auto ledger = open(disk, {&view});
    ASSERT_TRUE(append(*ledger, 255));
    const std::string before = disk.dump();
    disk.on_commit([fault](auto, auto&) { return fault; });
    try {
      EXPECT_FALSE(append(*ledger, 2));
    } catch (const sim::Crashed&) {
    }
    disk.crash();
    disk.on_commit({});
    const bool kept = fault == Fault::crash_after || fault == Fault::fail_kept;
    EXPECT_EQ(disk.dump() == before, !kept);
    EXPECT_EQ(open(disk, {&view})->size(), kept ? 257U : 255U);
  }
}

TEST(Ledger, KeepsCheckpointsInOrder) {
  SimDisk disk;
  const auto ledger = open(disk);
  for (const Seq size : {300U, 2U, 70000U}) ASSERT_TRUE(ledger->put_checkpoint(size, "note " + std::to_string(size)));
  const auto checkpoints = Reader(disk).checkpoints();
  ASSERT_TRUE(checkpoints);
  ASSERT_EQ(checkpoints->size(), 3U);
  EXPECT_EQ(checkpoints->at(0).size, 2U);
  EXPECT_EQ(checkpoints->at(2).note, "note 70000");
  EXPECT_EQ(Reader(disk).last_checkpoint().value()->size, 70000U);
}

TEST(Ledger, RefusesALedgerOfANewerFormat) {
  SimDisk disk;
  Batch batch;
  put_state(batch, State{.format_version = kFormatVersion + 1});
  ASSERT_TRUE(disk.commit(batch));
  EXPECT_EQ(Ledger::open(disk, {}).error().code, "ledger.newer_format");
}

TEST(Ledger, RefusesToOpenOnDamageThatTheEndShows) {
  SimDisk whole;
  ASSERT_TRUE(append(*open(whole), 300));
  const auto opened_without = [&](Family family, std::string key) {
    SimDisk disk = whole;
    Batch batch;
    batch.erase(family, std::move(key));
    EXPECT_TRUE(disk.commit(batch));
    return Ledger::open(disk, {}).error();
  };
  EXPECT_EQ(opened_without(Family::entries, entry_key(299)).describe().substr(0, 34),
            "the entry is missing (entry 299): ");
  EXPECT_EQ(opened_without(Family::tiles, TileId{}.key()).context, "tile 0/0");
  EXPECT_EQ(opened_without(Family::meta, std::string(kStateKey)).context, "meta state");
}

}  // namespace
}  // namespace ledger
