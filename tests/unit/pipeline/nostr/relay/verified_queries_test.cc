// What is asked of relays besides requests, once.
#include "pipeline/nostr/relay/verified_queries.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/nostr/relay/relay_hub_fixture.h"

namespace nostr {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;
using testing::StartsWith;

class Query : public RelayHubTest {
 protected:
  static Filter profiles(std::uint64_t limit) { return {.kinds = {0}, .limit = limit}; }
};

TEST_F(Query, IsAnsweredWithWhatIsVerifiedTheNewestFirst) {
  start({kOne});
  ask(kOne, profiles(5));
  EXPECT_THAT(link(kOne).sent, Contains(R"(["REQ","q1",{"kinds":[0],"limit":5}])"));
  link(kOne).send_event("q1", event(0, "old", 100));
  link(kOne).send_event("q1", forged(event(0, "forged")));
  link(kOne).send_event("q1", event(0, "new"));
  link(kOne).say(R"(["EOSE","q1"])");
  EXPECT_THAT(answers, IsEmpty()) << "not before the signatures are checked";
  settle();
  EXPECT_THAT(answers, ElementsAre("found new old"));
  EXPECT_THAT(link(kOne).sent, Contains(R"(["CLOSE","q1"])"));
}

TEST_F(Query, IsNoIntake) {
  start({kOne});
  ask(kOne, {.kinds = {5050}, .limit = 1});
  link(kOne).send_event("q1", request("x"));
  link(kOne).say(R"(["EOSE","q1"])");
  settle();
  EXPECT_THAT(received, IsEmpty());
  EXPECT_THAT(refused, IsEmpty());
  link(kOne).send_event("in", request("x"));
  settle();
  EXPECT_THAT(contents(received), ElementsAre("x")) << "and it is new when it comes in";
}

TEST_F(Query, DialsACustomersRelay) {
  start({});
  ask(kGuest, profiles(1));
  EXPECT_TRUE(link(kGuest).connected);
  link(kGuest).open();
  link(kGuest).send_event("q1", event(0, "theirs"));
  link(kGuest).say(R"(["EOSE","q1"])");
  settle();
  EXPECT_THAT(answers, ElementsAre("found theirs"));
}

TEST_F(Query, TellsWhyARelayGaveNoAnswer) {
  start({kOne});
  ask(kOne, profiles(1));
  ask(kOne, profiles(1));
  link(kOne).say(R"(["CLOSED","q1","blocked: not you"])");
  now = now + kQueryTimeoutMs;
  link(kOne).tick();
  ask("http://no.relay", profiles(1));
  settle();
  EXPECT_THAT(answers, ElementsAre("closed by the relay: blocked: not you", "no answer within 10 s",
                                   "the URL starts with neither wss:// nor ws://"));
}

TEST_F(Query, GivesAnEventThatCameTwiceOnce) {
  start({kOne});
  const Event twice = event(0, "x");
  ask(kOne, profiles(2));
  link(kOne).send_event("q1", twice);
  link(kOne).lose("gone");
  now = now + kMinBackoffMs;
  link(kOne).tick();
  link(kOne).open();
  link(kOne).send_event("q1", twice);
  link(kOne).say(R"(["EOSE","q1"])");
  settle();
  EXPECT_THAT(answers, ElementsAre("found x"));
}

TEST_F(Query, IsForAFewEventsOnly) {
  start({kOne});
  ask(kOne, {.kinds = {0}});
  ask(kOne, profiles(0));
  ask(kOne, profiles(kMaxQueryEvents + 1));
  EXPECT_THAT(answers, IsEmpty()) << "never from inside the call";
  settle();
  EXPECT_THAT(answers, SizeIs(3));
  EXPECT_THAT(answers, Each(StartsWith("not asked: a query is for 1 to 100 events")));
}

TEST_F(Query, IsRefusedWhenManyWait) {
  start({kOne});
  for (std::size_t i = 0; i < kMaxQueries; ++i) ask(kOne, profiles(1));
  ask(kOne, profiles(1));
  settle();
  EXPECT_THAT(answers, ElementsAre("not asked: 16 queries wait already"));
  link(kOne).say(R"(["EOSE","q1"])");
  settle();
  ask(kOne, profiles(1));
  settle();
  EXPECT_THAT(answers, SizeIs(2)) << "the newest waits: there is room again";
}

TEST_F(Query, KeepsNoMoreThanItsBytes) {
  start({kOne});
  ask(kOne, profiles(100));
  const std::string large(100'000, 'x');
  for (int i = 0; i < 40; ++i) link(kOne).send_event("q1", event(0, large + std::to_string(i)));
  EXPECT_LE(verified, 21U);
  link(kOne).say(R"(["EOSE","q1"])");
  settle();
  EXPECT_THAT(answers, ElementsAre("sent more than 2097152 bytes"));
}

TEST_F(Query, IsAnsweredByTheEnd) {
  start({kOne});
  ask(kOne, profiles(1));
  hub->shut_down();
  settle();
  EXPECT_THAT(answers, ElementsAre("shutting down"));
}

TEST_F(Query, IsAnsweredByTheEndOnceAlsoWhileItsEventsAreVerified) {
  start({kOne});
  ask(kOne, profiles(2));
  link(kOne).send_event("q1", event(0, "me"));
  link(kOne).say(R"(["EOSE","q1"])");
  hub->shut_down();
  settle();
  EXPECT_THAT(answers, ElementsAre("shutting down"));
}

}  // namespace
}  // namespace nostr
