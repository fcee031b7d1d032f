// A line for whoever waits, and nothing for whoever does not.
#include "cmd/cli/progress.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "tests/support/sim_disk.h"

namespace cmd {
namespace {

using ledger::Family;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

// What is told while 2,000 entries are read twice, first together, then each alone.
std::string told(bool interactive, Verbosity verbosity = Verbosity::normal) {
  sim::SimDisk disk;
  ledger::Batch batch;
  for (int i = 0; i < 2'000; ++i) batch.put(Family::entries, std::to_string(i), "entry");
  batch.put(Family::meta, "state", "");
  EXPECT_TRUE(disk.commit(batch));

  std::istringstream in;
  std::ostringstream out, err;
  Context context{in, out, err, {}, {.interactive = interactive}, verbosity, {}};
  {
    const ReadProgress progress(disk, 2'000, 2, context);
    int seen = 0;
    EXPECT_TRUE(progress.scan(Family::entries, {}, {}, [&](auto, auto) { return ++seen > 0; }));
    EXPECT_EQ(seen, 2'000);
    EXPECT_EQ(progress.get(Family::meta, "state").value(), "") << "no entry, not counted";
    for (int i = 0; i < 2'000; ++i) EXPECT_TRUE(progress.get(Family::entries, std::to_string(i)).value());
  }
  EXPECT_EQ(out.str(), "");
  return err.str();
}

TEST(Progress, IsOneLineThatIsWrittenAnewAndLeavesNothing) {
  const std::string line = told(true);
  EXPECT_THAT(line, StartsWith("\r\033[K20 of 2,000 entries, 1 %\r\033[K40 of 2,000 entries, 2 %\r"));
  EXPECT_THAT(line, HasSubstr("K1,000 of 2,000 entries, 50 %"));
  EXPECT_THAT(line, EndsWith("2,000 of 2,000 entries, 100 %\r\033[K"));
}

TEST(Progress, NobodyWatchesNothingIsSaid) {
  EXPECT_EQ(told(false), "");
  EXPECT_EQ(told(true, Verbosity::quiet), "");
}

// What is told of a wait of two and a half seconds that ends with a line of something else.
std::string told_while_waiting(bool interactive, Verbosity verbosity = Verbosity::normal) {
  std::istringstream in;
  std::ostringstream out, err;
  Context context{in, out, err, {}, {.interactive = interactive}, verbosity, {}};
  base::TimeMs now{1'000};
  WaitLine line(context, [&] { return now; });
  for (const std::int64_t ms : {0, 1'000, 1'500}) {
    now = now + ms;
    line.show("the payment");
  }
  line.clear();
  line.clear();
  EXPECT_EQ(out.str(), "");
  return err.str();
}

TEST(WaitLine, SaysForWhatAndHowLongAndLeavesNothing) {
  EXPECT_EQ(told_while_waiting(true),
            "\r\033[Kwaiting for the payment, 1 s\r\033[Kwaiting for the payment, 2 s\r\033[K");
}

TEST(WaitLine, NobodyWatchesNothingIsSaid) {
  EXPECT_EQ(told_while_waiting(false), "");
  EXPECT_EQ(told_while_waiting(true, Verbosity::quiet), "");
}

}  // namespace
}  // namespace cmd
