// One relay session: what it receives, and how it keeps its subscriptions open.
#include "pipeline/nostr/relay/session.h"
#include "tests/unit/pipeline/nostr/relay/relay_session_fixture.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

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

TEST_F(Pages, APageOfOneSecondIsNotTheLast) {
  auto s = opened();
  for (std::size_t i = 0; i < kFullPage; ++i) {
    s.on_frame(event_frame("in", an_event(std::to_string(i), 4'981)), now);
  }
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in"])", now)),
              ElementsAre(R"(send ["REQ","in~1",{"kinds":[5050],"since":4981,"until":4981,"limit":5000}])"));
  EXPECT_THAT(
      words(s.on_frame(R"(["EOSE","in~1"])", now)),
      ElementsAre(R"(send ["CLOSE","in~1"])", R"(send ["REQ","in~2",{"kinds":[5050],"since":1000,"until":4980}])"));
  EXPECT_EQ(s.state(), RelayState::catching_up);
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in~2"])", now)),
              ElementsAre(R"(send ["CLOSE","in~2"])", "caught up in", "health live"));
}

TEST_F(Pages, ARelayThatCannotBeReadWholeIsLiveWithAWarning) {
  auto s = opened();
  for (const std::string id : {"in", "in~1"}) {
    for (std::size_t i = 0; i < kFullPage; ++i) {
      s.on_frame(event_frame(id, an_event(std::to_string(i), 4'981)), now);
    }
    s.on_frame(R"(["EOSE",")" + id + "\"]", now);
  }
  EXPECT_THAT(words(s.on_frame(R"(["EOSE","in~2"])", now)),
              ElementsAre(R"(send ["CLOSE","in~2"])", "caught up in",
                          "health live: cannot be read whole: it has more events of one second (created_at 4981) than "
                          "it sends"));
  EXPECT_EQ(s.state(), RelayState::live);
}

TEST_F(Pages, ARelayThatNeverEndsAPageIsAskedAgain) {
  auto s = opened();
  s.on_pong(now);
  s.on_frame(R"(["NOTICE","ERROR: too many filters"])", now);
  EXPECT_EQ(s.last_notice(), "ERROR: too many filters");
  for (int i = 0; i < 4; ++i) {
    now = now + kPageTimeoutMs / 4;
    if (i < 3) s.on_tick(now);
    s.on_pong(now);
  }
  EXPECT_THAT(words(s.on_tick(now)),
              testing::Contains("health catching up: subscription: no answer within 60 s (its last notice: ERROR: too "
                                "many filters)"));
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

// ---- subscriptions that change --------------------------------------------------------------------------------------

class Changing : public RelaySessionTest {
 protected:
  RelaySession::FilterSource wanted_kinds() {
    return [this] { return kinds.empty() ? std::vector<Filter>() : std::vector<Filter>{{.kinds = kinds}}; };
  }
  RelayActions want(RelaySession& s, std::vector<std::uint32_t> now_wanted) {
    kinds = std::move(now_wanted);
    return s.subscribe("also", wanted_kinds(), now, {.vital = false});
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

}  // namespace
}  // namespace nostr
