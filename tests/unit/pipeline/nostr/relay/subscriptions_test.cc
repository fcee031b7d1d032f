// The lasting subscriptions at one relay, without a session around them.
#include "pipeline/nostr/relay/subscriptions.h"

#include "tests/unit/pipeline/nostr/relay/relay_session_fixture.h"

namespace nostr {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr char kReqIn[] = R"(send ["REQ","in",{"kinds":[5050],"since":1000}])";

class SubscriptionsTest : public RelayPartTest {
 protected:
  bool subscribe(const std::string& id, bool vital = true) {
    const auto source = [this] {
      return wanted ? std::vector<Filter>{{.kinds = {5050}, .since_s = 1'000}} : std::vector<Filter>{};
    };
    return subscriptions.subscribe(id, source, {.vital = vital}, now, out);
  }
  void open() { subscriptions.on_open(now, out); }
  std::optional<std::string> tick() {
    Notices notices;
    if (!notice.empty()) notices.on_notice(notice, noticed_at.value_or(now));
    return subscriptions.on_tick(now, notices, out);
  }
  bool eose(const std::string& wire_id) {
    return subscriptions.on_eose({wire_id}, now, out) == Subscriptions::Eose::caught_up;
  }
  auto closed(const std::string& wire_id, bool awaits_auth = false) {
    return subscriptions.on_closed({wire_id, "error: no"}, awaits_auth, now, out);
  }
  bool event(const std::string& wire_id, std::int64_t created_at = 5'000) {
    RelayEvent message{wire_id, an_event("x", created_at), "{}"};
    return subscriptions.on_event(message, now, out);
  }
  void page(const std::string& wire_id, std::int64_t newest_s) {
    for (std::size_t i = 0; i < kFullPage; ++i) event(wire_id, newest_s - static_cast<std::int64_t>(i));
  }

  bool wanted = true;
  std::string notice;
  std::optional<TimeMs> noticed_at;  // nothing: now
  double jitter = 0.0;
  Subscriptions subscriptions{[this] { return jitter; }};
};

TEST_F(SubscriptionsTest, AreOpenedWithTheConnection) {
  EXPECT_TRUE(subscriptions.empty());
  EXPECT_FALSE(subscribe("in")) << "nothing has changed yet";
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_FALSE(subscriptions.empty());
  open();
  EXPECT_THAT(said(), ElementsAre(kReqIn));
  EXPECT_FALSE(subscriptions.all_live());
  EXPECT_TRUE(eose("in"));
  EXPECT_THAT(said(), ElementsAre("caught up in"));
  EXPECT_TRUE(subscriptions.all_live());
}

TEST_F(SubscriptionsTest, AreLiveAgainOnlyAfterTheNextConnectionsStoredEvents) {
  subscribe("in");
  open();
  eose("in");
  subscriptions.on_lost();
  EXPECT_FALSE(subscriptions.all_live());
  said();
  open();
  EXPECT_THAT(said(), ElementsAre(kReqIn));
  EXPECT_FALSE(subscriptions.all_live());
}

TEST_F(SubscriptionsTest, ThatAreNotVitalDoNotCount) {
  open();
  EXPECT_TRUE(subscribe("also", false));
  EXPECT_TRUE(subscriptions.all_live());
}

TEST_F(SubscriptionsTest, ThatChangeAreAskedForOncePerInterval) {
  open();
  EXPECT_TRUE(subscribe("in"));
  said();
  now = now + 300;
  EXPECT_TRUE(subscribe("in"));
  EXPECT_FALSE(subscribe("in")) << "scheduled already";
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(subscriptions.wake_at(), kStart + kResubscribeMs);
  now = kStart + kResubscribeMs;
  tick();
  EXPECT_THAT(said(), ElementsAre(kReqIn));
  EXPECT_EQ(subscriptions.wake_at(), now + kPageTimeoutMs) << "for its stored events";
}

TEST_F(SubscriptionsTest, WithoutFiltersAreCaughtUpAndClosed) {
  wanted = false;
  open();
  subscribe("in");
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_TRUE(subscriptions.all_live());
  wanted = true;
  now = now + kResubscribeMs;
  subscribe("in");
  said();
  wanted = false;
  now = now + kResubscribeMs;
  subscribe("in");
  EXPECT_THAT(said(), ElementsAre(R"(send ["CLOSE","in"])"));
}

TEST_F(SubscriptionsTest, ThatEndAreClosedOnAnOpenConnectionOnly) {
  subscribe("a");
  subscribe("b");
  EXPECT_TRUE(subscriptions.unsubscribe("a", out));
  EXPECT_FALSE(subscriptions.unsubscribe("a", out));
  EXPECT_THAT(said(), IsEmpty());
  open();
  said();
  EXPECT_TRUE(subscriptions.unsubscribe("b", out));
  EXPECT_THAT(said(), ElementsAre(R"(send ["CLOSE","b"])"));
  EXPECT_TRUE(subscriptions.empty());
}

TEST_F(SubscriptionsTest, TakeTheEventsOfAllTheirPages) {
  open();
  subscribe("in");
  said();
  EXPECT_TRUE(event("in"));
  EXPECT_TRUE(event("in~7")) << "a page that was asked for earlier";
  EXPECT_THAT(said(), ElementsAre("deliver in x", "deliver in x"));
  RelayEvent message{"other", an_event("x"), "{}"};
  EXPECT_FALSE(subscriptions.on_event(message, now, out));
  EXPECT_EQ(message.event.content, "x") << "it is left in its message";
}

TEST_F(SubscriptionsTest, ReadOlderPagesUntilAShortOne) {
  open();
  subscribe("in");
  page("in", 5'000);
  said();
  EXPECT_FALSE(eose("in"));
  EXPECT_THAT(said(), ElementsAre(R"(send ["REQ","in~1",{"kinds":[5050],"since":1000,"until":4981}])"));
  EXPECT_FALSE(eose("in")) << "that page is over";
  event("in~1", 4'981);
  said();
  EXPECT_TRUE(eose("in~1"));
  EXPECT_THAT(said(), ElementsAre(R"(send ["CLOSE","in~1"])", "caught up in"));
}

TEST_F(SubscriptionsTest, NumberTheirOlderPagesTogether) {
  open();
  subscribe("a");
  subscribe("b");
  page("a", 5'000);
  page("b", 5'000);
  said();
  eose("a");
  eose("b");
  EXPECT_THAT(said(), ElementsAre(R"(send ["REQ","a~1",{"kinds":[5050],"since":1000,"until":4981}])",
                                  R"(send ["REQ","b~2",{"kinds":[5050],"since":1000,"until":4981}])"));
}

TEST_F(SubscriptionsTest, ThatTheRelayClosesAreOpenedAgainAfterABackOff) {
  open();
  subscribe("in");
  eose("in");
  said();
  jitter = 0.5;
  EXPECT_EQ(closed("in"), "subscription closed by the relay: error: no");
  EXPECT_FALSE(subscriptions.all_live());
  EXPECT_EQ(subscriptions.wake_at(), now + 750) << "half of the back-off is chance";
  now = now + 749;
  tick();
  EXPECT_THAT(said(), IsEmpty());
  now = now + 1;
  tick();
  EXPECT_THAT(said(), ElementsAre(kReqIn));
}

TEST_F(SubscriptionsTest, ThatCaughtUpStartTheirBackOffAfresh) {
  open();
  subscribe("in");
  for (int i = 0; i < 5; ++i) {
    closed("in");
    now = *subscriptions.wake_at();
    tick();
  }
  eose("in");
  closed("in");
  EXPECT_EQ(subscriptions.wake_at(), now + kMinBackoffMs / 2);
}

TEST_F(SubscriptionsTest, ThatAreClosedAreNoticedIfNobodySeesItOtherwise) {
  open();
  subscribe("also", false);
  said();
  closed("also");
  EXPECT_THAT(said(), ElementsAre("notice subscription closed by the relay: error: no"));
}

TEST_F(SubscriptionsTest, IgnoreWhatTheRelayClosesWithoutHavingIt) {
  open();
  subscribe("in");
  said();
  EXPECT_EQ(closed("other"), std::nullopt);
  EXPECT_EQ(closed("in~9"), std::nullopt) << "an earlier page";
  EXPECT_EQ(subscriptions.wake_at(), now + kPageTimeoutMs) << "no try is scheduled";
  EXPECT_FALSE(eose("other"));
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(SubscriptionsTest, ThatWereRefusedForWantOfAuthAreOpenedByIt) {
  open();
  subscribe("in");
  subscribe("other");
  closed("in", true);
  EXPECT_TRUE(subscriptions.awaits_auth());
  said();
  subscriptions.on_authenticated(now, out);
  EXPECT_THAT(said(), ElementsAre(kReqIn));
  EXPECT_FALSE(subscriptions.awaits_auth());
  eose("in");
  eose("other");
  EXPECT_EQ(subscriptions.wake_at(), std::nullopt) << "no second try is scheduled";
}

TEST_F(SubscriptionsTest, ThatWereRefusedAreTriedAgainWithoutAuthToo) {
  open();
  subscribe("in");
  closed("in", true);
  subscriptions.on_auth_failed();
  EXPECT_FALSE(subscriptions.awaits_auth());
  said();
  now = *subscriptions.wake_at();
  tick();
  EXPECT_THAT(said(), Contains(kReqIn));
}

TEST_F(SubscriptionsTest, ALostConnectionCancelsWhatWasScheduled) {
  open();
  subscribe("in");
  closed("in");
  subscriptions.on_lost();
  EXPECT_EQ(subscriptions.wake_at(), std::nullopt);
  EXPECT_FALSE(subscribe("in"));
  EXPECT_EQ(subscriptions.wake_at(), std::nullopt) << "the next connection opens it";
}

// ---- relays that do not answer --------------------------------------------------------------------------------------

TEST_F(SubscriptionsTest, ThatARelayLeavesUnansweredAreOpenedAgainAfterABackOff) {
  open();
  subscribe("in");
  said();
  now = now + (kPageTimeoutMs - 1);
  event("in");
  now = now + (kPageTimeoutMs - 1);
  EXPECT_EQ(tick(), std::nullopt) << "an event came: it is slow, not silent";
  now = now + 1;
  EXPECT_EQ(tick(), "subscription: no answer within 60 s");
  EXPECT_EQ(subscriptions.wake_at(), now + kMinBackoffMs / 2);
  said();
  now = *subscriptions.wake_at();
  tick();
  EXPECT_THAT(said(), ElementsAre(kReqIn));
}

TEST_F(SubscriptionsTest, ThatAreAnsweredByANoticeAloneAreReportedWithIt) {
  open();
  subscribe("in");
  notice = "ERROR: bad req";
  now = now + kPageTimeoutMs;
  EXPECT_EQ(tick(), "subscription: no answer within 60 s (its last notice: ERROR: bad req)");
}

TEST_F(SubscriptionsTest, ThatAreCaughtUpWaitForNothing) {
  open();
  subscribe("in");
  eose("in");
  now = now + 10 * kPageTimeoutMs;
  EXPECT_EQ(tick(), std::nullopt);
  EXPECT_TRUE(subscriptions.all_live());
}

// ---- a second with more events than a page has ----------------------------------------------------------------------

// What exactly is asked for is stored_reading_test's.
class CrowdedSecond : public SubscriptionsTest {
 protected:
  // A page full of events of one second, one kind: only a narrower filter could help, and there is none.
  void crowd(const std::string& wire_id) {
    for (std::size_t i = 0; i < kFullPage; ++i) {
      RelayEvent message{wire_id, an_event(std::to_string(i), 5'000), "{}"};
      subscriptions.on_event(message, now, out);
    }
  }
  void read_crowd() {
    open();
    subscribe("in");
    crowd("in");
    eose("in");
    crowd("in~1");
    said();
    eose("in~1");
  }
};

TEST_F(CrowdedSecond, DoesNotHideTheOlderOnesAndIsReported) {
  read_crowd();
  EXPECT_THAT(said(), ElementsAre(R"(send ["CLOSE","in~1"])",
                                  R"(send ["REQ","in~2",{"kinds":[5050],"since":1000,"until":4999}])"));
  EXPECT_EQ(subscriptions.warning(), "") << "not before all is read";
  EXPECT_TRUE(eose("in~2"));
  EXPECT_EQ(std::get<CaughtUp>(out.back()).unread_s, 5'000);
  EXPECT_EQ(subscriptions.warning(),
            "cannot be read whole: it has more events of one second (created_at 5000) than it sends");
}

TEST_F(CrowdedSecond, IsReadAgainWithTheNextConnection) {
  read_crowd();
  eose("in~2");
  subscriptions.on_lost();
  open();
  eose("in");
  EXPECT_EQ(subscriptions.warning(), "") << "its events have expired there";
}

TEST_F(CrowdedSecond, AloneMayBeRefused) {
  open();
  subscribe("in");
  crowd("in");
  eose("in");
  said();
  EXPECT_EQ(closed("in~1"), "") << "reading goes on";
  EXPECT_THAT(said(), ElementsAre(R"(send ["REQ","in~2",{"kinds":[5050],"since":1000,"until":4999}])"));
}

TEST_F(CrowdedSecond, AloneMayStayUnanswered) {
  open();
  subscribe("in");
  crowd("in");
  eose("in");
  said();
  now = now + kPageTimeoutMs;
  EXPECT_EQ(tick(), std::nullopt);
  EXPECT_THAT(said(), ElementsAre(R"(send ["CLOSE","in~1"])",
                                  R"(send ["REQ","in~2",{"kinds":[5050],"since":1000,"until":4999}])"));
}

// ---- filters that a relay does not take ------------------------------------------------------------------------------

constexpr char kNeedsTag[] = "ERROR: bad req: filter must have exactly one author, p tag, or e tag";
constexpr char kReqOurs[] = R"(send ["REQ","in",{"kinds":[5050],"#p":["us"],"since":1000}])";

class Refused : public SubscriptionsTest {
 protected:
  void start(bool vital = true) {
    const auto source = [this] { return std::vector<Filter>{filter}; };
    subscriptions.subscribe("in", source, {.vital = vital, .ours = StoredReading::TagFilter{'p', {"us"}}}, now, out);
    open();
    said();
  }
  auto refuse(const std::string& words = kNeedsTag) { return subscriptions.on_closed({"in", words}, false, now, out); }

  Filter filter{.kinds = {5050}, .since_s = 1'000};
};

TEST_F(Refused, AsTooWideAreAskedForWhatIsAddressedToUs) {
  start();
  EXPECT_EQ(refuse(), "");
  EXPECT_THAT(said(), ElementsAre(kReqOurs)) << "at once";
  EXPECT_TRUE(eose("in"));
  EXPECT_TRUE(subscriptions.all_live());
  EXPECT_EQ(subscriptions.warning(), std::string("sends us only what is addressed to us: it does not take the whole "
                                                 "filter (") +
                                         kNeedsTag + ")");
}

TEST_F(Refused, ByANoticeAloneAreNarrowedToo) {
  start();
  notice = kNeedsTag;
  now = now + kPageTimeoutMs;
  EXPECT_EQ(tick(), std::nullopt);
  EXPECT_THAT(said(), ElementsAre(kReqOurs));
}

TEST_F(Refused, AreNotByANoticeThatCameBeforeTheQuestion) {
  noticed_at = now - 1;
  start();
  notice = kNeedsTag;
  now = now + kPageTimeoutMs;
  EXPECT_NE(tick(), std::nullopt) << "it is slow, and is asked for the same again";
}

TEST_F(Refused, ReportThatTheyAreReadInPartOnly) {
  start();
  refuse();
  out.clear();
  EXPECT_TRUE(eose("in"));
  const auto* end = std::get_if<CaughtUp>(&out.back());
  ASSERT_TRUE(end);
  EXPECT_TRUE(end->narrowed);
}

TEST_F(Refused, AgainAreTriedAfterABackOff) {
  start();
  refuse();
  said();
  EXPECT_EQ(refuse("blocked: no"), "subscription closed by the relay: blocked: no");
  EXPECT_THAT(said(), IsEmpty());
  now = *subscriptions.wake_at();
  tick();
  EXPECT_THAT(said(), ElementsAre(kReqOurs));
}

TEST_F(Refused, AreWholeAgainOnTheNextConnection) {
  start();
  refuse();
  eose("in");
  said();
  subscriptions.on_lost();
  open();
  EXPECT_THAT(said(), ElementsAre(kReqIn));
  EXPECT_TRUE(eose("in"));
  EXPECT_EQ(subscriptions.warning(), "");
}

TEST_F(Refused, ForAnotherReasonAreNotNarrowed) {
  start();
  EXPECT_EQ(refuse("error: too many subscriptions"), "subscription closed by the relay: error: too many subscriptions");
  EXPECT_THAT(said(), IsEmpty());
}

TEST_F(Refused, ThatAskForUsAlreadyAreNotNarrowed) {
  filter.tags = {{'p', {"us"}}};
  start();
  EXPECT_EQ(refuse(), std::string("subscription closed by the relay: ") + kNeedsTag);
}

TEST_F(Refused, ThatAreNotVitalAreNotedOnce) {
  start(false);
  refuse();
  EXPECT_THAT(said(), ElementsAre(std::string("notice takes a narrower filter only: ") + kNeedsTag, kReqOurs));
  eose("in");
  EXPECT_EQ(subscriptions.warning(), "");
}

}  // namespace
}  // namespace nostr
