// The program's manners: help, suggestions, streams, exit codes.
#include <gmock/gmock.h>

#include "tests/cli/cli.h"

namespace cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

class Program : public CommandLine {};

TEST_F(Program, WithoutACommandItShowsItsHelpOnStderr) {
  const Ran ran = sellcompute({});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("Usage: sellcompute"));
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
            "sellcompute: something is missing: usage: sellcompute completion SHELL\n");
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

TEST_F(Program, CompletionKnowsEveryCommand) {
  write("complete.bash",
        sellcompute({"completion", "bash"}).out +
            "COMP_WORDS=(sellcompute event ver); COMP_CWORD=2; _sellcompute; echo \"${COMPREPLY[@]}\"\n"
            "COMP_WORDS=(sellcompute --color never config --js); COMP_CWORD=4; _sellcompute; "
            "echo \"${COMPREPLY[@]}\"\n");
  const std::string command = "bash " + (home_ / "complete.bash").string() + " > " + (home_ / "out").string();
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(read("out"), "verify\n--json\n");
  EXPECT_THAT(sellcompute({"completion", "zsh"}).out, StartsWith("#compdef sellcompute\n"));
  EXPECT_THAT(sellcompute({"completion", "fish"}).out, HasSubstr("-a verify"));
  EXPECT_EQ(sellcompute({"completion", "tcsh"}).exit_code, 2);
}

}  // namespace
}  // namespace cli
