// The program's manners: help, suggestions, streams, exit codes.
#include <gmock/gmock.h>

#include <algorithm>
#include <sstream>

#include "cmd/text/humanize.h"
#include "tests/cli/cli.h"

namespace cli {
namespace {

using testing::ContainsRegex;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;

class Program : public CommandLine {};

TEST_F(Program, WithoutACommandItShowsItsHelpOnStderr) {
  const Ran ran = sellcompute({});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("Usage: sellcompute"));
  EXPECT_THAT(ran.err, EndsWith("sellcompute: no command was given: see `sellcompute --help`\n"));
}

TEST_F(Program, AUsageFaultIsOneLineWithItsReasonAndTheWayToHelp) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> faults = {
      {{"-x"}, "there is no option -x: see `sellcompute --help`"},
      {{"--config"}, "--config needs a value: see `sellcompute --help`"},
      {{"--data-dir", "."}, "no command was given: see `sellcompute --help`"},
      {{"config", "--config"}, "--config needs a value: see `sellcompute config --help`"},
      {{"event", "--json"},
       "`event` needs a command behind it: it is verify, decode, sign; see `sellcompute event --help`"},
      {{"event"}, "`event` needs a command behind it: it is verify, decode, sign; see `sellcompute event --help`"},
      {{"jobs", "list", "--limit", "many"}, "--limit cannot be many: see `sellcompute jobs list --help`"},
      {{"jobs", "list", "--limit=many"}, "--limit cannot be many: see `sellcompute jobs list --help`"},
      {{"help", "confgi"}, "there is no command `confgi`: did you mean `config`?"},
  };
  for (const auto& [arguments, reason] : faults) {
    const Ran ran = sellcompute(arguments);
    EXPECT_EQ(ran.exit_code, 2) << reason;
    EXPECT_EQ(ran.out, "");
    EXPECT_EQ(ran.err, "sellcompute: " + reason + "\n");
  }
}

TEST_F(Program, HelpIsACommandToo) {
  EXPECT_EQ(sellcompute({"help"}).out, sellcompute({"--help"}).out);
  EXPECT_EQ(sellcompute({"help", "event"}).out, sellcompute({"event", "--help"}).out);
  EXPECT_EQ(sellcompute({"help", "jobs", "list"}).out, sellcompute({"jobs", "list", "--help"}).out);
  EXPECT_EQ(sellcompute({"help"}).exit_code, 0);
  EXPECT_EQ(sellcompute({"help"}).out.find("\n  complete "), std::string::npos) << "it is for programs";
}

TEST_F(Program, HelpShowsDefaultsAndWhatAValueIs) {
  const std::string help = sellcompute({"jobs", "list", "--help"}).out;
  EXPECT_THAT(help, HasSubstr("--color WHEN"));
  EXPECT_THAT(help, HasSubstr("(default auto)"));
  EXPECT_THAT(help, ContainsRegex("--limit N .*20 in the table if not given"));
  EXPECT_THAT(sellcompute({"serve", "--help"}).out, HasSubstr("(selling.slots: 1 to 1,024 inferences; default 1)"));
}

TEST_F(Program, HelpShowsExamplesFirst) {
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--help"}, {"event", "--help"}, {"event", "verify", "-h"}, {"config", "--help"}}) {
    const Ran ran = sellcompute(arguments);
    EXPECT_EQ(ran.exit_code, 0);
    EXPECT_EQ(ran.err, "");
    EXPECT_LT(ran.out.find("Examples:"), ran.out.find("Usage:"));
  }
}

// What a terminal of so many columns shows, line by line.
std::vector<std::string> shown(const std::filesystem::path& home, const std::vector<std::string>& arguments,
                               int columns) {
  std::string text = run_at_terminal(home, arguments, {}, {}, columns).out;
  std::erase(text, '\r');
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

TEST_F(Program, HelpFitsTheTerminalExceptForExamples) {
  const auto prose_of = [&](const std::vector<std::string>& arguments, int columns) {
    auto lines = shown(home_, arguments, columns);
    const auto examples = std::ranges::find(lines, "Examples:");
    EXPECT_NE(examples, lines.end());
    lines.erase(examples, std::find(examples, lines.end(), ""));
    return lines;
  };
  for (const std::vector<std::string>& command : {std::vector<std::string>{"help"},
                                                  {"help", "jobs"},
                                                  {"help", "request"},
                                                  {"jobs", "refund", "--help"},
                                                  {"config", "--help"},
                                                  {"serve", "--help"}}) {
    for (const int columns : {60, 80, 200}) {
      for (const std::string& line : prose_of(command, columns)) {
        EXPECT_LE(cmd::display_width(line), std::min(columns, 100)) << testing::PrintToString(command) << line;
      }
    }
  }
  EXPECT_THAT(prose_of({"help", "request"}, 75),
              testing::Contains("Without PROMPT and other inputs, the command reads the prompt from stdin."));
  EXPECT_THAT(shown(home_, {"request", "--help"}, 60),
              testing::Contains(HasSubstr("https://example.com \"What do both say?\"")))
      << "an example is copied";
}

TEST_F(Program, AFaultOfTheCommandLineFitsTheTerminal) {
  for (const std::string& line : shown(home_, {"jobs"}, 60)) EXPECT_LE(cmd::display_width(line), 60) << line;
  write("a.toml", "selling.slots = 'many, many more than there are'\nselling.queue_limit = 'none at all, please'\n");
  for (const std::string& line : shown(home_, {"config", "--config", "a.toml"}, 60)) {
    EXPECT_TRUE(cmd::display_width(line) <= 60 || line.find(home_) != std::string::npos) << line;
  }
}

TEST_F(Program, SaysItsVersion) {
  EXPECT_THAT(sellcompute({"--version"}).out, StartsWith("sellcompute 0."));
}

TEST_F(Program, AMistypedCommandIsNamedWithTheNearest) {
  const Ran ran = sellcompute({"confgi"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.err, "sellcompute: there is no command `confgi`: did you mean `config`?\n");
  EXPECT_EQ(sellcompute({"event", "sing"}).err,
            "sellcompute: there is no command `event sing`: did you mean `sign`?\n");
  EXPECT_EQ(sellcompute({"zebra"}).err, "sellcompute: there is no command `zebra`: see `sellcompute --help`\n");
}

TEST_F(Program, AMistypedOptionIsNamedWithTheNearest) {
  const Ran ran = sellcompute({"config", "--jsn"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.err, "sellcompute: there is no option --jsn: did you mean --json?\n");
}

TEST_F(Program, WordsAreCounted) {
  EXPECT_EQ(sellcompute({"completion"}).err,
            "sellcompute: `sellcompute completion` needs SHELL: usage: sellcompute completion SHELL; see "
            "`sellcompute completion --help`\n");
  const Ran ran = sellcompute({"config", "please"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.err, "sellcompute: too many words: usage: sellcompute config\n");
}

TEST_F(Program, GlobalOptionsStandOnEitherSideOfTheCommand) {
  write("a.toml", "[selling]\nslots = 7\n");
  for (const std::vector<std::string>& arguments :
       {std::vector<std::string>{"--config", "a.toml", "config", "--csv"}, {"config", "--csv", "--config=a.toml"}}) {
    EXPECT_THAT(sellcompute(arguments).out, HasSubstr("selling.slots,7,file," + (home_ / "a.toml:2").string() + "\n"));
  }
}

TEST_F(Program, ContradictionsAreRefused) {
  EXPECT_EQ(sellcompute({"config", "--json", "--csv"}).exit_code, 2);
  EXPECT_EQ(sellcompute({"-v", "-q", "config"}).exit_code, 2);
  EXPECT_EQ(sellcompute({"--color", "pink", "config"}).err,
            "sellcompute: --color cannot be pink: it is auto, always or never\n");
}

TEST_F(Program, ColoursAreForTerminalsUnlessAsked) {
  EXPECT_EQ(sellcompute({"config"}).out.find('\x1b'), std::string::npos);
  EXPECT_NE(sellcompute({"config", "--color", "always"}).out.find('\x1b'), std::string::npos);
}

TEST_F(Program, WhatStrangersWroteCannotCommandTheTerminal) {
  EXPECT_EQ(sellcompute({"a\x1b[2Jb"}).err.find('\x1b'), std::string::npos);
}

TEST_F(Program, OutputThatCannotBeWrittenIsAFailure) {
  const std::string command = "exec " SELLCOMPUTE_PROGRAM " config >/dev/full 2>" + (home_ / "err").string();
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 1);
  EXPECT_THAT(read("err"), StartsWith("sellcompute: the output could not be written"));
}

}  // namespace
}  // namespace cli
