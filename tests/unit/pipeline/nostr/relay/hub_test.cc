// All relays together, without their sockets: what a hostile one can do, and what is published.
#include "pipeline/nostr/relay/hub.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/nostr/relay/relay_hub_fixture.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// ---- hostile relays -------------------------------------------------------------------------------------------------

TEST_F(RelayHubTest, ARelayThatFloodsUsWithForgeriesIsLeftAndNamed) {
  start({kOne, kTwo});
  const auto forgery = forged(request("x"));
  for (unsigned i = 0; i < 10 * kMaxJunkPerMinute && link(kOne).connected; ++i) {
    link(kOne).send_event("in", forgery);
    settle();
  }
  EXPECT_FALSE(link(kOne).connected);
  EXPECT_EQ(verified, kMaxJunkPerMinute + 1);
  EXPECT_EQ(refused[Refusal::bad_signature], static_cast<int>(verified)) << "each is counted";
  EXPECT_THAT(reasons[kOne], HasSubstr("forged"));
  now = now + kJunkBackoffMs - 1;
  link(kOne).tick();
  EXPECT_FALSE(link(kOne).connected) << "nor is it dialled soon";
  link(kTwo).send_event("in", request("x"));
  settle();
  EXPECT_THAT(contents(received), ElementsAre("x")) << "no other is stopped by it";
}

TEST_F(RelayHubTest, ACustomersRelayThatForgesIsLeftToo) {
  start({});
  Filter all{.limit = kMaxQueryEvents};
  for (unsigned sent = 0, asked = 1; sent <= kMaxJunkPerMinute; ++asked) {
    ask(kGuest, all);
    if (asked == 1) link(kGuest).open();
    for (unsigned i = 0; i < kMaxQueryEvents; ++i, ++sent) {
      link(kGuest).send_event("q" + std::to_string(asked), forged(event(0, std::to_string(i))));
    }
    link(kGuest).say(R"(["EOSE","q)" + std::to_string(asked) + "\"]");
    settle();
  }
  EXPECT_FALSE(link(kGuest).connected);
}

// ---- what a relay asks of us ----------------------------------------------------------------------------------------

TEST_F(RelayHubTest, KnowsTheWorkAndTheLengthThatARelayAsksFor) {
  start({kOne});
  EXPECT_EQ(hub->required_pow(kOne), 0U);
  hub->set_limits("wss://ONE.example/", {.max_message_length = 100, .min_pow_difficulty = 16});
  EXPECT_EQ(hub->required_pow(kOne), 16U);
  const Event ours = event(7000, "an answer");
  std::string said;
  hub->publish(kOne, to_json(ours), ours.id, [&](const ledger::RelayAnswer& answer) { said = answer.message; });
  settle();
  EXPECT_EQ(said, "not sent: this relay takes at most 100 bytes");
  EXPECT_EQ(hub->required_pow("wss://unknown.example"), 0U);
}

TEST_F(RelayHubTest, MessagesThatTheTransportSkippedAreCounted) {
  start({kOne});
  for (unsigned i = 0; i < 2 * kMaxBadFrames; ++i) link(kOne).skip("malformed");
  link(kOne).skip("too_large");
  settle();
  EXPECT_EQ(refused[Refusal::malformed], static_cast<int>(2 * kMaxBadFrames));
  EXPECT_EQ(refused[Refusal::too_large], 1);
  EXPECT_TRUE(link(kOne).connected);
}

// ---- what is published ----------------------------------------------------------------------------------------------

class Publish : public RelayHubTest {
 protected:
  void publish(const std::string& relay) {
    hub->publish_watched(
        relay, to_json(ours), ours.id,
        [this](const ledger::RelayAnswer& answer) { reports.push_back(answer.relay + ": " + answer.message); },
        [this] { reports.emplace_back("sent"); });
  }

  Event ours = event(7000, "an answer");
  std::vector<std::string> reports;
};

TEST_F(Publish, ReportsThatItWasSentAndThenWhatTheRelayAnswered) {
  start({});
  publish(kGuest);
  EXPECT_THAT(reports, IsEmpty()) << "not connected yet";
  link(kGuest).open();
  EXPECT_THAT(reports, ElementsAre("sent"));
  link(kGuest).say(R"(["OK",")" + ours.id.hex() + R"(",true,"thanks"])");
  settle();
  EXPECT_THAT(reports, ElementsAre("sent", std::string(kGuest) + ": thanks"));
}

TEST_F(Publish, IsNeverSentToWhatIsNoRelay) {
  publish("http://no.relay");
  EXPECT_THAT(reports, IsEmpty()) << "never from inside the call";
  settle();
  EXPECT_THAT(reports, ElementsAre(HasSubstr("the URL starts with neither wss:// nor ws://")));
}

}  // namespace
}  // namespace nostr
