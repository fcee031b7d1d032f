// One relay session: what it publishes, what it learns from refusals, what it asks once.
#include "pipeline/nostr/relay/session.h"
#include "tests/unit/pipeline/nostr/relay/relay_session_fixture.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

// ---- publishing -----------------------------------------------------------------------------------------------------

TEST_F(RelaySessionTest, APublicationIsSentAndAnswered) {
  auto s = live();
  EXPECT_THAT(words(s.publish(event_id('a'), R"({"id":"…"})", now)), ElementsAre(R"(send ["EVENT",{"id":"…"}])"));
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), true, ""), now)), ElementsAre("yes aa "));
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), true, ""), now)), IsEmpty()) << "answered once";
}

TEST_F(RelaySessionTest, ARefusalCarriesTheRelaysWords) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), false, "blocked: not on the list"), now)),
              ElementsAre("no aa blocked: not on the list"));
}

TEST_F(RelaySessionTest, ADuplicateIsAccepted) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), false, "duplicate: have it"), now)),
              ElementsAre("yes aa duplicate: have it"));
}

TEST_F(RelaySessionTest, AnAnswerToSomethingElseIsIgnored) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('b'), true, ""), now)), IsEmpty());
}

TEST_F(RelaySessionTest, WhatIsPublishedWhileConnectingIsSentWhenOpen) {
  auto s = session();
  s.start(now);
  EXPECT_THAT(words(s.publish(event_id('a'), R"({"n":1})", now)), IsEmpty());
  EXPECT_THAT(words(s.on_open(now)), ElementsAre("ping", R"(send ["EVENT",{"n":1}])", "health live"));
}

TEST_F(RelaySessionTest, SilenceIsAnAnswerAfterTheDeadline) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  EXPECT_EQ(s.wake_at(), now + kPublishTimeoutMs);
  EXPECT_THAT(words(s.on_tick(now + kPublishTimeoutMs)), ElementsAre("no aa no answer within 30 s", "ping"));
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), true, ""), now)), IsEmpty()) << "too late";
}

TEST_F(RelaySessionTest, AnOutageIsNamedInTheTimeOut) {
  auto s = session();
  s.start(now);
  s.publish(event_id('a'), "{}", now);
  const TimeMs deadline = now + kPublishTimeoutMs;
  std::vector<std::string> said;
  for (; now < deadline; now = std::min(deadline, *s.wake_at())) {
    s.on_tick(now);
    for (auto& word : words(s.on_closed("connection refused", now))) said.push_back(word);
  }
  for (auto& word : words(s.on_tick(now))) said.push_back(word);
  EXPECT_THAT(said, testing::Contains(StartsWith("no aa")).Times(1));
  EXPECT_THAT(said, testing::Contains(AllOf(StartsWith("no aa"), HasSubstr("connection refused"))));
}

TEST_F(RelaySessionTest, APublicationSurvivesAReconnect) {
  auto s = live();
  s.publish(event_id('a'), R"({"n":1})", now);
  EXPECT_THAT(words(s.on_closed("gone", now)), ElementsAre("health offline: gone"));
  s.on_tick(now = *s.wake_at());
  EXPECT_THAT(words(s.on_open(now)), testing::Contains(R"(send ["EVENT",{"n":1}])"));
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), false, "duplicate:"), now)), ElementsAre("yes aa duplicate:"));
}

TEST_F(RelaySessionTest, WhatCannotBeSentInTimeIsAnsweredAtOnce) {
  auto s = session();
  s.start(now);
  for (int i = 0; i < 8; ++i) {
    s.on_closed("connection refused", now);
    s.on_tick(now = *s.wake_at());
  }
  s.publish(event_id('a'), "{}", now);
  EXPECT_THAT(words(s.on_closed("connection refused", now)),
              ElementsAre("no aa connection refused", "health offline: connection refused"));
  EXPECT_THAT(words(s.publish(event_id('b'), "{}", now)),
              ElementsAre("no bb not sent: connection refused; next try in 128 s"));
}

TEST_F(RelaySessionTest, TheSameEventIsNotSentTwiceWhileItWaits) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  EXPECT_THAT(words(s.publish(event_id('a'), "{}", now)), IsEmpty());
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), true, ""), now)), ElementsAre("yes aa "));
  EXPECT_THAT(words(s.publish(event_id('a'), "{}", now)), ElementsAre(R"(send ["EVENT",{}])"))
      << "later it is sent again";
}

TEST_F(RelaySessionTest, TooManyWaitingEventsAreRefusedAtOnce) {
  auto s = live();
  for (std::size_t i = 0; i < kMaxPublications; ++i) {
    EventId id;
    id.bytes[0] = static_cast<std::uint8_t>(i);
    s.publish(id, "{}", now);
  }
  EventId one_more;
  one_more.bytes[1] = 1;
  EXPECT_THAT(words(s.publish(one_more, "{}", now)),
              ElementsAre("no 00 not sent: 256 events wait for this relay already"));
  s.on_frame(ok_frame(EventId{}, true, ""), now);
  EXPECT_THAT(words(s.publish(one_more, "{}", now)), ElementsAre(R"(send ["EVENT",{}])")) << "there is room again";
}

TEST_F(RelaySessionTest, TooManyWaitingBytesAreRefusedAtOnce) {
  auto s = live();
  s.publish(event_id('a'), std::string(kMaxPublicationBytes, ' '), now);
  EXPECT_THAT(words(s.publish(event_id('b'), "{}", now)), ElementsAre(StartsWith("no bb not sent: 1 events wait")));
  s.on_frame(ok_frame(event_id('a'), true, ""), now);
  EXPECT_THAT(words(s.publish(event_id('b'), "{}", now)), ElementsAre(R"(send ["EVENT",{}])"));
}

// ---- what a refusal says about the events to come -------------------------------------------------------------------

TEST_F(RelaySessionTest, ARelayThatFindsUsTooFastGetsOneEventAtATime) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), false, "rate-limited: slow down"), now)),
              ElementsAre("no aa rate-limited: slow down"));
  EXPECT_THAT(words(s.publish(event_id('b'), R"({"n":2})", now)), IsEmpty());
  EXPECT_THAT(words(s.publish(event_id('c'), R"({"n":3})", now)), IsEmpty());
  EXPECT_EQ(s.wake_at(), now + kSlowPaceMs);
  EXPECT_THAT(words(s.on_tick(now = *s.wake_at())), ElementsAre(R"(send ["EVENT",{"n":2}])"));
  EXPECT_EQ(s.wake_at(), now + kSlowPaceMs);
  EXPECT_THAT(words(s.on_tick(now = *s.wake_at())), ElementsAre(R"(send ["EVENT",{"n":3}])"));
}

TEST_F(RelaySessionTest, AfterAWhileItIsTrustedToTakeThemAllAgain) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  s.on_frame(ok_frame(event_id('a'), false, "rate-limited:"), now);
  now = now + kSlowMs;
  EXPECT_THAT(words(s.publish(event_id('b'), "{}", now)), ElementsAre(StartsWith("send")));
  EXPECT_THAT(words(s.publish(event_id('c'), "{}", now)), ElementsAre(StartsWith("send")));
}

TEST_F(RelaySessionTest, ThePaceOutlivesTheConnection) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  s.on_frame(ok_frame(event_id('a'), false, "rate-limited:"), now);
  s.on_closed("gone", now);
  s.publish(event_id('b'), R"({"n":2})", now);
  s.publish(event_id('c'), R"({"n":3})", now);
  s.on_tick(now = now + kSlowPaceMs);
  const auto said = words(s.on_open(now));
  EXPECT_THAT(said, testing::Contains(R"(send ["EVENT",{"n":2}])"));
  EXPECT_THAT(said, testing::Not(testing::Contains(R"(send ["EVENT",{"n":3}])")));
}

TEST_F(RelaySessionTest, WhatCouldNotBeSentAtThatPaceSaysSo) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  s.on_frame(ok_frame(event_id('a'), false, "rate-limited:"), now);
  for (const char id : std::string("0123456789abcdef")) s.publish(event_id(id), "{}", now);
  std::vector<std::string> said;
  for (const TimeMs deadline = now + kPublishTimeoutMs; now < deadline;) {
    now = std::min(deadline, *s.wake_at());
    for (auto& word : words(s.on_tick(now))) said.push_back(word);
    s.on_pong(now);
  }
  EXPECT_THAT(said, testing::Contains("no 00 no answer within 30 s"));
  EXPECT_THAT(said, testing::Contains("no ff rate-limited: not sent, the relay takes our events slowly"));
}

TEST_F(RelaySessionTest, TheWorkThatARelayAsksForIsRemembered) {
  auto s = live();
  EXPECT_EQ(s.required_pow(), 0U);
  s.publish(event_id('a'), "{}", now);
  EXPECT_THAT(words(s.on_frame(ok_frame(event_id('a'), false, "pow: difficulty 3 is less than 20"), now)),
              ElementsAre("no aa pow: difficulty 3 is less than 20"));
  EXPECT_EQ(s.required_pow(), 20U);
  s.on_closed("gone", now);
  EXPECT_EQ(s.required_pow(), 20U) << "the relay is the same";
}

TEST_F(RelaySessionTest, TheWorkOfAnAcceptedEventIsNoDemand) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  s.on_frame(ok_frame(event_id('a'), true, "pow: difficulty 25>=24"), now);
  EXPECT_EQ(s.required_pow(), 0U);
}

TEST_F(RelaySessionTest, WhatItsDocumentAsksForIsTheLeast) {
  auto s = live();
  s.set_limits({.min_pow_difficulty = 24});
  EXPECT_EQ(s.required_pow(), 24U);
  s.publish(event_id('a'), "{}", now);
  s.on_frame(ok_frame(event_id('a'), false, "pow: 28 bits needed"), now);
  EXPECT_EQ(s.required_pow(), 28U);
}

TEST_F(RelaySessionTest, AnEventThatIsTooLongForTheRelayIsAnsweredAtOnce) {
  auto s = live();
  s.set_limits({.max_message_length = 20});
  EXPECT_THAT(words(s.publish(event_id('a'), R"("123456789")", now)),
              ElementsAre("no aa not sent: this relay takes at most 20 bytes"));
  EXPECT_THAT(words(s.publish(event_id('b'), R"("12345678")", now)), ElementsAre(R"(send ["EVENT","12345678"])"))
      << "20 bytes with what stands around it";
}

// ---- asking once ----------------------------------------------------------------------------------------------------

class SessionQueries : public RelaySessionTest {
 protected:
  static Filter newest(std::uint64_t limit) { return {.kinds = {5050}, .limit = limit}; }
};

TEST_F(SessionQueries, AreAnsweredByTheStoredEventsAndEnd) {
  auto s = live();
  EXPECT_THAT(words(s.query("q", newest(2), now)), ElementsAre(R"(send ["REQ","q",{"kinds":[5050],"limit":2}])"));
  EXPECT_THAT(words(s.on_frame(event_frame("q", an_event("x")), now)), ElementsAre("deliver q x"));
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","q"])", now)), ElementsAre(R"(send ["CLOSE","q"])", "end q"));
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","q"])", now)), IsEmpty()) << "once";
}

TEST_F(SessionQueries, SayNothingAboutWhetherTheRelayIsLive) {
  auto s = live();
  s.query("q", newest(2), now);
  EXPECT_EQ(s.state(), RelayState::live);
  s.on_frame(R"(["CLOSED","q","error: no"])", now);
  EXPECT_EQ(s.state(), RelayState::live);
}

TEST_F(SessionQueries, TakeNoMoreThanTheyAskedFor) {
  auto s = live();
  s.query("q", newest(2), now);
  Event other = an_event("of another kind");
  other.kind = 1;
  EXPECT_THAT(words(s.on_frame(event_frame("q", other), now)), ElementsAre("dropped unasked"));
  s.on_frame(event_frame("q", an_event("1")), now);
  s.on_frame(event_frame("q", an_event("2")), now);
  EXPECT_THAT(words(s.on_frame(event_frame("q", an_event("3")), now)), ElementsAre("dropped unasked"));
}

TEST_F(SessionQueries, AreEndedByARelayThatClosesThem) {
  auto s = live();
  s.query("q", newest(2), now);
  EXPECT_THAT(words(s.on_frame(R"(["CLOSED","q","error: could not read"])", now)),
              ElementsAre("end q: closed by the relay: error: could not read"));
}

TEST_F(SessionQueries, AreEndedBySilence) {
  auto s = live();
  s.query("q", newest(2), now);
  EXPECT_EQ(s.wake_at(), now + kQueryTimeoutMs);
  EXPECT_THAT(words(s.on_tick(now + kQueryTimeoutMs)),
              ElementsAre(R"(send ["CLOSE","q"])", "end q: no answer within 10 s"));
}

TEST_F(SessionQueries, DialAGuestAndLeaveIt) {
  auto s = session(false);
  EXPECT_THAT(words(s.query("q", newest(1), now)), ElementsAre("dial", "health connecting"));
  EXPECT_THAT(words(s.on_open(now)),
              ElementsAre("ping", R"(send ["REQ","q",{"kinds":[5050],"limit":1}])", "health live"));
  s.on_pong(now);
  s.on_frame(R"(["EOSE","q"])", now);
  EXPECT_THAT(words(s.on_tick(now + kIdleMs)), testing::Contains("hang up"));
}

TEST_F(SessionQueries, SurviveAReconnectInTime) {
  auto s = live();
  s.query("q", newest(2), now);
  s.on_frame(event_frame("q", an_event("x")), now);
  EXPECT_THAT(words(s.on_closed("gone", now)), ElementsAre("health offline: gone"));
  s.on_tick(now = *s.wake_at());
  EXPECT_THAT(words(s.on_open(now)), testing::Contains(HasSubstr(R"(["REQ","q")")));
  EXPECT_THAT(words(s.on_frame(event_frame("q", an_event("x")), now)), ElementsAre("deliver q x")) << "from the start";
}

TEST_F(SessionQueries, ToARelayThatCannotBeReachedInTimeEndAtOnce) {
  auto s = session(false);
  for (int i = 0; i < 6; ++i) {
    s.query("q", newest(1), now);
    s.on_tick(now = s.wake_at().value_or(now));
    s.on_closed("connection refused", now);
  }
  EXPECT_THAT(words(s.query("again", newest(1), now)),
              ElementsAre("end again: not sent: connection refused; next try in 16 s"));
}

TEST_F(SessionQueries, ToAForbiddenAddressEnd) {
  auto s = session(false);
  s.query("q", newest(1), now);
  EXPECT_THAT(words(s.on_forbidden("10.0.0.1 is not a public address", now)),
              testing::Contains("end q: 10.0.0.1 is not a public address"));
}

TEST_F(SessionQueries, EndWithTheSession) {
  auto s = live();
  s.query("q", newest(1), now);
  EXPECT_THAT(words(s.shut_down()), testing::Contains("end q: shutting down"));
  EXPECT_THAT(words(s.query("r", newest(1), now)), ElementsAre("end r: shutting down"));
}

}  // namespace
}  // namespace nostr
