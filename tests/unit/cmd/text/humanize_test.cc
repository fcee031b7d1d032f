// Amounts, times and names as people read them.
#include "cmd/text/humanize.h"

#include <gtest/gtest.h>

#include <array>
#include <limits>

namespace cmd {
namespace {

using base::Msat;

TEST(Humanize, GroupsThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1'000), "1,000");
  EXPECT_EQ(grouped(-41'208), "-41,208");
  EXPECT_EQ(grouped(std::numeric_limits<std::int64_t>::min()), "-9,223,372,036,854,775,808");
}

TEST(Humanize, CountsInThePluralAndInTheSingular) {
  EXPECT_EQ(counted(0, "request"), "0 requests");
  EXPECT_EQ(counted(1, "request"), "1 request");
  EXPECT_EQ(counted(1'000, "entry", "entries"), "1,000 entries");
  EXPECT_EQ(counted(1, "entry", "entries"), "1 entry");
}

TEST(Humanize, SaysMoneyInSatWithFractions) {
  EXPECT_EQ(sats(Msat{9'000}), "9 sat");
  EXPECT_EQ(sats(Msat{1'234'000}), "1,234 sat");
  EXPECT_EQ(sats(Msat{9'500}), "9.5 sat");
  EXPECT_EQ(sats(Msat{21}), "0.021 sat");
  EXPECT_EQ(sats(Msat{-500}), "-0.5 sat");
  EXPECT_EQ(sats(Msat{-1'500}), "-1.5 sat");
}

TEST(Humanize, SaysAgesInOneUnit) {
  EXPECT_EQ(age(-5), "0 s");
  EXPECT_EQ(age(12'999), "12 s");
  EXPECT_EQ(age(3 * 60'000), "3 min");
  EXPECT_EQ(age(47 * 3'600'000LL), "47 h");
  EXPECT_EQ(age(48 * 3'600'000LL), "2 d");
}

TEST(Humanize, SaysHowLongThingsTook) {
  EXPECT_EQ(took(38), "38 ms");
  EXPECT_EQ(took(1'270), "1.2 s");
  EXPECT_EQ(took(90'000), "1 min");
}

TEST(Humanize, ReadsHowLongThingsTookAsTheLastMomentThatIsPrintedSo) {
  EXPECT_EQ(parse_took_ms("38 ms"), 38);
  EXPECT_EQ(parse_took_ms("1.2 s"), 1'299);
  EXPECT_EQ(parse_took_ms("1 s"), 1'099);
  EXPECT_EQ(parse_took_ms("3 min"), 239'999);
  EXPECT_EQ(parse_took_ms("1,000 d"), 1'001 * 86'400'000LL - 1);
  for (const char* bad : {"", "1.2", "1.2 min", "1.25 s", "s", ".5 s", "-1 s"}) EXPECT_FALSE(parse_took_ms(bad)) << bad;
  for (std::int64_t ms = 0; ms < 100 * 86'400'000LL; ms = ms * 5 / 4 + 7) {
    const auto last = parse_took_ms(took(ms));
    ASSERT_TRUE(last) << took(ms);
    EXPECT_GE(*last, ms);
    EXPECT_EQ(took(*last), took(ms));
    EXPECT_NE(took(*last + 1), took(ms));
  }
}

TEST(Humanize, ReadsDurationsWithTheirUnit) {
  EXPECT_EQ(parse_duration_ms("250 ms"), 250);
  EXPECT_EQ(parse_duration_ms("90s"), 90'000);
  EXPECT_EQ(parse_duration_ms("15 min"), 900'000);
  EXPECT_EQ(parse_duration_ms("7d"), 604'800'000);
  EXPECT_EQ(parse_duration_ms("1 w"), 604'800'000);
  EXPECT_EQ(parse_typed_duration_ms("5m"), 300'000);
  EXPECT_EQ(parse_typed_duration_ms("2h"), 7'200'000);
  EXPECT_FALSE(parse_duration_ms("5m")) << "in a config file it is min";
  for (const char* bad : {"", "30", "s", "-1 s", "+1 s", "1.5 h", "1  s", "1 s ", "1 m", "9223372036854775807 d"}) {
    EXPECT_FALSE(parse_duration_ms(bad)) << bad;
  }
}

TEST(Humanize, WritesDurationsThatReadBackTheSame) {
  EXPECT_EQ(duration_text(3'600'000), "1 h");
  EXPECT_EQ(duration_text(604'800'000), "7 d");
  EXPECT_EQ(duration_text(90'000), "90 s");
  EXPECT_EQ(duration_text(1), "1 ms");
  EXPECT_EQ(duration_text(0), "0 s");
}

TEST(Humanize, WritesTimeAsRfc3339) {
  EXPECT_EQ(utc_time({0}), "1970-01-01T00:00:00.000Z");
  EXPECT_EQ(utc_time({1'795'694'400'250}), "2026-11-26T12:00:00.250Z");
  EXPECT_EQ(utc_time({-1}), "1969-12-31T23:59:59.999Z");
}

TEST(Humanize, WritesPathsBelowTheHomeFolderWithATilde) {
  EXPECT_EQ(path_text("/home/ann/.config/sellcompute/config.toml", "/home/ann"), "~/.config/sellcompute/config.toml");
  EXPECT_EQ(path_text("/home/ann/demo", "/home/ann/"), "~/demo");
  EXPECT_EQ(path_text("/home/anna/demo", "/home/ann"), "/home/anna/demo");
  EXPECT_EQ(path_text("/home/ann", "/home/ann"), "/home/ann");
  EXPECT_EQ(path_text("demo", "/home/ann"), "demo");
  EXPECT_EQ(path_text("/home/ann", ""), "/home/ann");
}

TEST(Humanize, ShortensIds) {
  EXPECT_EQ(short_id("a53c9389ffff"), "a53c9389");
  EXPECT_EQ(short_npub("npub1wu7e9q8"), "npub1wu7e…");
  EXPECT_EQ(short_npub("npub1"), "npub1");
}

TEST(Humanize, DrawsBarsInEighths) {
  EXPECT_EQ(bar(8, 8, 2), "██");
  EXPECT_EQ(bar(3, 4, 2), "█▌");
  EXPECT_EQ(bar(1, 1'000'000, 10), "▏") << "something is never drawn as nothing";
  EXPECT_EQ(bar(9, 8, 2), "██") << "never wider than asked";
  EXPECT_EQ(bar(0, 8, 2), "");
  EXPECT_EQ(bar(-1, 8, 2), "");
  EXPECT_EQ(bar(1, 0, 2), "");
}

TEST(Humanize, KnowsTheColumnsThatTextTakes) {
  EXPECT_EQ(display_width("llama"), 5);
  EXPECT_EQ(display_width("–…→"), 3);
  EXPECT_EQ(display_width("e\u0301"), 1) << "a combining accent takes none";
  EXPECT_EQ(display_width("日本"), 4);
  EXPECT_EQ(display_width("🙂"), 2);
  EXPECT_EQ(display_width("⚡✅"), 4) << "wide, though they lie among narrow ones";
  EXPECT_EQ(display_width("한국어"), 6);
  EXPECT_EQ(display_width("ﾊﾝｶｸ"), 4) << "half-width";
  EXPECT_EQ(display_width("कु"), 1) << "a vowel sign below its letter";
  EXPECT_EQ(display_width("\u200B\uFEFF"), 0);
  EXPECT_EQ(display_width("\x1b\xff"), 2) << "as what is printed for them";
}

TEST(Humanize, MakesTextHarmlessForTerminals) {
  EXPECT_EQ(printable("a\x1b[31mb"), "a\uFFFD[31mb");
  EXPECT_EQ(printable("two\nlines\tand\rmore"), "two lines and more");
  EXPECT_EQ(printable("\u202Eevil"), "\uFFFDevil") << "text that turns direction can lie";
  EXPECT_EQ(printable("a\u200Fb\u061Cc\u2066d"), "a\uFFFDb\uFFFDc\uFFFDd");
  EXPECT_EQ(printable("\u009B31m"), "\uFFFD31m") << "C1 controls are escapes too";
  EXPECT_EQ(printable("\xff\xc0\xafok"), "\uFFFD\uFFFD\uFFFDok");
  EXPECT_EQ(printable("grüße 日本 🙂"), "grüße 日本 🙂");
  EXPECT_EQ(printable_lines("two\n\tlines\x1b[31m\r"), "two\n\tlines\uFFFD[31m\uFFFD");
  EXPECT_EQ(printable_lines("one\r\ntwo"), "one\ntwo");
}

TEST(Humanize, JsonForProgramsCommandsNoTerminalEither) {
  EXPECT_EQ(printable_json("{\"a\":\"\u009B31m \u202E \x7f grüße\"}"), R"({"a":"\u009b31m \u202e \u007f grüße"})");
  EXPECT_EQ(printable_json(R"({"a":"\u001b"})"), R"({"a":"\u001b"})");
}

TEST(Humanize, FindsTheWordThatWasMeant) {
  const std::array<std::string_view, 3> words = {"status", "serve", "config"};
  EXPECT_EQ(nearest("statsu", words), "status");
  EXPECT_EQ(nearest("conf", words), "config");
  EXPECT_EQ(nearest("refund", words), std::nullopt);
  EXPECT_EQ(edit_distance("ab", "ba"), 1U);
  EXPECT_EQ(edit_distance("", "abc"), 3U);
}

}  // namespace
}  // namespace cmd
