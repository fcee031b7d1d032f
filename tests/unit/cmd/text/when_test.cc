// Moments as people write them, and as commands print them.
#include "cmd/text/when.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "cmd/text/humanize.h"

namespace cmd {
namespace {

using base::kDayMs;
using base::kHourMs;
using base::kMinuteMs;
using base::TimeMs;

constexpr TimeMs kNow{1'795'694'400'250};  // 2026-11-26, 12:00:00.250 UTC, 13:00 in Berlin

class When : public testing::Test {
 protected:
  void SetUp() override { zone("Europe/Berlin"); }
  void TearDown() override { zone("UTC"); }
  static void zone(const char* name) {
    setenv("TZ", name, 1);
    tzset();
  }
  static std::string utc(std::string_view text, TimeMs now = kNow) {
    const auto when = parse_when(text, now);
    return when ? utc_time(*when) : when.error().message;
  }
};

TEST_F(When, IsHowLongAgo) {
  for (const char* text : {"5 min", "5min", "5 min ago", "5m", "5 m", "5m ago"})
    EXPECT_EQ(parse_when(text, kNow).value(), kNow - 5 * kMinuteMs) << text;
  EXPECT_EQ(parse_when("7d", kNow).value(), kNow - 7 * kDayMs);
}

TEST_F(When, IsADayOrADayAndATimeOfThisTimeZone) {
  EXPECT_EQ(utc("2026-11-20"), "2026-11-19T23:00:00.000Z");
  EXPECT_EQ(utc("today"), "2026-11-25T23:00:00.000Z");
  EXPECT_EQ(utc("Yesterday"), "2026-11-24T23:00:00.000Z");
  EXPECT_EQ(utc("yesterday 21:30"), "2026-11-25T20:30:00.000Z");
  for (const char* text : {"2026-11-20 21:30", "2026-11-20T21:30", "2026-11-20 21:30:00", "2026-11-20T21:30:00.000"}) {
    EXPECT_EQ(utc(text), "2026-11-20T20:30:00.000Z") << text;
  }
  EXPECT_EQ(utc("2026-07-20 21:30"), "2026-07-20T19:30:00.000Z") << "in summer";
}

TEST_F(When, ATimeAloneIsTheLastOne) {
  EXPECT_EQ(utc("12:30"), "2026-11-26T11:30:00.000Z");
  EXPECT_EQ(utc("13:00"), "2026-11-26T12:00:00.000Z");
  EXPECT_EQ(utc("21:30"), "2026-11-25T20:30:00.000Z") << "today it is still to come";
  EXPECT_EQ(utc("9:05:07"), "2026-11-26T08:05:07.000Z");
}

TEST_F(When, YesterdayIsTheDayBeforeAlsoWhereADayHas25Hours) {
  const TimeMs after_change{1'792'969'200'000};  // 2026-10-26 00:00 in Berlin; the 25th had 25 hours
  EXPECT_EQ(utc("yesterday", after_change), "2026-10-24T22:00:00.000Z");
}

TEST_F(When, IsWhatProgramsWrite) {
  EXPECT_EQ(utc("2026-11-20T12:00:05Z"), "2026-11-20T12:00:05.000Z");
  EXPECT_EQ(utc("2026-11-20T12:00:05.250Z"), "2026-11-20T12:00:05.250Z");
  EXPECT_EQ(utc("1795694400250"), "2026-11-26T12:00:00.250Z");
}

TEST_F(When, IsWhatCommandsPrint) {
  for (const TimeMs time : {kNow, kNow - 200 * kDayMs, kNow - 13 * kHourMs}) {
    const TimeMs whole_second{time.ms / 1'000 * 1'000};
    EXPECT_EQ(parse_when(local_time(time), kNow).value(), whole_second);
    EXPECT_EQ(parse_when(utc_time(time), kNow).value(), time);
    EXPECT_TRUE(parse_when(age(kNow - time), kNow));
  }
}

TEST_F(When, IsNothingElse) {
  for (const char* bad : {"", "soon", "2026-02-30", "2026-11-20 25:00", "25:00", "21.30", "2130", "17956944002",
                          "2026-11-20T12:00:05.2Z", "tomorrow", "5 min later", "m", "5 mm"}) {
    const auto when = parse_when(bad, kNow);
    ASSERT_FALSE(when) << bad;
    EXPECT_EQ(when.error().code, "usage") << bad;
  }
}

}  // namespace
}  // namespace cmd
