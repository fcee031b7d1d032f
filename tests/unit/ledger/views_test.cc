// View rows can always be made again, and never come from anything but the projections that read them.
#include "ledger/views.h"

#include <gtest/gtest.h>

#include "ledger/ledger.h"
#include "ledger/reader.h"
#include "tests/support/sample_ledger.h"
#include "tests/support/sim_disk.h"

namespace ledger {
namespace {

using sim::Fault;
using sim::sample_group;
using sim::SampleView;
using sim::SimDisk;

SimDisk ledger_with(std::size_t entries, std::vector<Projection*> views) {
  SimDisk disk;
  auto ledger = Ledger::open(disk, std::move(views));
  EXPECT_TRUE(ledger);
  const Group group = sample_group(0, entries);
  EXPECT_TRUE((*ledger)->append({&group, 1}));
  return disk;
}

TEST(Views, AnotherVersionRefusesWritingAndNamesTheCommand) {
  SampleView old_view(1);
  SampleView new_view(2);
  SimDisk disk = ledger_with(5, {&old_view});
  const auto opened = Ledger::open(disk, {&new_view});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, "ledger.views_stale");
  EXPECT_NE(opened.error().hint.find("sellcompute replay --rebuild-views"), std::string::npos);
  EXPECT_EQ(Ledger::open(disk, {}).error().code, "ledger.views_stale") << "without it, its rows would fall behind";
  EXPECT_TRUE(Ledger::open(disk, {&old_view}));
}

TEST(Views, AnEmptyLedgerTakesAnyProjection) {
  SampleView old_view(1);
  SampleView new_view(2);
  SimDisk disk;
  EXPECT_TRUE(Ledger::open(disk, {&old_view}));
  EXPECT_TRUE(Ledger::open(disk, {&new_view}));
}

TEST(Views, RebuildingGivesTheSameBytesAsLiveAppends) {
  SampleView view;
  SimDisk disk = ledger_with(600, {&view});
  const std::string live = disk.dump();
  ASSERT_TRUE(rebuild_views(disk, {&view}));
  EXPECT_EQ(disk.dump(), live);
}

TEST(Views, RebuildingErasesRowsOfProjectionsThatAreGone) {
  SampleView view;
  SimDisk disk = ledger_with(30, {&view});
  ASSERT_TRUE(rebuild_views(disk, {}));
  EXPECT_EQ(disk.dump(), ledger_with(30, {}).dump());
  EXPECT_TRUE(Ledger::open(disk, {}));
}

TEST(Views, ACrashWhileRebuildingLeavesThemStale) {
  SampleView view;
  const std::size_t entries = 50'000;  // two batches of rows
  const SimDisk whole = ledger_with(entries, {&view});
  std::uint64_t commits = 0;
  for (std::uint64_t crash_at = 0;; ++crash_at) {
    SimDisk disk = whole;
    commits = disk.commits();
    disk.on_commit(
        [&](std::uint64_t number, auto&) { return number - commits == crash_at ? Fault::crash_after : Fault::none; });
    try {
      ASSERT_TRUE(rebuild_views(disk, {&view}));
      EXPECT_GE(crash_at, 3U);
      break;
    } catch (const sim::Crashed&) {
    }
    disk.on_commit({});
    const bool finished = check_views(*read_state(disk), {&view}).has_value();
    if (!finished) {
      EXPECT_EQ(Ledger::open(disk, {&view}).error().code, "ledger.views_stale");
      ASSERT_TRUE(rebuild_views(disk, {&view}));
    }
    EXPECT_EQ(disk.dump() == whole.dump(), true) << "crash at commit " << crash_at;
  }
}

TEST(Views, ARowsRangeIsThatOfItsProjectionAlone) {
  SampleView view;
  const SimDisk disk = ledger_with(22, {&view});
  const Reader reader(disk);
  std::vector<std::string> forward;
  std::vector<std::string> back;
  ASSERT_TRUE(reader.rows("sample", "type/", {}, [&](auto key, auto) { return forward.emplace_back(key), true; }));
  ASSERT_TRUE(reader.rows_back("sample", "type/", {}, [&](auto key, auto) { return back.emplace_back(key), true; }));
  ASSERT_GE(forward.size(), 7U);
  EXPECT_EQ(forward.front(), "type/16");
  EXPECT_EQ(std::vector<std::string>(back.rbegin(), back.rend()), forward);
  ASSERT_TRUE(
      reader.rows("sampl", {}, {}, [](auto, auto) { return ADD_FAILURE() << "another projection's row", true; }));
}

}  // namespace
}  // namespace ledger
