#include "base/check.h"

#include <gtest/gtest.h>

#include "base/types.h"

namespace base {
namespace {

int evaluations = 0;

int counted(int value) {
  ++evaluations;
  return value;
}

TEST(Check, DoesNothingWhileTheConditionHolds) {
  evaluations = 0;
  CHECK(counted(1) == 1, counted(2));
  EXPECT_EQ(evaluations, 1) << "the values are for the message only";
}

TEST(CheckDeathTest, EndsTheProcessAndNamesFileLineConditionAndValues) {
  const int used = 5;
  const int limit = 3;
  EXPECT_DEATH(CHECK(used <= limit, used, limit),
               "tests/unit/base/check_test.cc:[0-9]+: CHECK\\(used <= limit\\) failed, with used, limit = 5, 3\n");
}

TEST(CheckDeathTest, NeedsNoValues) {
  const bool durable = false;
  EXPECT_DEATH(CHECK(durable), "CHECK\\(durable\\) failed\n");
}

TEST(CheckDeathTest, ShowsAmountsTimesTextsAndEnums) {
  enum class State : std::uint8_t { open = 1 };
  EXPECT_DEATH(CHECK(false, Msat{1500}, TimeMs{7}, std::string_view("relay"), State::open, true),
               "= 1500 msat, 7 ms, relay, 1, true\n");
}

TEST(CheckDeathTest, IsOneStatement) {
  const auto judge = [](bool good) {
    if (good)
      CHECK(good);
    else
      CHECK(good, 2);
  };
  judge(true);
  EXPECT_DEATH(judge(false), "failed");
}

}  // namespace
}  // namespace base
