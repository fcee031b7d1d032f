// What the log of `serve` says of its relays, and what it does not repeat.
#include "cmd/provider/relay_log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace cmd {
namespace {

using nostr::RelayState;
using testing::ElementsAre;
using testing::IsEmpty;

class RelayLogTest : public testing::Test {
 protected:
  void on(RelayState state, const std::string& reason = "", const std::string& url = "wss://one") {
    const auto line = log.on_change(url, state, reason, now);
    if (line) said.push_back((line->warning ? "warning " : "") + line->text);
  }

  RelayLog log;
  base::TimeMs now{1'700'000'000'000};
  std::vector<std::string> said;
};

TEST_F(RelayLogTest, SaysThatARelayIsLive) {
  on(RelayState::connecting);
  on(RelayState::catching_up);
  on(RelayState::live);
  EXPECT_THAT(said, ElementsAre("wss://one live"));
}

TEST_F(RelayLogTest, SaysOnceThatARelayIsDownHoweverOftenItIsDialled) {
  for (int i = 0; i < 5; ++i) {
    on(RelayState::connecting, "connection refused");
    on(RelayState::offline, "connection refused");
  }
  EXPECT_THAT(said, ElementsAre("warning wss://one offline: connection refused"));
}

TEST_F(RelayLogTest, SaysAnotherReason) {
  on(RelayState::offline, "connection refused");
  on(RelayState::offline, "no answer within 15 s");
  on(RelayState::offline, "no answer within 15 s");
  on(RelayState::catching_up);
  on(RelayState::catching_up, "subscription closed by the relay: blocked: no");
  EXPECT_THAT(said, ElementsAre("warning wss://one offline: connection refused",
                                "warning wss://one offline: no answer within 15 s",
                                "wss://one catching up: subscription closed by the relay: blocked: no"));
}

TEST_F(RelayLogTest, SaysHowLongARelayWasAway) {
  on(RelayState::live);
  on(RelayState::offline, "closed by the relay");
  now = now + 185'000;
  on(RelayState::connecting, "closed by the relay");
  on(RelayState::catching_up);
  on(RelayState::live);
  on(RelayState::offline, "closed by the relay");
  EXPECT_THAT(said, ElementsAre("wss://one live", "warning wss://one offline: closed by the relay",
                                "wss://one live again after 3 min", "warning wss://one offline: closed by the relay"));
}

TEST_F(RelayLogTest, ARelayThatWasNeverLiveIsNotLiveAgain) {
  on(RelayState::offline, "connection refused");
  now = now + 2'000;
  on(RelayState::live);
  EXPECT_THAT(said.back(), "wss://one live after 2 s");
}

TEST_F(RelayLogTest, SaysAWarningOfALiveRelayOnceToo) {
  on(RelayState::live, "cannot be read whole");
  on(RelayState::catching_up);
  on(RelayState::live, "cannot be read whole");
  on(RelayState::live);
  EXPECT_THAT(said, ElementsAre("warning wss://one live: cannot be read whole", "wss://one live"));
}

TEST_F(RelayLogTest, KeepsRelaysApart) {
  on(RelayState::offline, "connection refused");
  on(RelayState::offline, "connection refused", "wss://two");
  EXPECT_THAT(said, ElementsAre("warning wss://one offline: connection refused",
                                "warning wss://two offline: connection refused"));
}

TEST_F(RelayLogTest, HasNothingToSayOfARelayThatWeLeave) {
  on(RelayState::idle, "shut down");
  EXPECT_THAT(said, IsEmpty());
}

}  // namespace
}  // namespace cmd
