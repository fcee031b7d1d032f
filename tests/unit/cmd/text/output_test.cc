// One table, three readers.
#include "cmd/text/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
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

Table jobs() {
  Table table({{"JOB", "job"}, {"MODEL", "model"}, {"PRICE", "price_msat", Align::right}, {"", ""}});
  table.add({{"a53c9389", "a53c9389ff"}, "日本", {"9 sat", 9000}, {"██", nullptr}});
  table.add({{"77f0e1b2", "77f0e1b2ff"}, "q,\"3\"", {"1,234 sat", 1234000}, {"", nullptr}});
  table.add({"0c4be977", Cell::nothing(), Cell::nothing(), {"", nullptr}});
  return table;
}

TEST(Output, AlignsColumnsForPeople) {
  EXPECT_EQ(printed(jobs(), Format::people),
            "JOB       MODEL      PRICE\n"
            "a53c9389  日本       9 sat  ██\n"
            "77f0e1b2  q,\"3\"  1,234 sat\n"
            "0c4be977  –              –\n");
}

TEST(Output, WritesOneJsonObjectALineWithoutThePeoplesColumns) {
  EXPECT_EQ(printed(jobs(), Format::json),
            "{\"job\":\"a53c9389ff\",\"model\":\"日本\",\"price_msat\":9000}\n"
            "{\"job\":\"77f0e1b2ff\",\"model\":\"q,\\\"3\\\"\",\"price_msat\":1234000}\n"
            "{\"job\":\"0c4be977\",\"model\":null,\"price_msat\":null}\n");
}

TEST(Output, QuotesCsv) {
  EXPECT_EQ(printed(jobs(), Format::csv),
            "job,model,price_msat\n"
            "a53c9389ff,日本,9000\n"
            "77f0e1b2ff,\"q,\"\"3\"\"\",1234000\n"
            "0c4be977,,\n");
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
}

}  // namespace
}  // namespace cmd
