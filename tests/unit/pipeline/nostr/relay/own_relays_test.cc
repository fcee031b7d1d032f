// What our own relays are asked for, and how far each has been read.
#include "pipeline/nostr/relay/own_relays.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/nostr/relay/relay_hub_fixture.h"

namespace nostr {
namespace {

using net::parse_relay_url;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::StartsWith;

using OwnRelaysTest = RelayHubTest;

// ---- when they are asked for requests -------------------------------------------------------------------------------

class Read : public RelayHubTest {
 protected:
  Read() : RelayHubTest(false) {}

  static bool is_asked(const TestLink& link) {
    return std::ranges::any_of(link.sent, [](const std::string& text) { return text.starts_with(R"(["REQ","in")"); });
  }
};

TEST_F(Read, AsksThatRelayOnceWhetherOrNotItIsConnected) {
  for (const char* url : {kOne, kTwo}) hub->add_own(*parse_relay_url(url));
  hub->start({});
  link(kOne).open();
  EXPECT_FALSE(is_asked(link(kOne)));
  hub->read("wss://ONE.example/");
  EXPECT_TRUE(is_asked(link(kOne)));
  const std::size_t messages = link(kOne).sent.size();
  hub->read(kOne);
  EXPECT_EQ(link(kOne).sent.size(), messages);
  hub->read(kTwo);
  link(kTwo).open();
  EXPECT_TRUE(is_asked(link(kTwo)));
  hub->read(kGuest);
}

TEST_F(Read, LeavesTheCursorWhereItStandsUntilThen) {
  hub->add_own(*parse_relay_url(kOne));
  const TimeMs before = now - 60'000;
  hub->start({{kOne, before}});
  link(kOne).open();
  now = now + 5'000;
  link(kOne).say(R"(["NOTICE","hello"])");
  EXPECT_EQ(hub->cursor(kOne), before);
}

// ---- read in part ---------------------------------------------------------------------------------------------------

// The relay takes a filter for what is addressed to us only. Requests that name nobody are unread: the next connection,
// which may take the whole filter, asks for them from here.
TEST_F(OwnRelaysTest, TheCursorStaysWhereTheRestIsUnread) {
  hub->add_own(*parse_relay_url(kOne));
  const TimeMs before{now.ms / 1000 * 1000 - 60'000};
  hub->start({{kOne, before}});
  link(kOne).open();
  link(kOne).say(R"(["CLOSED","in","blocked: filter must have an author or a tag"])");
  now = now + 5'000;
  link(kOne).say(R"(["EOSE","in"])");
  EXPECT_EQ(link(kOne).session().state(), RelayState::live);
  EXPECT_EQ(hub->cursor(kOne), before);
}

// ---- many kinds -----------------------------------------------------------------------------------------------------

class ManyKinds : public RelayHubTest {
 protected:
  ManyKinds() : RelayHubTest(true, {5050, 5001, 5002, 5003}) {}
};

// strfry's default where it checks filters.
TEST_F(ManyKinds, AreAskedForThreeInASubscription) {
  hub->add_own(*parse_relay_url(kOne));
  hub->start({});
  link(kOne).open();
  EXPECT_THAT(link(kOne).sent, ElementsAre(R"(["REQ","in",{"kinds":[5050,5001,5002],"since":1699999000}])",
                                           R"(["REQ","in1",{"kinds":[5003],"since":1699999000}])"));
  link(kOne).send_event("in1", event(5003, "from the second"));
  settle();
  EXPECT_THAT(contents(received), ElementsAre("from the second"));
}

TEST_F(ManyKinds, MoveTheCursorOnceAllOfThemAreRead) {
  hub->add_own(*parse_relay_url(kOne));
  hub->start({});
  link(kOne).open();
  const TimeMs before = now;
  now = now + 5'000;
  link(kOne).say(R"(["EOSE","in1"])");
  EXPECT_EQ(hub->cursor(kOne), before);
  link(kOne).say(R"(["EOSE","in"])");
  EXPECT_EQ(hub->cursor(kOne), now);
}

// ---- what is watched besides ----------------------------------------------------------------------------------------

class Watch : public RelayHubTest {
 protected:
  Result<void> watch(std::vector<std::uint32_t> kinds) { return hub->watch({{.kinds = std::move(kinds)}}); }
};

TEST_F(Watch, BringsEachEventOnceWithoutAReceipt) {
  start({kOne, kTwo});
  ASSERT_TRUE(watch({5}));
  for (const auto* url : {kOne, kTwo}) {
    EXPECT_THAT(link(url).sent, Contains(R"(["REQ","also",{"kinds":[5],"since":1699395200,"limit":500}])"));
    link(url).send_event("also", event(5, "cancel"));
    settle();
  }
  EXPECT_THAT(contents(control), ElementsAre("cancel"));
  EXPECT_EQ(control[0].receipt, nullptr);
  EXPECT_THAT(received, IsEmpty());
  EXPECT_THAT(refused, IsEmpty());
}

TEST_F(Watch, FindsWhatCameWhileWeWereAway) {
  ASSERT_TRUE(watch({5}));
  start({kOne});
  link(kOne).lose("gone");
  ASSERT_TRUE(watch({5, 7007}));
  now = now + kMinBackoffMs;
  link(kOne).tick();
  link(kOne).open();
  EXPECT_THAT(link(kOne).sent.back(), R"(["REQ","in",{"kinds":[5050],"since":1699999000}])");
  EXPECT_THAT(link(kOne).sent, Contains(StartsWith(R"(["REQ","also",{"kinds":[5,7007])")));
  link(kOne).send_event("also", event(5, "cancel", 60));
  settle();
  EXPECT_THAT(contents(control), ElementsAre("cancel"));
}

TEST_F(Watch, AsksNothingAnewForTheSameFilters) {
  start({kOne});
  ASSERT_TRUE(watch({5}));
  const auto before = link(kOne).sent.size();
  now = now + 10 * kResubscribeMs;
  ASSERT_TRUE(watch({5}));
  EXPECT_EQ(link(kOne).sent.size(), before);
}

TEST_F(Watch, TakesWhatWasAskedForAndVerifiedOnly) {
  start({kOne});
  ASSERT_TRUE(watch({5}));
  link(kOne).send_event("also", request("a request"));
  link(kOne).send_event("also", forged(event(5, "forged")));
  link(kOne).send_event("in", event(5, "as a request"));
  settle();
  EXPECT_THAT(control, IsEmpty());
  EXPECT_THAT(received, IsEmpty());
  EXPECT_EQ(refused[Refusal::not_ours], 2);
  EXPECT_EQ(refused[Refusal::bad_signature], 1);
}

TEST_F(Watch, LeavesTheCursorOfTheIntakeAlone) {
  start({kOne});
  ASSERT_TRUE(watch({5}));
  now = now + 5'000;
  link(kOne).say(R"(["NOTICE","hello"])");
  EXPECT_EQ(hub->cursor(kOne), now) << "live although the relay has not answered for what is watched";
  link(kOne).say(R"(["CLOSED","in","error: no"])");
  now = now + 5'000;
  link(kOne).say(R"(["EOSE","also"])");
  EXPECT_EQ(hub->cursor(kOne), now - 5'000) << "not live, whatever else is caught up";
}

TEST_F(Watch, IsBounded) {
  start({kOne});
  EXPECT_FALSE(hub->watch(std::vector<Filter>(kMaxWatchFilters + 1)));
  Filter many{.kinds = {5}, .tags = {{'e', std::vector<std::string>(kMaxWatchValues, "id")}}};
  EXPECT_EQ(hub->watch({many}).error().code, "relay.watch");
  many.kinds.clear();
  EXPECT_TRUE(hub->watch({many}));
}

// ---- a clock that is wrong ------------------------------------------------------------------------------------------

TEST_F(OwnRelaysTest, ACursorFromAClockThatWasAheadIsNotBelieved) {
  hub->add_own(*parse_relay_url(kOne));
  hub->start({{kOne, now + 3'600'000}});
  link(kOne).open();
  const std::int64_t oldest_s = (now - IntakeLimits{}.max_age_ms).ms / 1000;
  EXPECT_THAT(link(kOne).sent, Contains(HasSubstr("\"since\":" + std::to_string(oldest_s))));
}

TEST_F(OwnRelaysTest, AClockThatIsSetBackKeepsNoRelayWaiting) {
  start({kOne});
  link(kOne).lose("gone");
  now = now - 3'600'000;
  link(kOne).tick();
  now = now + kMinBackoffMs;
  link(kOne).tick();
  EXPECT_TRUE(link(kOne).connected);
}

TEST_F(OwnRelaysTest, ARelayThatCannotBeReadWholeKeepsItsCursor) {
  hub->add_own(*parse_relay_url(kOne));
  hub->start({{kOne, now}});
  link(kOne).open();
  const Event crowded = request("crowd");
  for (const char* page : {"in", "in~1"}) {
    for (std::size_t i = 0; i < kFullPage; ++i) {
      Event one = crowded;
      one.id.bytes[0] = static_cast<std::uint8_t>(i);
      link(kOne).send_event(page, one);
    }
    link(kOne).say(std::string(R"(["EOSE",")") + page + "\"]");
  }
  const auto sent = link(kOne).sent;
  EXPECT_THAT(sent.back(), HasSubstr(key.public_key().hex())) << "what is for us is asked for";
  link(kOne).say(R"(["EOSE","in~2"])");
  link(kOne).say(R"(["EOSE","in~3"])");
  settle();
  now = now + 60'000;
  link(kOne).say(R"(["NOTICE","hello"])");
  EXPECT_EQ(hub->cursor(kOne), TimeMs{crowded.created_at * 1000});
  const auto health = hub->health();
  EXPECT_EQ(health[0].state, RelayState::live);
  EXPECT_THAT(health[0].reason, StartsWith("cannot be read whole"));
  EXPECT_EQ(health[0].last_notice, "hello");
}

}  // namespace
}  // namespace nostr
