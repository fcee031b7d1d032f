// The events of our own relays, on their way through the checks.
#include "pipeline/nostr/relay/verified_intake.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/nostr/relay/relay_hub_fixture.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class VerifiedIntakeTest : public RelayHubTest {
 protected:
  void hear(const std::string& url) { link(url).say(R"(["NOTICE","hello"])"); }
};

TEST_F(VerifiedIntakeTest, OnlyWhatPassesTheCheapChecksIsVerified) {
  start({kOne});
  link(kOne).send_event("in", request("x"));
  settle();
  ASSERT_EQ(verified, 1U);
  link(kOne).send_event("in", request("x"));
  link(kOne).send_event("in", event(1, "not ours"));
  link(kOne).send_event("in", event(5050, "skewed", -86'400));
  link(kOne).send_event("in", request(std::string(IntakeLimits{}.max_event_bytes, 'x')));
  link(kOne).send_event("other", request("unasked"));
  settle();
  EXPECT_EQ(verified, 1U);
  EXPECT_EQ(refused[Refusal::duplicate], 1);
  EXPECT_EQ(refused[Refusal::not_ours], 1);
  EXPECT_EQ(refused[Refusal::skewed], 1);
  EXPECT_EQ(refused[Refusal::too_large], 1);
  EXPECT_EQ(refused[Refusal::unasked], 1);
}

TEST_F(VerifiedIntakeTest, TheCursorStaysBehindAnEventUntilItsReceiptIsDropped) {
  start({kOne});
  link(kOne).send_event("in", request("x"));
  settle();
  const TimeMs came = now;
  now = now + 5'000;
  hear(kOne);
  EXPECT_EQ(hub->cursor(kOne), came);
  received.clear();
  EXPECT_EQ(hub->cursor(kOne), now);
}

TEST_F(VerifiedIntakeTest, TheCursorOfEachRelayThatSentAnEventStaysBehindIt) {
  start({kOne, kTwo});
  link(kOne).send_event("in", request("x"));
  settle();
  link(kTwo).send_event("in", request("x"));
  settle();
  const TimeMs came = now;
  now = now + 5'000;
  hear(kTwo);
  EXPECT_EQ(hub->cursor(kTwo), came);
  received.clear();
  EXPECT_EQ(hub->cursor(kTwo), now);
}

TEST_F(VerifiedIntakeTest, AForgedEventIsNotRememberedInThePlaceOfTheRealOne) {
  start({kOne, kTwo});
  link(kOne).send_event("in", forged(request("x")));
  settle();
  link(kTwo).send_event("in", request("x"));
  settle();
  EXPECT_THAT(contents(received), ElementsAre("x"));
  EXPECT_EQ(refused[Refusal::bad_signature], 1);
  EXPECT_EQ(refused[Refusal::duplicate], 0);
}

TEST_F(VerifiedIntakeTest, ARelayWithTooManyUnhandledEventsIsNotReadUntilHalfAreHandled) {
  start({kOne});
  const std::size_t most = IntakeLimits{}.max_unhandled;
  for (std::size_t i = 0; i < most; ++i) {
    EXPECT_FALSE(link(kOne).paused);
    link(kOne).send_event("in", request(std::to_string(i)));
  }
  settle();
  EXPECT_TRUE(link(kOne).paused);
  received.resize(most / 2 + 1);
  EXPECT_TRUE(link(kOne).paused);
  received.pop_back();
  EXPECT_FALSE(link(kOne).paused);
}

TEST_F(VerifiedIntakeTest, NothingIsReportedAfterTheHubWasAbandoned) {
  start({kOne});
  link(kOne).send_event("in", request("x"));
  hub->abandon();
  settle();
  EXPECT_THAT(received, IsEmpty());
}

TEST_F(VerifiedIntakeTest, ASignatureCheckDoesNotKeepTheConnectionOfAnAbandonedHub) {
  start({kOne});
  link(kOne).send_event("in", request("x"));
  const std::weak_ptr<bool> connection = link(kOne).exists;
  hub->abandon();
  EXPECT_TRUE(connection.expired());
}

}  // namespace
}  // namespace nostr
