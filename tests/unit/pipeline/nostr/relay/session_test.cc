// One relay, told as a story of inputs and answers. No socket, no clock.
#include "pipeline/nostr/relay/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip42.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

constexpr TimeMs kStart{1'700'000'000'000};
constexpr char kUrl[] = "wss://relay.example";

// One action in words, so that a list of them reads like a log.
struct InWords {
  std::string operator()(const Dial&) const { return "dial"; }
  std::string operator()(const SendFrame& a) const { return "send " + a.text; }
  std::string operator()(const SendPing&) const { return "ping"; }
  std::string operator()(const HangUp&) const { return "hang up"; }
  std::string operator()(const Deliver& a) const { return "deliver " + a.subscription + " " + a.event.content; }
  std::string operator()(const CaughtUp& a) const { return "caught up " + a.subscription; }
  std::string operator()(const PublishAnswer& a) const {
    return std::string(a.accepted ? "yes " : "no ") + a.event.hex().substr(0, 2) + " " + a.message;
  }
  std::string operator()(const QueryEnd& a) const { return "end " + a.id + (a.error.empty() ? "" : ": " + a.error); }
  std::string operator()(const Dropped& a) const { return "dropped " + a.reason; }
  std::string operator()(const Notice& a) const { return "notice " + a.text; }
  std::string operator()(const HealthChange& a) const {
    return "health " + std::string(name(a.state)) + (a.reason.empty() ? "" : ": " + a.reason);
  }
};

std::vector<std::string> words(const RelayActions& actions) {
  std::vector<std::string> out;
  for (const auto& action : actions) out.push_back(std::visit(InWords{}, action));
  return out;
}

EventId event_id(char digit) {
  return *EventId::from_hex(std::string(64, digit));
}

Event an_event(std::string content, std::int64_t created_at = 1'700'000'000) {
  Event event;
  event.kind = 5050;
  event.created_at = created_at;
  event.content = std::move(content);
  event.id = compute_id(event);
  return event;
}

std::string event_frame(const std::string& subscription, const Event& event) {
  return R"(["EVENT",")" + subscription + R"(",)" + to_json(event) + "]";
}

std::string ok_frame(const EventId& id, bool accepted, const std::string& message) {
  return R"(["OK",")" + id.hex() + "\"," + (accepted ? "true" : "false") + ",\"" + message + "\"]";
}

const SecretKey kKey = *SecretKey::from_bytes(std::string(32, '\x07'));

Event auth_event(const std::string& url, const std::string& challenge, TimeMs now) {
  return auth_event(kKey, url, challenge, now, AuxRandom{});
}

TEST(AuthEvent, NamesTheRelayAndTheChallengeAndIsSigned) {
  const auto event = auth_event("wss://relay.example", "c1", kStart);
  EXPECT_EQ(event.kind, kAuthKind);
  EXPECT_EQ(event.tag_value("relay"), "wss://relay.example");
  EXPECT_EQ(event.tag_value("challenge"), "c1");
  EXPECT_EQ(event.created_at, kStart.ms / 1000);
  EXPECT_TRUE(verify(event));
}

class RelaySessionTest : public testing::Test {
 protected:
  RelaySession session(bool persistent = true) {
    RelaySessionOptions options;
    options.url = kUrl;
    options.persistent = persistent;
    options.random = [this] { return jitter; };
    options.sign_auth = [this](const std::string& url, const std::string& challenge,
                               TimeMs at) -> std::optional<Event> {
      if (!may_sign) return std::nullopt;
      return auth_event(url, challenge, at);
    };
    return RelaySession(std::move(options));
  }

  RelaySession::FilterSource kind_5050() {
    return [this] {
      Filter filter;
      filter.kinds = {5050};
      filter.since_s = since_s;
      return std::vector<Filter>{filter};
    };
  }

  // A session whose subscription "in" is open and live.
  RelaySession live() {
    auto s = session();
    s.subscribe("in", kind_5050(), now);
    s.start(now);
    s.on_open(now);
    s.on_pong(now);
    s.on_frame(R"(["EOSE","in"])", now);
    EXPECT_EQ(s.state(), RelayState::live);
    return s;
  }

  TimeMs now = kStart;
  double jitter = 0.0;
  bool may_sign = true;
  std::int64_t since_s = 1'000;
};

// ---- connecting -----------------------------------------------------------------------------------------------------

TEST_F(RelaySessionTest, OurOwnRelayIsDialledAtTheStart) {
  auto s = session();
  EXPECT_THAT(words(s.start(now)), ElementsAre("dial", "health connecting"));
  EXPECT_THAT(words(s.start(now)), IsEmpty()) << "once";
}

TEST_F(RelaySessionTest, AGuestWithNothingToDoIsNotDialled) {
  auto s = session(false);
  EXPECT_THAT(words(s.start(now)), IsEmpty());
  EXPECT_EQ(s.state(), RelayState::idle);
  EXPECT_EQ(s.wake_at(), std::nullopt);
}

TEST_F(RelaySessionTest, AnOpenRelayIsPingedAndAskedForWhatWeWant) {
  auto s = session();
  s.subscribe("in", kind_5050(), now);
  s.start(now);
  EXPECT_THAT(words(s.on_open(now)),
              ElementsAre("ping", R"(send ["REQ","in",{"kinds":[5050],"since":1000}])", "health catching up"));
}

TEST_F(RelaySessionTest, WithoutSubscriptionsAnOpenRelayIsLive) {
  auto s = session();
  s.start(now);
  EXPECT_THAT(words(s.on_open(now)), ElementsAre("ping", "health live"));
}

TEST_F(RelaySessionTest, ADialThatGetsNoAnswerIsGivenUp) {
  auto s = session();
  s.start(now);
  EXPECT_EQ(s.wake_at(), now + kDialTimeoutMs);
  EXPECT_THAT(words(s.on_tick(now + (kDialTimeoutMs - 1))), IsEmpty());
  EXPECT_THAT(words(s.on_tick(now + kDialTimeoutMs)), ElementsAre("hang up", "health offline: no answer within 15 s"));
}

TEST_F(RelaySessionTest, AnAnswerAfterGivingUpChangesNothing) {
  auto s = session();
  s.start(now);
  s.on_tick(now + kDialTimeoutMs);
  EXPECT_THAT(words(s.on_open(now + kDialTimeoutMs)), IsEmpty());
  EXPECT_THAT(words(s.on_closed("late", now + kDialTimeoutMs)), IsEmpty());
  EXPECT_EQ(s.reason(), "no answer within 15 s");
}

// ---- coming back ----------------------------------------------------------------------------------------------------

TEST_F(RelaySessionTest, ALostConnectionIsDialledAgainAfterTheBackOff) {
  auto s = live();
  EXPECT_THAT(words(s.on_closed("closed by the relay", now)), ElementsAre("health offline: closed by the relay"));
  EXPECT_EQ(s.wake_at(), now + kMinBackoffMs / 2);
  EXPECT_THAT(words(s.on_tick(now + (kMinBackoffMs / 2 - 1))), IsEmpty());
  EXPECT_THAT(words(s.on_tick(now + kMinBackoffMs / 2)), ElementsAre("dial", "health connecting: closed by the relay"));
}

TEST_F(RelaySessionTest, TheBackOffDoublesUpToItsCap) {
  auto s = session();
  s.start(now);
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 12; ++i) {
    s.on_closed("connection refused", now);
    waits.push_back(*s.wake_at() - now);
    now = *s.wake_at();
    s.on_tick(now);
  }
  EXPECT_THAT(waits,
              ElementsAre(500, 1'000, 2'000, 4'000, 8'000, 16'000, 32'000, 64'000, 128'000, 150'000, 150'000, 150'000));
}

TEST_F(RelaySessionTest, HalfOfTheBackOffIsChance) {
  jitter = 0.999;
  auto s = session();
  s.start(now);
  s.on_closed("connection refused", now);
  EXPECT_EQ(*s.wake_at() - now, 500 + 499);
}

TEST_F(RelaySessionTest, AVeryLongOutageDoesNotOverflowTheBackOff) {
  auto s = session();
  s.start(now);
  for (int i = 0; i < 200; ++i) {
    s.on_closed("connection refused", now);
    now = *s.wake_at();
    s.on_tick(now);
  }
  s.on_closed("connection refused", now);
  EXPECT_EQ(*s.wake_at() - now, kMaxBackoffMs / 2);
}

TEST_F(RelaySessionTest, ARelayThatAcceptsAndDropsDoesNotResetTheBackOff) {
  auto s = session();
  s.start(now);
  for (int i = 0; i < 4; ++i) {
    s.on_open(now);
    s.on_closed("closed by the relay", now);
    if (i < 3) s.on_tick(now = *s.wake_at());
  }
  EXPECT_EQ(*s.wake_at() - now, 4'000);
}

TEST_F(RelaySessionTest, AStableConnectionResetsTheBackOff) {
  auto s = session();
  s.start(now);
  for (int i = 0; i < 4; ++i) {
    s.on_closed("connection refused", now);
    s.on_tick(now = *s.wake_at());
  }
  s.on_open(now);
  now = now + kStableMs;
  s.on_closed("closed by the relay", now);
  EXPECT_EQ(*s.wake_at() - now, kMinBackoffMs / 2);
}

TEST_F(RelaySessionTest, TheSubscriptionIsOpenedAgainWithTheNewestSince) {
  auto s = live();
  s.on_closed("gone", now);
  since_s = 2'000;
  s.on_tick(now = *s.wake_at());
  EXPECT_THAT(words(s.on_open(now)), testing::Contains(R"(send ["REQ","in",{"kinds":[5050],"since":2000}])"));
  EXPECT_EQ(s.state(), RelayState::catching_up);
}

TEST_F(RelaySessionTest, AForbiddenAddressAnswersAllThatWaitsAndIsNotTriedSoon) {
  auto s = session(false);
  s.publish(event_id('a'), "{}", now);
  EXPECT_THAT(
      words(s.on_forbidden("10.0.0.1 is not a public address", now)),
      ElementsAre("health offline: 10.0.0.1 is not a public address", "no aa 10.0.0.1 is not a public address"));
  EXPECT_THAT(words(s.publish(event_id('b'), "{}", now)),
              ElementsAre("no bb not sent: 10.0.0.1 is not a public address; next try in 300 s"));
}

// ---- being alive ----------------------------------------------------------------------------------------------------

TEST_F(RelaySessionTest, APongTellsTheLatency) {
  auto s = session();
  s.start(now);
  s.on_open(now);
  EXPECT_EQ(s.latency_ms(), std::nullopt);
  s.on_pong(now + 81);
  EXPECT_EQ(s.latency_ms(), 81);
}

TEST_F(RelaySessionTest, ASilentRelayIsPinged) {
  auto s = live();
  EXPECT_EQ(s.wake_at(), now + kPingIntervalMs);
  EXPECT_THAT(words(s.on_tick(now + kPingIntervalMs)), ElementsAre("ping"));
  EXPECT_THAT(words(s.on_tick(now + kPingIntervalMs + 1)), IsEmpty()) << "one ping at a time";
}

TEST_F(RelaySessionTest, ATalkingRelayIsNotPinged) {
  auto s = live();
  s.on_frame(R"(["NOTICE","hello"])", now + 20'000);
  EXPECT_THAT(words(s.on_tick(now + kPingIntervalMs)), IsEmpty());
  EXPECT_EQ(s.last_heard(), now + 20'000);
}

TEST_F(RelaySessionTest, AHalfDeadSocketIsFoundAndLeft) {
  auto s = live();
  s.on_tick(now + kPingIntervalMs);
  EXPECT_EQ(s.wake_at(), now + kPingIntervalMs + kPongTimeoutMs);
  EXPECT_THAT(words(s.on_tick(now + kPingIntervalMs + kPongTimeoutMs)),
              ElementsAre("hang up", "health offline: no answer to a ping within 15 s"));
}

TEST_F(RelaySessionTest, APongAfterTheConnectionEndedIsIgnored) {
  auto s = live();
  s.on_closed("gone", now);
  EXPECT_THAT(words(s.on_pong(now)), IsEmpty());
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in"])", now)), IsEmpty());
  EXPECT_EQ(s.state(), RelayState::offline);
}

// ---- receiving ------------------------------------------------------------------------------------------------------

TEST_F(RelaySessionTest, AnEventIsDeliveredWithItsTextAsItCrossedTheWire) {
  auto s = live();
  const auto event = an_event("hello");
  const auto actions = s.on_frame(R"(["EVENT", "in", )" + to_json(event) + " ]", now);
  ASSERT_THAT(words(actions), ElementsAre("deliver in hello"));
  EXPECT_EQ(std::get<Deliver>(actions[0]).event, event);
  EXPECT_EQ(std::get<Deliver>(actions[0]).raw, to_json(event));
}

TEST_F(RelaySessionTest, TheEndOfStoredEventsMakesItLive) {
  auto s = session();
  s.subscribe("in", kind_5050(), now);
  s.start(now);
  s.on_open(now);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in"])", now)), ElementsAre("caught up in", "health live"));
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in"])", now)), IsEmpty()) << "a second one says nothing new";
}

TEST_F(RelaySessionTest, ItIsLiveWhenEverySubscriptionIs) {
  auto s = session();
  s.subscribe("a", kind_5050(), now);
  s.subscribe("b", kind_5050(), now);
  s.start(now);
  s.on_open(now);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","b"])", now)), ElementsAre("caught up b"));
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","a"])", now)), ElementsAre("caught up a", "health live"));
}

TEST_F(RelaySessionTest, EventsThatNobodyAskedForAreDropped) {
  auto s = live();
  EXPECT_THAT(words(s.on_frame(event_frame("other", an_event("x")), now)), ElementsAre("dropped unasked"));
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","other"])", now)), IsEmpty());
  EXPECT_THAT(words(s.on_frame(R"(["CLOSED","other","bye"])", now)), IsEmpty());
}

TEST_F(RelaySessionTest, ANoticeIsPassedOn) {
  auto s = live();
  EXPECT_THAT(words(s.on_frame(R"(["NOTICE","slow down"])", now)), ElementsAre("notice slow down"));
}

TEST_F(RelaySessionTest, UnknownMessagesAreNoFault) {
  auto s = live();
  for (unsigned i = 0; i < 2 * kMaxBadFrames; ++i) EXPECT_THAT(words(s.on_frame(R"(["NEG-MSG","x"])", now)), IsEmpty());
}

TEST_F(RelaySessionTest, ASubscriptionCanBeAddedAndEndedWhileOpen) {
  auto s = live();
  EXPECT_THAT(words(s.subscribe("more", kind_5050(), now)),
              ElementsAre(R"(send ["REQ","more",{"kinds":[5050],"since":1000}])", "health catching up"));
  EXPECT_THAT(words(s.unsubscribe("more", now)), ElementsAre(R"(send ["CLOSE","more"])", "health live"));
  EXPECT_THAT(words(s.unsubscribe("more", now)), IsEmpty());
}

// ---- stored events come in pages ------------------------------------------------------------------------------------

class Pages : public RelaySessionTest {
 protected:
  // `count` stored events, one a second, the newest first.
  void deliver(RelaySession& s, const std::string& wire_id, std::size_t count, std::int64_t newest_s) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto created_at = newest_s - static_cast<std::int64_t>(i);
      ASSERT_THAT(words(s.on_frame(event_frame(wire_id, an_event("x", created_at)), now)), ElementsAre("deliver in x"));
    }
  }

  RelaySession opened() {
    auto s = session();
    s.subscribe("in", kind_5050(), now);
    s.start(now);
    s.on_open(now);
    return s;
  }
};

TEST_F(Pages, AFullPageIsFollowedByTheOlderOnes) {
  auto s = opened();
  deliver(s, "in", kFullPage, 5'000);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in"])", now)),
              ElementsAre(R"(send ["REQ","in~1",{"kinds":[5050],"since":1000,"until":4981}])"));
  EXPECT_EQ(s.state(), RelayState::catching_up) << "not live before the last page is read";
  deliver(s, "in~1", kFullPage, 4'981);
  EXPECT_THAT(
      words(s.on_frame(R"(["EOSE","in~1"])", now)),
      ElementsAre(R"(send ["CLOSE","in~1"])", R"(send ["REQ","in~2",{"kinds":[5050],"since":1000,"until":4962}])"));
  deliver(s, "in~2", 1, 4'962);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in~2"])", now)),
              ElementsAre(R"(send ["CLOSE","in~2"])", "caught up in", "health live"));
}

TEST_F(Pages, WhatWasNotAskedForSaysNothingAboutThePage) {
  auto s = opened();
  deliver(s, "in", kFullPage, 5'000);
  Event stray = an_event("x", 7);
  stray.kind = 1;
  s.on_frame(event_frame("in", stray), now);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in"])", now)),
              ElementsAre(R"(send ["REQ","in~1",{"kinds":[5050],"since":1000,"until":4981}])"));
}

TEST_F(Pages, AShortPageIsTheLast) {
  auto s = opened();
  deliver(s, "in", kFullPage - 1, 5'000);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in"])", now)), ElementsAre("caught up in", "health live"));
}

TEST_F(Pages, APageThatGetsNoOlderIsTheLast) {
  auto s = opened();
  deliver(s, "in", kFullPage, 5'000);
  s.on_frame(R"(["EOSE","in"])", now);
  for (std::size_t i = 0; i < kFullPage; ++i) s.on_frame(event_frame("in~1", an_event("x", 4'981)), now);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in~1"])", now)),
              ElementsAre(R"(send ["CLOSE","in~1"])", "caught up in", "health live"));
}

// A relay ends the subscription while an older page is on its way: what still comes of that page belongs to no other.
TEST_F(Pages, APageOfAnEarlierReadingSaysNothingAboutALaterOne) {
  auto s = opened();
  deliver(s, "in", kFullPage, 5'000);
  s.on_frame(R"(["EOSE","in"])", now);
  s.on_frame(R"(["CLOSED","in","error: too many subscriptions"])", now);
  now = now + 5'000;
  EXPECT_THAT(words(s.on_tick(now)), testing::Contains(R"(send ["REQ","in",{"kinds":[5050],"since":1000}])"));
  deliver(s, "in", kFullPage, 5'000);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in"])", now)),
              ElementsAre(R"(send ["REQ","in~2",{"kinds":[5050],"since":1000,"until":4981}])"));
  deliver(s, "in~1", 1, 2'000);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in~1"])", now)), ElementsAre(R"(send ["CLOSE","in~1"])"))
      << "not caught up: that was the former page";
  EXPECT_THAT(words(s.on_frame(R"(["CLOSED","in~1",""])", now)), IsEmpty());
  EXPECT_EQ(s.state(), RelayState::catching_up);
  deliver(s, "in~2", kFullPage, 4'981);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in~2"])", now)),
              testing::Contains(R"(send ["REQ","in~3",{"kinds":[5050],"since":1000,"until":4962}])"));
}

TEST_F(Pages, ASubscriptionWithALimitGetsWhatItAskedFor) {
  auto s = session();
  s.subscribe(
      "in",
      [] {
        Filter filter;
        filter.since_s = 1;
        filter.limit = 20;
        return std::vector<Filter>{filter};
      },
      now);
  s.start(now);
  s.on_open(now);
  deliver(s, "in", kFullPage, 5'000);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in"])", now)), ElementsAre("caught up in", "health live"));
}

TEST_F(Pages, AReconnectStartsFromTheNewestAgain) {
  auto s = opened();
  deliver(s, "in", kFullPage, 5'000);
  s.on_frame(R"(["EOSE","in"])", now);
  s.on_closed("gone", now);
  s.on_tick(now = *s.wake_at());
  EXPECT_THAT(words(s.on_open(now)), testing::Contains(R"(send ["REQ","in",{"kinds":[5050],"since":1000}])"));
}

// ---- subscriptions that the relay closes ----------------------------------------------------------------------------

TEST_F(RelaySessionTest, AClosedSubscriptionIsOpenedAgainAfterItsBackOff) {
  auto s = live();
  EXPECT_THAT(
      words(s.on_frame(R"(["CLOSED","in","error: shutting down idle subscription"])", now)),
      ElementsAre("health catching up: subscription closed by the relay: error: shutting down idle subscription"));
  EXPECT_EQ(s.wake_at(), now + kMinBackoffMs / 2);
  EXPECT_THAT(words(s.on_tick(now + kMinBackoffMs / 2)),
              ElementsAre(R"(send ["REQ","in",{"kinds":[5050],"since":1000}])"));
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in"])", now)), ElementsAre("caught up in", "health live"));
}

TEST_F(RelaySessionTest, ARelayThatKeepsClosingIsAskedEverMoreRarely) {
  auto s = live();
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 4; ++i) {
    s.on_frame(R"(["CLOSED","in","blocked: no"])", now);
    s.on_pong(now);
    waits.push_back(*s.wake_at() - now);
    s.on_tick(now = *s.wake_at());
  }
  EXPECT_THAT(waits, ElementsAre(500, 1'000, 2'000, 4'000));
}

TEST_F(RelaySessionTest, OneClosedSubscriptionDoesNotTouchAnother) {
  auto s = live();
  s.subscribe("other", kind_5050(), now);
  s.on_frame(R"(["CLOSED","other","blocked: no"])", now);
  EXPECT_THAT(words(s.on_frame(event_frame("in", an_event("still here")), now)), ElementsAre("deliver in still here"));
}

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

// ---- guests ---------------------------------------------------------------------------------------------------------

TEST_F(RelaySessionTest, AGuestIsDialledToPublishAndLeftWhenIdle) {
  auto s = session(false);
  EXPECT_THAT(words(s.publish(event_id('a'), "{}", now)), ElementsAre("dial", "health connecting"));
  s.on_open(now);
  s.on_pong(now);
  s.on_frame(ok_frame(event_id('a'), true, ""), now + 100);
  s.on_tick(now + kPingIntervalMs + 100);
  s.on_pong(now + kPingIntervalMs + 120);
  EXPECT_EQ(s.wake_at(), now + 100 + kIdleMs);
  EXPECT_THAT(words(s.on_tick(now + 100 + kIdleMs)), ElementsAre("hang up", "health idle"));
  EXPECT_EQ(s.wake_at(), std::nullopt);
  EXPECT_THAT(words(s.publish(event_id('b'), "{}", now)), ElementsAre("dial", "health connecting"))
      << "and dialled again";
}

TEST_F(RelaySessionTest, AGuestWithoutWorkIsNotDialledAgain) {
  auto s = session(false);
  s.publish(event_id('a'), "{}", now);
  s.on_open(now);
  s.on_frame(ok_frame(event_id('a'), true, ""), now);
  s.on_closed("closed by the relay", now);
  EXPECT_EQ(s.wake_at(), std::nullopt);
  EXPECT_THAT(words(s.on_tick(now + 86'400'000)), IsEmpty());
  EXPECT_THAT(words(s.publish(event_id('b'), "{}", now + 86'400'000)), testing::Contains("dial"));
}

TEST_F(RelaySessionTest, AGuestThatFailedIsNotDialledBeforeItsBackOff) {
  auto s = session(false);
  s.publish(event_id('a'), "{}", now);
  s.on_closed("connection refused", now);
  EXPECT_THAT(words(s.publish(event_id('b'), "{}", now)), IsEmpty());
  EXPECT_THAT(words(s.on_tick(now + kMinBackoffMs / 2)), testing::Contains("dial"));
}

TEST_F(RelaySessionTest, AGuestCanBeAskedAQuestion) {
  auto s = session(false);
  s.start(now);
  EXPECT_THAT(words(s.subscribe("q", kind_5050(), now)), ElementsAre("dial", "health connecting"));
  s.on_open(now);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","q"])", now)), ElementsAre("caught up q", "health live"));
  s.unsubscribe("q", now);
  s.on_pong(now);
  EXPECT_THAT(words(s.on_tick(now + kIdleMs)), ElementsAre("hang up", "health idle"));
}

// ---- asking once ----------------------------------------------------------------------------------------------------

class Queries : public RelaySessionTest {
 protected:
  static Filter newest(std::uint64_t limit) { return {.kinds = {5050}, .limit = limit}; }
};

TEST_F(Queries, AreAnsweredByTheStoredEventsAndEnd) {
  auto s = live();
  EXPECT_THAT(words(s.query("q", newest(2), now)), ElementsAre(R"(send ["REQ","q",{"kinds":[5050],"limit":2}])"));
  EXPECT_THAT(words(s.on_frame(event_frame("q", an_event("x")), now)), ElementsAre("deliver q x"));
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","q"])", now)), ElementsAre(R"(send ["CLOSE","q"])", "end q"));
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","q"])", now)), IsEmpty()) << "once";
}

TEST_F(Queries, SayNothingAboutWhetherTheRelayIsLive) {
  auto s = live();
  s.query("q", newest(2), now);
  EXPECT_EQ(s.state(), RelayState::live);
  s.on_frame(R"(["CLOSED","q","error: no"])", now);
  EXPECT_EQ(s.state(), RelayState::live);
}

TEST_F(Queries, TakeNoMoreThanTheyAskedFor) {
  auto s = live();
  s.query("q", newest(2), now);
  Event other = an_event("of another kind");
  other.kind = 1;
  EXPECT_THAT(words(s.on_frame(event_frame("q", other), now)), ElementsAre("dropped unasked"));
  s.on_frame(event_frame("q", an_event("1")), now);
  s.on_frame(event_frame("q", an_event("2")), now);
  EXPECT_THAT(words(s.on_frame(event_frame("q", an_event("3")), now)), ElementsAre("dropped unasked"));
}

TEST_F(Queries, AreEndedByARelayThatClosesThem) {
  auto s = live();
  s.query("q", newest(2), now);
  EXPECT_THAT(words(s.on_frame(R"(["CLOSED","q","error: could not read"])", now)),
              ElementsAre("end q: closed by the relay: error: could not read"));
}

TEST_F(Queries, AreEndedBySilence) {
  auto s = live();
  s.query("q", newest(2), now);
  EXPECT_EQ(s.wake_at(), now + kQueryTimeoutMs);
  EXPECT_THAT(words(s.on_tick(now + kQueryTimeoutMs)),
              ElementsAre(R"(send ["CLOSE","q"])", "end q: no answer within 10 s"));
}

TEST_F(Queries, DialAGuestAndLeaveIt) {
  auto s = session(false);
  EXPECT_THAT(words(s.query("q", newest(1), now)), ElementsAre("dial", "health connecting"));
  EXPECT_THAT(words(s.on_open(now)),
              ElementsAre("ping", R"(send ["REQ","q",{"kinds":[5050],"limit":1}])", "health live"));
  s.on_pong(now);
  s.on_frame(R"(["EOSE","q"])", now);
  EXPECT_THAT(words(s.on_tick(now + kIdleMs)), testing::Contains("hang up"));
}

TEST_F(Queries, SurviveAReconnectInTime) {
  auto s = live();
  s.query("q", newest(1), now);
  s.on_frame(event_frame("q", an_event("x")), now);
  EXPECT_THAT(words(s.on_closed("gone", now)), ElementsAre("health offline: gone"));
  s.on_tick(now = *s.wake_at());
  EXPECT_THAT(words(s.on_open(now)), testing::Contains(HasSubstr(R"(["REQ","q")")));
  EXPECT_THAT(words(s.on_frame(event_frame("q", an_event("x")), now)), ElementsAre("deliver q x")) << "from the start";
}

TEST_F(Queries, ToARelayThatCannotBeReachedInTimeEndAtOnce) {
  auto s = session(false);
  for (int i = 0; i < 6; ++i) {
    s.query("q", newest(1), now);
    s.on_tick(now = s.wake_at().value_or(now));
    s.on_closed("connection refused", now);
  }
  EXPECT_THAT(words(s.query("again", newest(1), now)),
              ElementsAre("end again: not sent: connection refused; next try in 16 s"));
}

TEST_F(Queries, ToAForbiddenAddressEnd) {
  auto s = session(false);
  s.query("q", newest(1), now);
  EXPECT_THAT(words(s.on_forbidden("10.0.0.1 is not a public address", now)),
              testing::Contains("end q: 10.0.0.1 is not a public address"));
}

TEST_F(Queries, EndWithTheSession) {
  auto s = live();
  s.query("q", newest(1), now);
  EXPECT_THAT(words(s.shut_down()), testing::Contains("end q: shutting down"));
  EXPECT_THAT(words(s.query("r", newest(1), now)), ElementsAre("end r: shutting down"));
}

// ---- subscriptions that change --------------------------------------------------------------------------------------

class Changing : public RelaySessionTest {
 protected:
  RelaySession::FilterSource wanted_kinds() {
    return [this] { return kinds.empty() ? std::vector<Filter>() : std::vector<Filter>{{.kinds = kinds}}; };
  }
  RelayActions want(RelaySession& s, std::vector<std::uint32_t> now_wanted) {
    kinds = std::move(now_wanted);
    return s.subscribe("also", wanted_kinds(), now, false);
  }
  std::vector<std::uint32_t> kinds;
};

TEST_F(Changing, ARelayIsLiveWithoutThoseThatAreNotVital) {
  auto s = live();
  EXPECT_THAT(words(want(s, {5})), ElementsAre(R"(send ["REQ","also",{"kinds":[5]}])"));
  EXPECT_EQ(s.state(), RelayState::live);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","also"])", now)), ElementsAre("caught up also"));
  EXPECT_THAT(words(s.on_frame(R"(["CLOSED","also","error: too many"])", now)),
              ElementsAre("notice subscription closed by the relay: error: too many"));
  EXPECT_EQ(s.state(), RelayState::live);
}

TEST_F(Changing, TheRelayIsToldAtMostOnceASecondOfTheNewestFiltersOnly) {
  auto s = live();
  want(s, {1});
  now = now + 400;
  EXPECT_THAT(words(want(s, {2})), IsEmpty());
  now = now + 400;
  EXPECT_THAT(words(want(s, {3})), IsEmpty());
  EXPECT_EQ(s.wake_at(), now + 200);
  EXPECT_THAT(words(s.on_tick(now = now + 200)), ElementsAre(R"(send ["REQ","also",{"kinds":[3]}])"));
  now = now + kResubscribeMs;
  EXPECT_THAT(words(want(s, {4})), ElementsAre(R"(send ["REQ","also",{"kinds":[4]}])"));
}

TEST_F(Changing, NothingWantedIsNothingAskedFor) {
  auto s = live();
  EXPECT_THAT(words(want(s, {})), IsEmpty());
  now = now + kResubscribeMs;
  want(s, {5});
  now = now + kResubscribeMs;
  EXPECT_THAT(words(want(s, {})), ElementsAre(R"(send ["CLOSE","also"])"));
}

TEST_F(Changing, ANewConnectionIsToldTheNewestFilters) {
  auto s = live();
  want(s, {5});
  s.on_closed("gone", now);
  want(s, {7007});
  s.on_tick(now = *s.wake_at());
  EXPECT_THAT(words(s.on_open(now)), testing::Contains(R"(send ["REQ","also",{"kinds":[7007]}])"));
}

TEST_F(Changing, ARelayThatClosedItIsNotAskedSoonerForAChange) {
  auto s = live();
  want(s, {5});
  for (int i = 0; i < 3; ++i) {
    s.on_frame(R"(["CLOSED","also","blocked: no"])", now);
    s.on_tick(now = *s.wake_at());
  }
  s.on_frame(R"(["CLOSED","also","blocked: no"])", now);
  now = now + kResubscribeMs;
  EXPECT_THAT(words(want(s, {7007})), IsEmpty());
  EXPECT_THAT(words(s.on_tick(now = now + 3'000)), testing::Contains(R"(send ["REQ","also",{"kinds":[7007]}])"));
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

// ---- bad frames -----------------------------------------------------------------------------------------------------

TEST_F(RelaySessionTest, MalformedFramesAreCountedAndEndTheConnection) {
  auto s = live();
  for (unsigned i = 1; i < kMaxBadFrames; ++i) {
    EXPECT_THAT(words(s.on_frame("not json", now)), ElementsAre("dropped malformed"));
  }
  EXPECT_THAT(words(s.on_frame("not json", now)),
              ElementsAre("dropped malformed", "hang up", StartsWith("health offline: sent 20 malformed frames")));
  EXPECT_TRUE(s.wake_at()) << "it is dialled again later";
}

TEST_F(RelaySessionTest, ANewConnectionStartsWithACleanSheet) {
  auto s = live();
  for (unsigned i = 1; i < kMaxBadFrames; ++i) s.on_frame("not json", now);
  s.on_closed("gone", now);
  s.on_tick(now = *s.wake_at());
  s.on_open(now);
  EXPECT_THAT(words(s.on_frame("not json", now)), ElementsAre("dropped malformed"));
}

TEST_F(RelaySessionTest, AStrangersBadEventIsNotTheRelaysFault) {
  auto s = live();
  for (unsigned i = 0; i < 3 * kMaxBadFrames; ++i) {
    EXPECT_THAT(words(s.on_frame(R"(["EVENT","in",{"id":"00","kind":5050}])", now)), ElementsAre("dropped malformed"));
  }
  EXPECT_EQ(s.state(), RelayState::live);
}

TEST_F(RelaySessionTest, HugeFramesAreDroppedWithoutBeingRead) {
  auto s = live();
  for (unsigned i = 0; i < 3 * kMaxBadFrames; ++i) {
    EXPECT_THAT(words(s.on_frame(std::string(kMaxFrameBytes + 1, '['), now)), ElementsAre("dropped too_large"));
  }
  EXPECT_EQ(s.state(), RelayState::live);
}

TEST_F(RelaySessionTest, NoInputMakesItStumble) {
  const std::vector<std::string> frames = {"",
                                           "[",
                                           "[]",
                                           "{}",
                                           "null",
                                           "[1]",
                                           R"(["EVENT"])",
                                           R"(["EVENT","in"])",
                                           R"(["EVENT","in",1])",
                                           R"(["OK"])",
                                           R"(["OK","zz",true,""])",
                                           R"(["OK",1,2,3])",
                                           R"(["EOSE"])",
                                           R"(["EOSE",7])",
                                           R"(["CLOSED","in"])",
                                           R"(["CLOSED"])",
                                           R"(["NOTICE"])",
                                           R"(["AUTH"])",
                                           R"(["AUTH",{}])",
                                           R"(["EVENT","in",{}])",
                                           "\xff\xfe",
                                           R"(["EOSE","in~1"])",
                                           R"(["EOSE","~"])",
                                           R"(["CLOSED","in~1","x"])"};
  for (const auto& frame : frames) {
    auto s = live();
    s.on_frame(frame, now);
    s.on_frame(event_frame("in", an_event("x")), now);
    s.on_tick(now + 1'000'000);
    EXPECT_TRUE(s.wake_at()) << frame;
  }
}

// ---- floods ---------------------------------------------------------------------------------------------------------

class Floods : public RelaySessionTest {
 protected:
  static constexpr char kEnd[] = "health offline: sent more than 500 forged or unasked events in a minute";
};

TEST_F(Floods, OfForgedEventsEndTheConnectionForAWhile) {
  auto s = live();
  for (unsigned i = 0; i < kMaxJunkPerMinute; ++i) ASSERT_THAT(words(s.on_junk(now)), IsEmpty());
  EXPECT_THAT(words(s.on_junk(now)), ElementsAre("hang up", kEnd));
  EXPECT_EQ(s.wake_at(), now + kJunkBackoffMs);
  EXPECT_THAT(words(s.on_junk(now)), IsEmpty()) << "what was still being checked";
}

TEST_F(Floods, OfEventsThatNobodyAskedForToo) {
  auto s = live();
  const auto frame = event_frame("other", an_event("x"));
  for (unsigned i = 0; i < kMaxJunkPerMinute; ++i) s.on_frame(frame, now);
  EXPECT_THAT(words(s.on_frame(frame, now)), ElementsAre("dropped unasked", "hang up", kEnd));
}

TEST_F(Floods, AreWhatComesWithinAMinute) {
  auto s = live();
  for (int minute = 0; minute < 5; ++minute, now = now + 60'000) {
    for (unsigned i = 0; i < kMaxJunkPerMinute; ++i) ASSERT_THAT(words(s.on_junk(now)), IsEmpty());
  }
}

TEST_F(Floods, AgainAndAgainAreMetWithEverLongerPauses) {
  auto s = live();
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 12; ++i) {
    for (unsigned junk = 0; junk <= kMaxJunkPerMinute; ++junk) s.on_junk(now);
    waits.push_back(*s.wake_at() - now);
    s.on_tick(now = *s.wake_at());
    s.on_open(now);
  }
  EXPECT_EQ(waits.front(), kJunkBackoffMs);
  EXPECT_EQ(waits.back(), kMaxBackoffMs / 2) << "half of it is chance";
}

// ---- the end --------------------------------------------------------------------------------------------------------

TEST_F(RelaySessionTest, ShuttingDownAnswersWhatWaitsAndHangsUp) {
  auto s = live();
  s.publish(event_id('a'), "{}", now);
  EXPECT_THAT(words(s.shut_down()), ElementsAre("no aa shutting down", "hang up", "health idle: shut down"));
  EXPECT_EQ(s.wake_at(), std::nullopt);
  EXPECT_THAT(words(s.on_closed("gone", now)), IsEmpty());
  EXPECT_THAT(words(s.on_tick(now + 1'000'000)), IsEmpty());
  EXPECT_THAT(words(s.start(now)), IsEmpty());
  EXPECT_THAT(words(s.publish(event_id('b'), "{}", now)), ElementsAre("no bb shutting down"));
}

// Whatever happens in whatever order: each publication is answered exactly once, by its deadline.
TEST_F(RelaySessionTest, EveryPublicationIsAnsweredExactlyOnce) {
  for (unsigned seed = 1; seed <= 300; ++seed) {
    unsigned state = seed;
    const auto random = [&](unsigned below) { return (state = state * 1'664'525U + 1'013'904'223U) / 65'536U % below; };
    now = kStart;
    auto s = session(seed % 2 == 0);
    std::map<std::string, int> answers;
    std::map<std::string, TimeMs> deadlines;
    const auto note = [&](const RelayActions& actions) {
      for (const auto& action : actions) {
        if (const auto* answer = std::get_if<PublishAnswer>(&action)) {
          ++answers[answer->event.hex()];
          EXPECT_LE(now, deadlines[answer->event.hex()]) << "seed " << seed;
        }
      }
    };
    note(s.start(now));
    std::vector<EventId> published;
    for (int step = 0; step < 200; ++step) {
      const auto wake = s.wake_at();
      now = now + random(4'000);
      if (wake && *wake < now) now = *wake;
      note(s.on_tick(now));
      EventId id;
      switch (random(8)) {
        case 0:
        case 1:
          id.bytes[0] = static_cast<std::uint8_t>(step);
          published.push_back(id);
          deadlines[id.hex()] = now + kPublishTimeoutMs;
          note(s.publish(id, "{}", now));
          break;
        case 2:
        case 3:
          note(s.on_open(now));
          break;
        case 4:
          if (random(3) == 0) note(s.on_closed("gone", now));
          break;
        case 5:
          note(s.on_pong(now));
          break;
        case 6:
          note(s.on_frame(R"(["AUTH","c"])", now));
          break;
        case 7:
          if (published.empty()) break;
          id = published[random(static_cast<unsigned>(published.size()))];
          note(s.on_frame(ok_frame(id, random(2) == 0, random(2) == 0 ? "auth-required:" : ""), now));
          break;
      }
    }
    for (int i = 0; i < 1'000 && s.wake_at() && *s.wake_at() < now + 2 * kPublishTimeoutMs; ++i) {
      const TimeMs at = std::max(now, *s.wake_at());
      now = at;
      note(s.on_tick(now));
      note(s.on_pong(now));
    }
    note(s.shut_down());
    ASSERT_EQ(answers.size(), published.size()) << "seed " << seed;
    for (const auto& [id, count] : answers) EXPECT_EQ(count, 1) << "seed " << seed << " event " << id;
  }
}

}  // namespace
}  // namespace nostr
