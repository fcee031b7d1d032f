// One relay session that has to say who we are (NIP-42).
#include "pipeline/nostr/relay/session.h"
#include "tests/unit/pipeline/nostr/relay/relay_session_fixture.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

TEST(AuthEvent, NamesTheRelayAndTheChallengeAndIsSigned) {
  const auto event = auth_event("wss://relay.example", "c1", kStart);
  EXPECT_EQ(event.kind, kAuthKind);
  EXPECT_EQ(event.tag_value("relay"), "wss://relay.example");
  EXPECT_EQ(event.tag_value("challenge"), "c1");
  EXPECT_EQ(event.created_at, kStart.ms / 1000);
  EXPECT_TRUE(verify(event));
}

// ---- authentication -------------------------------------------------------------------------------------------------

std::string auth_frame(const std::string& challenge, TimeMs now) {
  return "send " + auth_message(to_json(auth_event(kUrl, challenge, now)));
}

TEST_F(RelaySessionTest, AChallengeAloneIsNotAnswered) {
  auto s = live();
  EXPECT_THAT(words(s.on_frame(R"(["AUTH","c1"])", now)), IsEmpty());
}

TEST_F(RelaySessionTest, ARefusedSubscriptionIsAuthenticatedAndOpenedAgain) {
  auto s = live();
  s.on_frame(R"(["AUTH","c1"])", now);
  EXPECT_THAT(words(s.on_frame(R"(["CLOSED","in","auth-required: who are you"])", now)),
              ElementsAre(auth_frame("c1", now), HasSubstr("health catching up: subscription closed")));
  EXPECT_THAT(words(s.on_frame(ok_frame(auth_event(kUrl, "c1", now).id, true, ""), now)),
              ElementsAre(R"(send ["REQ","in",{"kinds":[5050],"since":1000}])"));
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in"])", now)), ElementsAre("caught up in", "health live"));
}

TEST_F(RelaySessionTest, StrfrysErrorPrefixIsPassedOver) {
  auto s = live();
  s.on_frame(R"(["AUTH","c1"])", now);
  EXPECT_THAT(words(s.on_frame(R"(["CLOSED","in","ERROR: auth-required: who are you"])", now)),
              testing::Contains(auth_frame("c1", now)));
}

TEST_F(RelaySessionTest, ARefusedPublicationIsAuthenticatedAndSentAgain) {
  auto s = live();
  s.publish(event_id('a'), R"({"n":1})", now);
  s.on_frame(R"(["AUTH","c1"])", now);
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), false, "auth-required: who are you"), now)),
              ElementsAre(auth_frame("c1", now)));
  EXPECT_THAT(words(s.on_frame(ok_frame(auth_event(kUrl, "c1", now).id, true, ""), now)),
              ElementsAre(R"(send ["EVENT",{"n":1}])"));
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), true, ""), now)), ElementsAre("yes aa "));
}

TEST_F(RelaySessionTest, AChallengeThatComesAfterTheRefusalIsAnswered) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), false, "auth-required: wait"), now)), IsEmpty());
  EXPECT_THAT(words(s.on_frame(R"(["AUTH","c1"])", now)), ElementsAre(auth_frame("c1", now)));
}

TEST_F(RelaySessionTest, SeveralRefusalsShareOneAuthentication) {
  auto s = live();
  s.on_frame(R"(["AUTH","c1"])", now);
  s.publish(event_id('a'), R"({"n":1})", now);
  s.publish(event_id('b'), R"({"n":2})", now);
  s.on_frame(ok_frame(event_id('a'), false, "auth-required:"), now);
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('b'), false, "auth-required:"), now)), IsEmpty());
  EXPECT_THAT(words(s.on_frame(ok_frame(auth_event(kUrl, "c1", now).id, true, ""), now)),
              ElementsAre(R"(send ["EVENT",{"n":1}])", R"(send ["EVENT",{"n":2}])"));
}

TEST_F(RelaySessionTest, ARefusedAuthenticationAnswersWhatWaitedForIt) {
  auto s = live();
  s.on_frame(R"(["AUTH","c1"])", now);
  s.publish(event_id('a'), "{}", now);
  s.on_frame(ok_frame(event_id('a'), false, "auth-required:"), now);
  EXPECT_THAT(words(s.on_frame(ok_frame(auth_event(kUrl, "c1", now).id, false, "restricted: members only"), now)),
              testing::Contains("no aa authentication refused: restricted: members only"));
}

TEST_F(RelaySessionTest, ARefusalAfterAuthenticationIsFinal) {
  auto s = live();
  s.on_frame(R"(["AUTH","c1"])", now);
  s.publish(event_id('a'), "{}", now);
  s.on_frame(ok_frame(event_id('a'), false, "auth-required:"), now);
  s.on_frame(ok_frame(auth_event(kUrl, "c1", now).id, true, ""), now);
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), false, "auth-required: still"), now)),
              ElementsAre("no aa auth-required: still"));
}

TEST_F(RelaySessionTest, WhereWeCannotSignTheRefusalIsTheAnswer) {
  may_sign = false;
  auto s = live();
  s.on_frame(R"(["AUTH","c1"])", now);
  s.publish(event_id('a'), "{}", now);
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), false, "auth-required:"), now)),
              testing::Contains("no aa auth-required: we could not authenticate"));
}

TEST_F(RelaySessionTest, ARelayCannotMakeUsSignForEver) {
  auto s = live();
  unsigned signatures = 0;
  for (int i = 0; i < 10; ++i) {
    s.publish(event_id('a'), "{}", now);
    s.on_frame(ok_frame(event_id('a'), false, "auth-required:"), now);
    for (const auto& word : words(s.on_frame(R"(["AUTH","c"])", now))) signatures += word.starts_with("send [\"AUTH\"");
  }
  EXPECT_LE(signatures, kMaxAuths);
}

TEST_F(RelaySessionTest, AChallengeIsForgottenWithItsConnection) {
  auto s = live();
  s.on_frame(R"(["AUTH","old"])", now);
  s.on_closed("gone", now);
  s.on_tick(now = *s.wake_at());
  s.on_open(now);
  EXPECT_THAT(words(s.on_frame(R"(["CLOSED","in","auth-required:"])", now)),
              Not(testing::Contains(HasSubstr("AUTH\""))));
  EXPECT_THAT(words(s.on_frame(R"(["AUTH","new"])", now)), ElementsAre(auth_frame("new", now)));
}

TEST_F(RelaySessionTest, AQueryThatIsRefusedIsAuthenticatedAndAskedAgain) {
  auto s = live();
  s.on_frame(R"(["AUTH","c1"])", now);
  s.query("q", {.kinds = {1}, .limit = 1}, now);
  EXPECT_THAT(words(s.on_frame(R"(["CLOSED","q","ERROR: auth-required: who are you"])", now)),
              ElementsAre(auth_frame("c1", now)));
  EXPECT_THAT(words(s.on_frame(ok_frame(auth_event(kUrl, "c1", now).id, true, ""), now)),
              ElementsAre(R"(send ["REQ","q",{"kinds":[1],"limit":1}])"));
  EXPECT_THAT(words(s.on_frame(R"(["CLOSED","q","auth-required: still"])", now)),
              ElementsAre("end q: closed by the relay: auth-required: still"));
}

TEST_F(RelaySessionTest, WhateverAChallengeSaysTheRelayThatWasDialledIsNamed) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  s.on_frame(ok_frame(event_id('a'), false, "auth-required:"), now);
  const auto said = words(s.on_frame(R"(["AUTH","wss://another.example"])", now));
  ASSERT_THAT(said, ElementsAre(HasSubstr(R"(["relay","wss://relay.example"])")));
}

}  // namespace
}  // namespace nostr
