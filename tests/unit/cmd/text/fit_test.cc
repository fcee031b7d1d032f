// What fits into a terminal's width.
#include "cmd/text/fit.h"

#include <gtest/gtest.h>

#include <random>

#include "cmd/text/humanize.h"

namespace cmd {
namespace {

using Widths = std::vector<int>;

TEST(FitColumns, GiveEachWhatItAsksForWhereThereIsRoom) {
  const std::vector<ColumnNeed> needs = {{8, 8, kEssential}, {10, 8, 1}, {0, 0, 1}};
  EXPECT_EQ(fit_columns(needs, 20), (Widths{8, 10, 0})) << "a column that is not shown has no gap either";
  EXPECT_EQ(fit_columns({}, 20), Widths{});
}

TEST(FitColumns, LeaveOutTheOneOfLeastWorthFirst) {
  const std::vector<ColumnNeed> needs = {{8, 8, kEssential}, {10, 10, 2}, {10, 10, 1}, {10, 10, 3}};
  EXPECT_EQ(fit_columns(needs, 44), (Widths{8, 10, 10, 10}));
  EXPECT_EQ(fit_columns(needs, 43), (Widths{8, 10, 0, 10}));
  EXPECT_EQ(fit_columns(needs, 31), (Widths{8, 0, 0, 10}));
  EXPECT_EQ(fit_columns(needs, 5), (Widths{8, 0, 0, 0})) << "what is essential is never left out";
}

TEST(FitColumns, CutTheWidestBeforeOneIsLeftOut) {
  const std::vector<ColumnNeed> needs = {{8, 8, kEssential}, {30, 8, 1}, {20, 8, 2}};
  EXPECT_EQ(fit_columns(needs, 60), (Widths{8, 28, 20}));
  EXPECT_EQ(fit_columns(needs, 42), (Widths{8, 15, 15}));
  EXPECT_EQ(fit_columns(needs, 28), (Widths{8, 8, 8}));
  EXPECT_EQ(fit_columns(needs, 27), (Widths{8, 0, 17}));
}

TEST(FitColumns, NeverTakeMoreThanThereIsAsLongAsTheEssentialFits) {
  std::mt19937 random(1);
  for (int i = 0; i < 1'000; ++i) {
    std::vector<ColumnNeed> needs;
    int essential = -kColumnGap;
    for (int n = 0; n < 6; ++n) {
      const int full = static_cast<int>(random() % 40);
      const int least = full == 0 ? 0 : 1 + static_cast<int>(random()) % full;
      needs.push_back({full, std::abs(least), random() % 3 == 0 ? kEssential : static_cast<int>(random() % 5)});
      if (full > 0 && needs.back().worth == kEssential) essential += needs.back().least + kColumnGap;
    }
    const int width = static_cast<int>(random() % 150);
    int taken = -kColumnGap;
    for (const int column : fit_columns(needs, width)) taken += column == 0 ? 0 : column + kColumnGap;
    EXPECT_LE(taken, std::max(width, essential)) << i;
  }
}

TEST(Shortened, EndsInAnEllipsisWithinTheWidth) {
  EXPECT_EQ(shortened("llama3.2:latest", 15), "llama3.2:latest");
  EXPECT_EQ(shortened("llama3.2:latest", 9), "llama3.2…");
  EXPECT_EQ(shortened("日本語", 6), "日本語");
  EXPECT_EQ(shortened("日本語", 5), "日本…") << "a wide character takes two columns";
  EXPECT_EQ(shortened("日本語", 4), "日…") << "and is never cut in half";
  EXPECT_EQ(shortened("ge\u0301rard", 3), "ge\u0301…") << "an accent stays with its letter";
  EXPECT_EQ(shortened("llama", 1), "…");
}

TEST(Wrapped, BreaksAtSpacesAndLeavesLongWordsWhole) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(wrapped("why is the sky blue", 80), Lines{"why is the sky blue"});
  EXPECT_EQ(wrapped("why is the sky blue", 10), (Lines{"why is the", "sky blue"}));
  EXPECT_EQ(wrapped("paid lnbc1qqqqqqqqqqqqq again", 10), (Lines{"paid", "lnbc1qqqqqqqqqqqqq", "again"}));
  EXPECT_EQ(wrapped("", 10), Lines{""});
  EXPECT_EQ(wrapped("   ", 2), Lines{""});
  EXPECT_EQ(paragraph("why is the sky blue", 12, 2), "why is the\n  sky blue");
  EXPECT_EQ(longest_word("why is 日本語 blue"), 6);
}

}  // namespace
}  // namespace cmd
