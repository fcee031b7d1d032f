// One table, three readers.
#include "cmd/text/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <sstream>

namespace cmd {
namespace {

std::string printed(const Table& table, Format format, const Terminal& terminal = {}) {
  std::ostringstream out;
  table.print(out, format, terminal);
  return out.str();
}

Table jobs_table() {
  Table table({{"JOB", "job"}, {"MODEL", "model"}, {"PRICE", "price_msat", Align::right}, {"", ""}});
  table.add({{"a53c9389", "a53c9389ff"}, "日本", {"9 sat", 9000}, {"██", nullptr}});
  table.add({{"77f0e1b2", "77f0e1b2ff"}, "q,\"3\"", {"1,234 sat", 1234000}, {"", nullptr}});
  table.add({"0c4be977", Cell::nothing(), Cell::nothing(), {"", nullptr}});
  return table;
}

TEST(Output, AlignsColumnsForPeople) {
  EXPECT_EQ(printed(jobs_table(), Format::people),
            "JOB       MODEL      PRICE\n"
            "a53c9389  日本       9 sat  ██\n"
            "77f0e1b2  q,\"3\"  1,234 sat\n"
            "0c4be977  –              –\n");
}

TEST(Output, WritesOneJsonObjectALineWithoutThePeoplesColumns) {
  EXPECT_EQ(printed(jobs_table(), Format::json),
            "{\"job\":\"a53c9389ff\",\"model\":\"日本\",\"price_msat\":9000}\n"
            "{\"job\":\"77f0e1b2ff\",\"model\":\"q,\\\"3\\\"\",\"price_msat\":1234000}\n"
            "{\"job\":\"0c4be977\",\"model\":null,\"price_msat\":null}\n");
}

TEST(Output, QuotesCsv) {
  EXPECT_EQ(printed(jobs_table(), Format::csv),
            "job,model,price_msat\n"
            "a53c9389ff,日本,9000\n"
            "77f0e1b2ff,\"q,\"\"3\"\"\",1234000\n"
            "0c4be977,,\n");
}

TEST(Output, LongListsAreWrittenInPartsWithOneHeading) {
  for (const Format format : {Format::csv, Format::json}) {
    std::ostringstream out;
    Table table(std::vector<Column>{{"JOB", "job"}});
    for (const char* job : {"a", "b"}) {
      table.add({job});
      table.print_part(out, format);
      EXPECT_TRUE(table.empty());
    }
    table.print_part(out, format);
    EXPECT_EQ(out.str(), format == Format::csv ? "job\na\nb\n" : "{\"job\":\"a\"}\n{\"job\":\"b\"}\n");
  }
  std::ostringstream none;
  Table(std::vector<Column>{{"JOB", "job"}}).print_part(none, Format::csv);
  EXPECT_EQ(none.str(), "job\n") << "an empty list has its heading too";
}

TEST(Output, LeavesOutColumnsThatSayNothingForPeopleOnly) {
  Table table({{"JOB", "job"}, {"MODEL", "model"}, {"PRICE", "price_msat", Align::right}, {"", "note"}});
  table.add({"a53c9389", Cell::nothing(), {"9 sat", 9000}, ""});
  table.add({"–", Cell::nothing(), Cell::nothing(), ""});
  EXPECT_EQ(printed(table, Format::people),
            "JOB       PRICE\n"
            "a53c9389  9 sat\n"
            "–             –\n");
  EXPECT_EQ(printed(table, Format::csv), "job,model,price_msat,note\na53c9389,,9000,\n–,,,\n");
  Table first({{"MODEL", ""}, {"JOBS", "", Align::right}});
  first.add({"–", "3"});
  EXPECT_EQ(printed(first, Format::people), "MODEL  JOBS\n–         3\n") << "the first says what the rows are about";
}

// ---- widths ---------------------------------------------------------------------------------------------------------

Table wide() {
  Table table({{"JOB", "job", Align::left, Fit::whole},
               {"MODEL", "model", Align::left, Fit::cut, 2},
               {"TOKENS", "", Align::right, Fit::whole, 1},
               {"PRICE", "price_msat", Align::right},
               {"", "note"}});
  table.add({"a53c9389",
             "日本の大きい言語モデル",
             {"31 → 212", nullptr},
             {"9 sat", 9000},
             "bid 2 sat, asked 9 sat for up to 790 tokens"});
  return table;
}

TEST(Output, FitsTheTerminal) {
  EXPECT_EQ(printed(wide(), Format::people, {.width = 200}),
            "JOB       MODEL                     TOKENS  PRICE\n"
            "a53c9389  日本の大きい言語モデル  31 → 212  9 sat  bid 2 sat, asked 9 sat for up to 790 tokens\n");
  EXPECT_EQ(printed(wide(), Format::people, {.width = 80}),
            "JOB       MODEL                     TOKENS  PRICE\n"
            "a53c9389  日本の大きい言語モデル  31 → 212  9 sat  bid 2 sat, asked 9 sat for up\n"
            "                                                   to 790 tokens\n");
  EXPECT_EQ(printed(wide(), Format::people, {.width = 60}),
            "JOB       MODEL              TOKENS  PRICE\n"
            "a53c9389  日本の大きい言…  31 → 212  9 sat  bid 2 sat, asked\n"
            "                                            9 sat for up to\n"
            "                                            790 tokens\n");
  EXPECT_EQ(printed(wide(), Format::people, {.width = 40}),
            "JOB       PRICE\n"
            "a53c9389  9 sat  bid 2 sat, asked 9 sat\n"
            "                 for up to 790 tokens\n");
}

TEST(Output, AColumnOfLessWorthGoesBeforeATextHasLessThanItMust) {
  Table table({{"JOB", ""}, {"CUSTOMER", "", Align::left, Fit::whole, 1}, {"", "", Align::left, Fit::cut, 2, 20}});
  table.add({"a53c9389", "npub1wu7e…", "bid 2 sat, asked 9 sat for up to 790 tokens"});
  EXPECT_EQ(printed(table, Format::people, {.width = 42}),
            "JOB       CUSTOMER\n"
            "a53c9389  npub1wu7e…  bid 2 sat, asked 9 …\n");
  EXPECT_EQ(printed(table, Format::people, {.width = 41}),
            "JOB\n"
            "a53c9389  bid 2 sat, asked 9 sat for up …\n");
}

TEST(Output, ProgramsGetAllColumnsWhateverTheTerminal) {
  EXPECT_EQ(printed(wide(), Format::csv, {.width = 40}), printed(wide(), Format::csv));
  EXPECT_EQ(printed(wide(), Format::json, {.width = 40}), printed(wide(), Format::json));
}

TEST(Output, WhatIsToBeCopiedIsNeverCut) {
  Table table({{"", ""}, {"", ""}});
  const std::string bolt11 = "lnbc" + std::string(100, 'q');
  table.add({"invoice", bolt11 + "; never paid"});
  EXPECT_EQ(printed(table, Format::people, {.width = 40}), "invoice  " + bolt11 + ";\n         never paid\n");
}

TEST(Output, LongWordsAreFoldedWhereTheyNeedNotBeCopied) {
  Table table({{"SETTING", "", Align::left, Fit::fold}, {"VALUE", "", Align::left, Fit::fold}, {"FROM", ""}});
  table.add({"selling.default_base_msat", "[\"wss://relay.one\", \"wss://relay.two\"]", "config.toml:6"});
  EXPECT_EQ(printed(table, Format::people, {.width = 60}),
            "SETTING                VALUE                   FROM\n"
            "selling.default_base_  [\"wss://relay.one\",     config.toml:6\n"
            "msat                   \"wss://relay.two\"]\n");
}

TEST(Output, WithoutHeadingsThereIsNoHeadingLine) {
  Table table({{"", "what"}, {"", "how"}});
  table.add({"wallet", "ok"});
  EXPECT_EQ(printed(table, Format::people), "wallet  ok\n");
}

TEST(Output, KeepsStrangersFromCommandingTheTerminal) {
  Table table(std::vector<Column>{{"TEXT", "text"}});
  table.add({"\x1b]0;owned\x07\nnext"});
  EXPECT_EQ(printed(table, Format::people), "TEXT\n\uFFFD]0;owned\uFFFD next\n");
  EXPECT_EQ(printed(table, Format::json), "{\"text\":\"\\u001b]0;owned\\u0007\\nnext\"}\n");
  EXPECT_EQ(printed(table, Format::csv), "text\n\"\uFFFD]0;owned\uFFFD\nnext\"\n")
      << "a table program breaks its lines itself";
}

TEST(Output, JsonHidesNothingFromProgramsAndCommandsNoTerminal) {
  const std::string hostile = "\x1b[31m\u009B31m\x7f\u202Eevil\u2066";
  const std::string line = json_line(nlohmann::ordered_json(hostile));
  EXPECT_EQ(line, "\"\\u001b[31m\\u009b31m\\u007f\\u202eevil\\u2066\"");
  EXPECT_EQ(nlohmann::ordered_json::parse(line), hostile);
}

TEST(Output, StrangersTextIsHarmlessOnATerminalAndUnchangedElsewhere) {
  const std::string hostile = "two\nlines\x1b]52;c;aGk=\x07";
  EXPECT_EQ((Terminal{.is_terminal = true}).strangers(hostile), "two\nlines\uFFFD]52;c;aGk=\uFFFD");
  EXPECT_EQ((Terminal{.is_terminal = false}).strangers(hostile), hostile);
}

TEST(Output, JsonSurvivesBrokenUtf8) {
  EXPECT_EQ(json_line("\xff"), "\"\uFFFD\"");
}

TEST(Output, ColoursOnlyWhereTheyAreOn) {
  EXPECT_EQ((Terminal{.colour = true}).paint(Colour::red, "no"), "\x1b[31mno\x1b[0m");
  EXPECT_EQ((Terminal{.colour = true}).paint(Colour::plain, "no"), "no");
  EXPECT_EQ((Terminal{.colour = false}).paint(Colour::red, "no"), "no");
}

TEST(Output, PaddingDoesNotCountColours) {
  Table table({{"A", "a"}, {"B", "b"}});
  table.add({{"x", "x", Colour::red}, "y"});
  EXPECT_EQ(printed(table, Format::people, {.colour = true}),
            "\x1b[1mA\x1b[0m  \x1b[1mB\x1b[0m\n\x1b[31mx\x1b[0m  y\n");
}

TEST(Output, APipeHasNoColourUnlessToldSo) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_FALSE(detect_terminal(ends[1], ColourChoice::automatic, "", "xterm").colour);
  EXPECT_FALSE(detect_terminal(ends[1], ColourChoice::automatic, "", "xterm").interactive);
  EXPECT_TRUE(detect_terminal(ends[1], ColourChoice::always, "1", "dumb").colour);
  EXPECT_FALSE(detect_terminal(ends[1], ColourChoice::always, "", "xterm").is_terminal);
  EXPECT_EQ(detect_terminal(ends[1], ColourChoice::automatic, "", "xterm").width, kAnyWidth);
  EXPECT_EQ(detect_terminal(ends[1], ColourChoice::automatic, "", "xterm", "60").width, 60) << "as under watch(1)";
  close(ends[0]);
  close(ends[1]);
}

class OnATerminal : public testing::Test {
 protected:
  void SetUp() override {
    master_ = posix_openpt(O_RDWR | O_NOCTTY);
    if (master_ < 0 || grantpt(master_) != 0 || unlockpt(master_) != 0) GTEST_SKIP() << "no pseudo-terminal here";
    terminal_ = open(ptsname(master_), O_RDWR | O_NOCTTY);
    ASSERT_GE(terminal_, 0);
  }
  void TearDown() override {
    close(terminal_);
    close(master_);
  }
  int master_ = -1;
  int terminal_ = -1;
};

TEST_F(OnATerminal, ColoursAreOnUnlessSomebodyObjects) {
  EXPECT_TRUE(detect_terminal(terminal_, ColourChoice::automatic, "", "xterm").colour);
  EXPECT_TRUE(detect_terminal(terminal_, ColourChoice::automatic, "", "xterm").interactive);
  EXPECT_FALSE(detect_terminal(terminal_, ColourChoice::never, "", "xterm").colour);
  EXPECT_FALSE(detect_terminal(terminal_, ColourChoice::automatic, "1", "xterm").colour) << "NO_COLOR";
  EXPECT_FALSE(detect_terminal(terminal_, ColourChoice::automatic, "", "dumb").colour);
  EXPECT_FALSE(detect_terminal(terminal_, ColourChoice::automatic, "", "dumb").interactive);
  EXPECT_TRUE(detect_terminal(terminal_, ColourChoice::automatic, "", "dumb").is_terminal)
      << "it may obey all the same";
}

TEST_F(OnATerminal, TheWidthIsItsOwnUnlessColumnsSaysOtherwise) {
  const auto width = [&](std::string_view columns) {
    return detect_terminal(terminal_, ColourChoice::automatic, "", "xterm", columns).width;
  };
  EXPECT_EQ(width(""), 80) << "a terminal that does not tell";
  const winsize size{.ws_row = 24, .ws_col = 132, .ws_xpixel = 0, .ws_ypixel = 0};
  ASSERT_EQ(ioctl(master_, TIOCSWINSZ, &size), 0);
  EXPECT_EQ(width(""), 132);
  EXPECT_EQ(width("60"), 60);
  for (const char* bad : {"0", "-5", "60x", "many"}) EXPECT_EQ(width(bad), 132) << bad;
}

}  // namespace
}  // namespace cmd
