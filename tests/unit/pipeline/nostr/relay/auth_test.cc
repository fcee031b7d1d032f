// Authentication to one relay, without a session around it.
#include "pipeline/nostr/relay/auth.h"

#include "tests/unit/pipeline/nostr/relay/relay_session_fixture.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class AuthenticationTest : public RelayPartTest {
 protected:
  bool authenticate() { return auth.authenticate(now, out); }
  EventId sent_for(const std::string& challenge) const { return auth_event(kUrl, challenge, now).id; }

  bool may_sign = true;
  Authentication auth{kUrl, [this](const std::string& url, const std::string& challenge, TimeMs at) {
                        return may_sign ? std::optional(auth_event(url, challenge, at)) : std::nullopt;
                      }};
};

TEST_F(AuthenticationTest, WaitsForTheChallenge) {
  auth.on_open();
  EXPECT_TRUE(authenticate());
  EXPECT_THAT(said(), IsEmpty());
  auth.on_challenge("c1");
  EXPECT_THAT(said(), IsEmpty()) << "a challenge alone is not answered";
  EXPECT_TRUE(authenticate());
  EXPECT_THAT(said(), ElementsAre("send " + auth_message(to_json(auth_event(kUrl, "c1", now)))));
}

TEST_F(AuthenticationTest, IsSentOncePerChallenge) {
  auth.on_open();
  auth.on_challenge("c1");
  authenticate();
  EXPECT_TRUE(authenticate());
  EXPECT_THAT(said(), SizeIs(1));
}

TEST_F(AuthenticationTest, IsDoneWhenTheRelayAcceptsIt) {
  auth.on_open();
  auth.on_challenge("c1");
  EXPECT_FALSE(auth.awaits_verdict(sent_for("c1"))) << "nothing was sent";
  authenticate();
  EXPECT_FALSE(auth.awaits_verdict(event_id('a')));
  ASSERT_TRUE(auth.awaits_verdict(sent_for("c1")));
  EXPECT_FALSE(auth.is_done());
  auth.on_verdict(true);
  EXPECT_TRUE(auth.is_done());
  EXPECT_FALSE(auth.awaits_verdict(sent_for("c1"))) << "one verdict";
}

TEST_F(AuthenticationTest, MayBeTriedAgainAfterARefusal) {
  auth.on_open();
  auth.on_challenge("c1");
  authenticate();
  auth.on_verdict(false);
  EXPECT_FALSE(auth.is_done());
  EXPECT_TRUE(authenticate());
  EXPECT_THAT(said(), SizeIs(2));
}

TEST_F(AuthenticationTest, StartsAgainWithANewChallenge) {
  auth.on_open();
  auth.on_challenge("c1");
  authenticate();
  auth.on_challenge("c2");
  EXPECT_FALSE(auth.awaits_verdict(sent_for("c1")));
  authenticate();
  EXPECT_TRUE(auth.awaits_verdict(sent_for("c2")));
  auth.on_verdict(true);
  auth.on_challenge("c3");
  EXPECT_FALSE(auth.is_done()) << "the relay wants to know again";
}

TEST_F(AuthenticationTest, IsAttemptedAFewTimesPerConnection) {
  auth.on_open();
  for (unsigned i = 0; i < kMaxAuths; ++i) {
    auth.on_challenge("c");
    EXPECT_TRUE(authenticate());
  }
  auth.on_challenge("c");
  EXPECT_FALSE(authenticate());
  EXPECT_THAT(said(), SizeIs(kMaxAuths));
  auth.on_lost();
  auth.on_open();
  auth.on_challenge("c");
  EXPECT_TRUE(authenticate());
  EXPECT_THAT(said(), SizeIs(1));
}

TEST_F(AuthenticationTest, FailsIfNothingIsSigned) {
  may_sign = false;
  auth.on_open();
  EXPECT_TRUE(authenticate()) << "there is nothing to sign yet";
  auth.on_challenge("c1");
  EXPECT_FALSE(authenticate());
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(AuthenticationTest, ForgetsEverythingWithItsConnection) {
  auth.on_open();
  auth.on_challenge("c1");
  authenticate();
  auth.on_verdict(true);
  auth.on_lost();
  auth.on_open();
  EXPECT_FALSE(auth.is_done());
  said();
  EXPECT_TRUE(authenticate());
  EXPECT_THAT(said(), IsEmpty()) << "the challenge was the other connection's";
}

}  // namespace
}  // namespace nostr
