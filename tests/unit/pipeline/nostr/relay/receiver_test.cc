// The dispatch of a relay's frames to the parts of a session, without a connection around it.
#include "pipeline/nostr/relay/receiver.h"

#include "tests/unit/pipeline/nostr/relay/relay_session_fixture.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ReceiverTest : public RelayPartTest {
 protected:
  ReceiverTest() {
    parts.subscriptions.on_open(now, out);
    parts.queries.on_open(out);
    parts.publications.on_open(now, out);
    parts.auth.on_open();
  }

  std::optional<Ending> receive(std::string_view frame) { return Receiver(parts, now, out).receive(frame, 2'000); }
  void subscribe(const std::string& id) {
    parts.subscriptions.subscribe(
        id, [] { return std::vector<Filter>{{.kinds = {5050}}}; }, {}, now, out);
  }

  RelayParts parts{.subscriptions = Subscriptions([] { return 0.0; }),
                   .auth = Authentication(kUrl, [](const std::string& url, const std::string& challenge, TimeMs at) {
                     return std::optional(auth_event(url, challenge, at));
                   })};
};

TEST_F(ReceiverTest, AnEventGoesToItsSubscriptionOrQuery) {
  subscribe("in");
  parts.queries.add("q", {.kinds = {5050}, .limit = 1}, now, out);
  said();
  EXPECT_FALSE(receive(event_frame("in", an_event("one"))));
  EXPECT_FALSE(receive(event_frame("q", an_event("two"))));
  EXPECT_FALSE(receive(event_frame("q", an_event("three"))));
  EXPECT_THAT(said(),
              ElementsAre("deliver in one", "deliver q two", R"(send ["CLOSE","q"])", "end q", "dropped unasked"));
}

TEST_F(ReceiverTest, UnaskedEventsEndTheConnectionInTheEnd) {
  const auto frame = event_frame("other", an_event("x"));
  for (unsigned i = 0; i < kMaxJunkPerMinute; ++i) ASSERT_FALSE(receive(frame));
  EXPECT_EQ(receive(frame)->min_backoff_ms, kJunkBackoffMs);
}

TEST_F(ReceiverTest, OnlyFramesThatAreNoMessageAreHeldAgainstTheRelay) {
  for (unsigned i = 0; i < kMaxBadFrames; ++i) {
    EXPECT_FALSE(receive(R"(["NEG-MSG","x"])"));
    EXPECT_FALSE(receive(R"(["EVENT","in",{"id":"00"}])"));
    EXPECT_FALSE(receive(std::string(2'001, '[')));
  }
  for (unsigned i = 1; i < kMaxBadFrames; ++i) EXPECT_FALSE(receive("{}"));
  EXPECT_TRUE(receive("{}"));
}

TEST_F(ReceiverTest, EventsThatNobodyCanReadAreTheirAuthorsFault) {
  for (unsigned i = 0; i < 2 * kMaxBadFrames; ++i) {
    EXPECT_FALSE(receive(R"(["EVENT","in",{"content":"\ud800"}])"));
  }
}

TEST_F(ReceiverTest, NoticesAreKeptAndReportedWithinLimits) {
  receive(R"(["NOTICE","slow down"])");
  receive(R"(["NOTICE","slow down"])");
  EXPECT_THAT(said(), ElementsAre("notice slow down")) << "once";
  for (unsigned i = 0; i < 2 * kMaxNoticesPerMinute; ++i) receive(R"(["NOTICE","no )" + std::to_string(i) + "\"]");
  EXPECT_EQ(said().size(), kMaxNoticesPerMinute - 1);
  EXPECT_EQ(parts.notices.last(), "no 19");
  now = now + 60'000;
  receive(R"(["NOTICE","again"])");
  EXPECT_THAT(said(), ElementsAre("notice again"));
}

TEST_F(ReceiverTest, TheEndOfStoredEventsIsToldAsHealth) {
  subscribe("in");
  said();
  receive(R"(["EOSE","in"])");
  EXPECT_THAT(said(), ElementsAre("caught up in", "health live"));
}

TEST_F(ReceiverTest, AnswersToOurRequestsAreWork) {
  parts.publications.add(event_id('a'), "{}", now, out);
  parts.queries.add("q", {.limit = 1}, now, out);
  now = now + 100;
  receive(R"(["NOTICE","hello"])");
  EXPECT_EQ(parts.last_work, TimeMs{});
  receive(ok_frame(event_id('a'), true, ""));
  EXPECT_EQ(parts.last_work, now);
  now = now + 100;
  receive(R"(["EOSE","q"])");
  EXPECT_EQ(parts.last_work, now);
}

TEST_F(ReceiverTest, OneAuthenticationServesAllThatWereRefused) {
  subscribe("in");
  parts.queries.add("q", {.limit = 1}, now, out);
  parts.publications.add(event_id('a'), "{}", now, out);
  receive(R"(["CLOSED","in","auth-required:"])");
  receive(R"(["CLOSED","q","auth-required:"])");
  receive(ok_frame(event_id('a'), false, "auth-required:"));
  said();
  receive(R"(["AUTH","c1"])");
  EXPECT_THAT(said(), ElementsAre("send " + auth_message(to_json(auth_event(kUrl, "c1", now)))));
  receive(ok_frame(auth_event(kUrl, "c1", now).id, true, ""));
  EXPECT_THAT(said(), ElementsAre(R"(send ["REQ","in",{"kinds":[5050]}])", R"(send ["REQ","q",{"limit":1}])",
                                  R"(send ["EVENT",{}])"));
  EXPECT_FALSE(receive(R"(["CLOSED","q","auth-required: still"])"));
  EXPECT_THAT(said(), ElementsAre("end q: closed by the relay: auth-required: still"));
}

TEST_F(ReceiverTest, ARefusedAuthenticationEndsAllThatWaitedForIt) {
  subscribe("in");
  parts.queries.add("q", {.limit = 1}, now, out);
  parts.publications.add(event_id('a'), "{}", now, out);
  receive(R"(["AUTH","c1"])");
  receive(R"(["CLOSED","in","auth-required:"])");
  receive(R"(["CLOSED","q","auth-required:"])");
  receive(ok_frame(event_id('a'), false, "auth-required:"));
  said();
  receive(ok_frame(auth_event(kUrl, "c1", now).id, false, "restricted:"));
  EXPECT_THAT(said(),
              ElementsAre("no aa authentication refused: restricted:", "end q: authentication refused: restricted:",
                          "health catching up: authentication refused: restricted:"));
  EXPECT_TRUE(parts.subscriptions.wake_at()) << "the subscription is tried again";
}

TEST_F(ReceiverTest, FramesAboutNothingOfOursChangeNothing) {
  EXPECT_FALSE(receive(R"(["EOSE","other"])"));
  EXPECT_FALSE(receive(R"(["CLOSED","other","auth-required:"])"));
  EXPECT_FALSE(receive(ok_frame(event_id('b'), false, "auth-required:")));
  EXPECT_FALSE(receive(R"(["AUTH","c1"])"));
  EXPECT_THAT(said(), IsEmpty());
}

}  // namespace
}  // namespace nostr
