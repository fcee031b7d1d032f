// The queue of events for one relay, without a session around it.
#include "pipeline/nostr/relay/publications.h"

#include "tests/unit/pipeline/nostr/relay/relay_session_fixture.h"

namespace nostr {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;

class PublicationsTest : public RelayPartTest {
 protected:
  void add(char digit, const std::string& json = "{}") { publications.add(event_id(digit), json, now, out); }
  void open() { publications.on_open(now, out); }
  void answer(char digit, bool accepted, const std::string& message = "") {
    publications.on_ok({event_id(digit), accepted, message}, now, out);
  }

  Publications publications;
};

TEST_F(PublicationsTest, AreSentInTheirOrderWhenTheConnectionOpens) {
  add('a', "1");
  add('b', "2");
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_FALSE(publications.awaits_answer(event_id('a'))) << "not sent";
  open();
  EXPECT_THAT(said(), ElementsAre(R"(send ["EVENT",1])", R"(send ["EVENT",2])"));
  EXPECT_TRUE(publications.awaits_answer(event_id('a')));
  add('c', "3");
  EXPECT_THAT(said(), ElementsAre(R"(send ["EVENT",3])"));
}

TEST_F(PublicationsTest, AreKnownByTheirIdUntilTheyAreAnswered) {
  open();
  EXPECT_TRUE(publications.empty());
  add('a');
  EXPECT_TRUE(publications.contains(event_id('a')));
  EXPECT_FALSE(publications.contains(event_id('b')));
  EXPECT_FALSE(publications.awaits_answer(event_id('b')));
  answer('a', true);
  EXPECT_THAT(said(), Contains("yes aa "));
  EXPECT_FALSE(publications.contains(event_id('a')));
  EXPECT_TRUE(publications.empty());
}

TEST_F(PublicationsTest, WakeForTheirDeadlineAndThenFail) {
  EXPECT_EQ(publications.wake_at(), std::nullopt);
  add('a');
  now = now + 1'000;
  add('b');
  EXPECT_EQ(publications.wake_at(), kStart + kPublishTimeoutMs);
  publications.fail_overdue(kStart + (kPublishTimeoutMs - 1), "gone", out);
  EXPECT_THAT(said(), IsEmpty());
  publications.fail_overdue(kStart + kPublishTimeoutMs, "gone", out);
  EXPECT_THAT(said(), ElementsAre("no aa no answer within 30 s (gone)"));
  EXPECT_EQ(publications.wake_at(), now + kPublishTimeoutMs);
}

TEST_F(PublicationsTest, OnAnOpenConnectionTellSlowFromSilent) {
  open();
  add('a');
  answer('a', false, "rate-limited: slow down");
  add('b');
  publications.send(now + kSlowPaceMs, out);
  add('c');
  said();
  publications.fail_overdue(now + kPublishTimeoutMs, "", out);
  EXPECT_THAT(said(), ElementsAre("no cc rate-limited: not sent, the relay takes our events slowly",
                                  "no bb no answer within 30 s"));
}

TEST_F(PublicationsTest, WakeForThePaceOnlyWhileSomethingCanBeSent) {
  open();
  add('a');
  answer('a', false, "rate-limited:");
  add('b');
  EXPECT_EQ(publications.wake_at(), now + kSlowPaceMs);
  publications.on_lost();
  EXPECT_EQ(publications.wake_at(), now + kPublishTimeoutMs);
}

TEST_F(PublicationsTest, AreSentAgainOnTheNextConnection) {
  open();
  add('a');
  said();
  publications.on_lost();
  EXPECT_FALSE(publications.awaits_answer(event_id('a')));
  publications.send(now, out);
  EXPECT_THAT(said(), IsEmpty()) << "there is no connection";
  open();
  EXPECT_THAT(said(), ElementsAre(R"(send ["EVENT",{}])"));
}

TEST_F(PublicationsTest, ThatAreDueBeforeTheNextConnectionFail) {
  add('a');
  now = now + 1;
  add('b');
  publications.fail_due(kStart + kPublishTimeoutMs, "connection refused", out);
  EXPECT_THAT(said(), ElementsAre("no aa connection refused"));
  publications.fail_all("shutting down", out);
  EXPECT_THAT(said(), ElementsAre("no bb shutting down"));
}

TEST_F(PublicationsTest, ThatTheQueueCannotTakeAreRefused) {
  const std::string half(kMaxPublicationBytes / 2, ' ');
  EXPECT_EQ(publications.refusal(half), "");
  add('a', half);
  EXPECT_EQ(publications.refusal(half), "");
  EXPECT_EQ(publications.refusal(half + ' '), "not sent: 1 events wait for this relay already");
  publications.fail_all("", out);
  EXPECT_EQ(publications.refusal(half + ' '), "") << "the bytes of an answered event no longer count";
}

TEST_F(PublicationsTest, ThatAreTooLongForTheRelayAreRefused) {
  publications.set_limits({.max_message_length = 12});
  EXPECT_EQ(publications.refusal("12"), "");
  EXPECT_EQ(publications.refusal("123"), "not sent: this relay takes at most 12 bytes");
}

TEST_F(PublicationsTest, ThatWereRefusedForWantOfAuthWaitForIt) {
  open();
  add('a', "1");
  add('b', "2");
  EXPECT_FALSE(publications.awaits_auth());
  publications.await_auth(event_id('a'));
  EXPECT_TRUE(publications.awaits_auth());
  EXPECT_TRUE(publications.awaits_answer(event_id('a'))) << "a late OK counts";
  said();
  publications.on_authenticated(now, out);
  EXPECT_THAT(said(), ElementsAre(R"(send ["EVENT",1])")) << "the other is on its way";
  EXPECT_FALSE(publications.awaits_auth());
}

TEST_F(PublicationsTest, FailWithTheAuthenticationTheyWaitFor) {
  open();
  add('a');
  add('b');
  publications.await_auth(event_id('b'));
  said();
  publications.on_auth_failed("restricted: members only", out);
  EXPECT_THAT(said(), ElementsAre("no bb restricted: members only"));
  EXPECT_TRUE(publications.contains(event_id('a')));
}

TEST_F(PublicationsTest, ALostConnectionEndsTheWaitForAuth) {
  open();
  add('a');
  publications.await_auth(event_id('a'));
  publications.on_lost();
  EXPECT_FALSE(publications.awaits_auth());
}

TEST_F(PublicationsTest, ARefusalForWantOfWorkThatNamesNoneChangesNothing) {
  open();
  add('a');
  answer('a', false, "pow: 21 bits needed");
  EXPECT_EQ(publications.required_pow(), 21U);
  add('b');
  answer('b', false, "pow: not enough");
  EXPECT_EQ(publications.required_pow(), 21U);
  publications.set_limits({.min_pow_difficulty = 30});
  EXPECT_EQ(publications.required_pow(), 30U);
}

}  // namespace
}  // namespace nostr
