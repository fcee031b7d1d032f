// One-shot queries, without a session around them.
#include "pipeline/nostr/relay/queries.h"

#include "tests/unit/pipeline/nostr/relay/relay_session_fixture.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class QueriesTest : public RelayPartTest {
 protected:
  void add(const std::string& id, std::uint64_t limit = 1) {
    queries.add(id, {.kinds = {5050}, .limit = limit}, now, out);
  }
  void open() { queries.on_open(out); }
  bool event(const std::string& id, Event content) {
    RelayEvent message{id, std::move(content), "{}"};
    return queries.on_event(message, out);
  }

  Queries queries;
};

TEST_F(QueriesTest, AreSentWhenTheConnectionOpens) {
  add("q");
  EXPECT_THAT(said(), IsEmpty());
  open();
  EXPECT_THAT(said(), ElementsAre(R"(send ["REQ","q",{"kinds":[5050],"limit":1}])"));
  add("r");
  EXPECT_THAT(said(), ElementsAre(R"(send ["REQ","r",{"kinds":[5050],"limit":1}])"));
}

// strfry's default where it checks filters.
TEST_F(QueriesTest, AskForThreeKindsInAFilter) {
  open();
  queries.add("q", {.kinds = {5050, 2, 3, 4}, .tags = {{'e', {"x"}}}, .limit = 1}, now, out);
  EXPECT_THAT(said(), ElementsAre(R"(send ["REQ","q",{"kinds":[5050,2,3],"#e":["x"],"limit":1},)"
                                  R"({"kinds":[4],"#e":["x"],"limit":1}])"));
  Event wanted = an_event("1");
  wanted.tags = {{"e", "x"}};
  EXPECT_TRUE(event("q", wanted));
  EXPECT_TRUE(event("q", wanted)) << "each filter has that limit";
  EXPECT_THAT(said(), ElementsAre("deliver q 1", "deliver q 1", R"(send ["CLOSE","q"])", "end q"));
}

TEST_F(QueriesTest, EndWithTheirStoredEvents) {
  open();
  add("q", 2);
  said();
  EXPECT_TRUE(event("q", an_event("x")));
  EXPECT_THAT(said(), ElementsAre("deliver q x"));
  queries.on_eose("q", out);
  EXPECT_THAT(said(), ElementsAre(R"(send ["CLOSE","q"])", "end q"));
  EXPECT_FALSE(queries.contains("q"));
  EXPECT_TRUE(queries.empty());
}

TEST_F(QueriesTest, ThatHaveAllTheyAskedForWaitForNoEnd) {
  open();
  add("q", 2);
  said();
  event("q", an_event("1"));
  event("q", an_event("2"));
  EXPECT_THAT(said(), ElementsAre("deliver q 1", "deliver q 2", R"(send ["CLOSE","q"])", "end q"));
  EXPECT_TRUE(queries.empty());
}

TEST_F(QueriesTest, CountWhatCameThoughTheEndNeverComes) {
  open();
  add("silent", 2);
  add("closed", 2);
  event("silent", an_event("1"));
  event("closed", an_event("1"));
  said();
  queries.on_closed({"closed", "error: no"}, out);
  queries.on_lost();
  queries.fail_overdue(now + kQueryTimeoutMs, "gone", out);
  EXPECT_THAT(said(), ElementsAre("end closed", "end silent"));
}

TEST_F(QueriesTest, FailInTheEndWhateverCame) {
  open();
  add("q", 2);
  event("q", an_event("1"));
  said();
  queries.fail_all("shutting down", out);
  EXPECT_THAT(said(), ElementsAre(R"(send ["CLOSE","q"])", "end q: shutting down"));
}

TEST_F(QueriesTest, LeaveAnEventThatTheyDidNotAskForInItsMessage) {
  open();
  add("q");
  said();
  RelayEvent message{"other", an_event("x"), "{}"};
  EXPECT_FALSE(queries.on_event(message, out));
  EXPECT_EQ(message.event.content, "x");
  Event other = an_event("of another kind");
  other.kind = 1;
  EXPECT_FALSE(event("q", other));
  EXPECT_TRUE(event("q", an_event("1")));
  EXPECT_FALSE(event("q", an_event("2"))) << "beyond the limit";
}

TEST_F(QueriesTest, CountFromTheStartOnTheNextConnection) {
  open();
  add("q", 2);
  EXPECT_TRUE(event("q", an_event("1")));
  queries.on_lost();
  open();
  EXPECT_TRUE(event("q", an_event("1")));
}

TEST_F(QueriesTest, ThatAreOverdueEndAndAreClosedIfTheyWereSent) {
  open();
  add("q");
  EXPECT_EQ(queries.wake_at(), now + kQueryTimeoutMs);
  said();
  queries.fail_overdue(now + (kQueryTimeoutMs - 1), "", out);
  EXPECT_THAT(said(), IsEmpty());
  queries.fail_overdue(now + kQueryTimeoutMs, "", out);
  EXPECT_THAT(said(), ElementsAre(R"(send ["CLOSE","q"])", "end q: no answer within 10 s"));
  EXPECT_EQ(queries.wake_at(), std::nullopt);
  queries.on_lost();
  add("r");
  queries.fail_overdue(now + kQueryTimeoutMs, "gone", out);
  EXPECT_THAT(said(), ElementsAre("end r: no answer within 10 s (gone)")) << "there is no connection to close it on";
}

TEST_F(QueriesTest, ThatAreDueBeforeTheNextConnectionEnd) {
  add("q");
  now = now + 1;
  add("r");
  queries.fail_due(kStart + kQueryTimeoutMs, "connection refused", out);
  EXPECT_THAT(said(), ElementsAre("end q: connection refused"));
  queries.fail_all("shutting down", out);
  EXPECT_THAT(said(), ElementsAre("end r: shutting down"));
}

TEST_F(QueriesTest, ThatTheRelayClosesEndWithItsWords) {
  open();
  add("q");
  said();
  queries.on_closed({"q", "error: no"}, out);
  EXPECT_THAT(said(), ElementsAre("end q: closed by the relay: error: no"));
}

TEST_F(QueriesTest, ThatWereRefusedForWantOfAuthWaitForIt) {
  open();
  add("q");
  add("r");
  queries.await_auth("q");
  EXPECT_TRUE(queries.awaits_auth());
  said();
  queries.on_authenticated(out);
  EXPECT_THAT(said(), ElementsAre(R"(send ["REQ","q",{"kinds":[5050],"limit":1}])"));
  EXPECT_FALSE(queries.awaits_auth());
  queries.await_auth("r");
  queries.on_auth_failed("restricted:", out);
  EXPECT_THAT(said(), ElementsAre("end r: restricted:")) << "the relay has closed it";
  EXPECT_TRUE(queries.contains("q"));
}

}  // namespace
}  // namespace nostr
