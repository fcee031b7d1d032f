// What fits into a terminal's width.
#include "cmd/text/fit.h"

#include <gtest/gtest.h>

#include <array>
#include <random>

#include "cmd/text/humanize.h"
#include "cmd/text/output.h"

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

TEST(Folded, BreaksLongWordsAfterAMarkIfThereIsOne) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(folded("why is the sky blue", 10), wrapped("why is the sky blue", 10));
  EXPECT_EQ(folded("abcdefghijkl mn", 5), (Lines{"abcde", "fghij", "kl mn"}));
  EXPECT_EQ(folded("selling.default_base_msat", 18), (Lines{"selling.default_", "base_msat"}));
  EXPECT_EQ(folded("日本語", 4), (Lines{"日本", "語"}));
  EXPECT_EQ(folded("日", 1), Lines{"日"}) << "what cannot be narrower stays whole";
}

TEST(WrappedLines, KeepTheirEndsAndGoOnWhereTheyBegin) {
  EXPECT_EQ(wrapped_lines("why is the sky blue\n\n  - why is it\n", 10), "why is the\nsky blue\n\n  - why is\n  it\n");
  EXPECT_EQ(wrapped_lines("two  spaces stay", 12), "two  spaces\nstay");
  EXPECT_EQ(wrapped_lines("", 12), "");
  EXPECT_EQ(wrapped_lines("why is the sky blue", kAnyWidth), "why is the sky blue");
}

TEST(Reflowed, ParagraphsAreWrappedAnew) {
  EXPECT_EQ(reflowed("why is\nthe sky\nblue\n\nand at\ndusk red\n", 11), "why is the\nsky blue\n\nand at dusk\nred\n");
}

// What has been printed after each part.
std::vector<std::string> grown(GrowingText text, const std::vector<std::string>& parts) {
  std::vector<std::string> out;
  std::string all;
  for (const std::string& part : parts) out.push_back(all += text.add(part));
  return out;
}

TEST(GrowingText, KeepsTheLastWordBackBecauseItMayNotFit) {
  using Lines = std::vector<std::string>;
  EXPECT_EQ(grown(GrowingText(10), {"why is th", "e sk", "y", " blue\n"}),
            (Lines{"why is", "why is the", "why is the", "why is the\nsky blue\n"}));
}

TEST(GrowingText, DoesNotKeepBackWhatIsLongerThanALine) {
  const auto shown = grown(GrowingText(10), {"see https://example", ".com/path", " there\n"});
  EXPECT_EQ(shown[0], "see\nhttps://example");
  EXPECT_EQ(shown[1], "see\nhttps://example");
  EXPECT_EQ(shown[2], "see\nhttps://example.com/path there\n") << "the terminal breaks it";
}

TEST(GrowingText, LeavesCodeAsItIs) {
  const std::string code = "```sh\nsellcompute request --to npub1 \"Why?\"\n```\n";
  EXPECT_EQ(grown(GrowingText(10), {code + "and that is all\n"}).back(), code + "and that\nis all\n");
}

TEST(GrowingText, BeginsALineAfterOtherLines) {
  GrowingText text(10);
  EXPECT_EQ(text.add("why is the "), "why is the");
  text.interrupted();
  EXPECT_EQ(text.add("sky blue\n"), "sky blue\n");
}

TEST(GrowingText, IsTheSameInWhateverPartsItComes) {
  std::mt19937 random(1);
  for (int i = 0; i < 300; ++i) {
    std::string whole;
    while (whole.size() < 200) {
      for (auto letters = random() % 12; letters > 0; --letters) whole += random() % 9 == 0 ? "日" : "a";
      whole += std::array{" ", "  ", "\n", "\n\n", "\n  ", "\n```"}[random() % 6];
    }
    whole += "\n";
    const int width = 12 + static_cast<int>(random() % 40);
    std::vector<std::string> parts;
    for (std::size_t at = 0; at < whole.size();) {
      std::size_t size = 1 + random() % 9;
      while (at + size < whole.size() && (static_cast<unsigned char>(whole[at + size]) & 0xC0) == 0x80) ++size;
      parts.push_back(whole.substr(at, size));
      at += size;
    }
    EXPECT_EQ(grown(GrowingText(width), parts).back(), wrapped_lines(whole, width)) << i;
  }
}

}  // namespace
}  // namespace cmd
