// `sellcompute request` when it cannot be: what is said, and with which exit code.
#include <gmock/gmock.h>

#include "tests/cli/cli.h"

namespace cli {
namespace {

using testing::HasSubstr;

constexpr char kNobody[] = "ws://127.0.0.1:1";  // a port on which nobody listens

class Request : public CommandLine {};

TEST_F(Request, NeedsARelay) {
  const Ran ran = sellcompute({"request", "Why?"});
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("give --relay URL"));
}

TEST_F(Request, NeedsAPrompt) {
  const Ran ran = sellcompute({"request", "--relay", kNobody}, "\n");
  EXPECT_EQ(ran.exit_code, 2);
  EXPECT_THAT(ran.err, HasSubstr("there is no prompt"));
}

TEST_F(Request, RefusesOptionsThatMakeNoSense) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"--temperature", "hot"}, "--temperature cannot be \"hot\": it is a number, like 0.7"},
      {{"--max-tokens", "2.5"}, "--max-tokens cannot be \"2.5\": it is a whole number"},
      {{"--bid-sat", "-1"}, "--bid-sat cannot be \"-1\": it is a whole number of satoshi"},
      {{"--timeout", "soon"}, "--timeout cannot be \"soon\""},
      {{"--to", "npub1nobody"}, "--to: this is no public key"},
      {{"--relay", "http://relay.one"}, "relays.urls"},
  };
  for (const auto& [options, complaint] : cases) {
    std::vector<std::string> arguments = {"request", "--relay", kNobody};
    arguments.insert(arguments.end(), options.begin(), options.end());
    arguments.emplace_back("Why?");
    const Ran ran = sellcompute(arguments);
    EXPECT_EQ(ran.exit_code, 2) << options[0];
    EXPECT_THAT(ran.err, HasSubstr(complaint));
    EXPECT_EQ(ran.out, "");
  }
}

TEST_F(Request, SaysThatNoRelayIsThere) {
  const Ran ran = sellcompute({"request", "--relay", kNobody, "Why?"});
  EXPECT_EQ(ran.exit_code, 3);
  EXPECT_EQ(ran.out, "");
  EXPECT_THAT(ran.err, HasSubstr("no relay took the request"));
  EXPECT_THAT(ran.err, HasSubstr(kNobody));
}

TEST_F(Request, ReadsItsPromptFromStdin) {
  EXPECT_EQ(sellcompute({"request", "--relay", kNobody}, "Why?\n").exit_code, 3);
}

}  // namespace
}  // namespace cli
