// One relay session as a story of inputs and answers: its connection, guests, bad frames, floods, the end.
#include "pipeline/nostr/relay/session.h"

#include "tests/unit/pipeline/nostr/relay/relay_session_fixture.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

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
  for (unsigned i = 0; i < kMaxJunkPerMinute; ++i) ASSERT_THAT(words(s.on_useless(Useless::junk, now)), IsEmpty());
  EXPECT_THAT(words(s.on_useless(Useless::junk, now)), ElementsAre("hang up", kEnd));
  EXPECT_EQ(s.wake_at(), now + kJunkBackoffMs);
  EXPECT_THAT(words(s.on_useless(Useless::junk, now)), IsEmpty()) << "what was still being checked";
}

TEST_F(Floods, OfEventsThatNobodyAskedForToo) {
  auto s = live();
  const auto frame = event_frame("other", an_event("x"));
  for (unsigned i = 0; i < kMaxJunkPerMinute; ++i) s.on_frame(frame, now);
  EXPECT_THAT(words(s.on_frame(frame, now)), ElementsAre("dropped unasked", "hang up", kEnd));
}

// Whatever a relay says at full rate that nobody asked for.
TEST_F(Floods, OfPingsAndOtherChatterEndTheConnectionToo) {
  const std::string stranger = event_id('7').hex();
  for (const std::string& frame : {std::string("ping"), std::string("pong"), std::string(R"(["NOTICE","hello"])"),
                                   std::string(R"(["AUTH","who"])"), std::string(R"(["EOSE","other"])"),
                                   std::string(R"(["EOSE","in"])"), std::string(R"(["CLOSED","other"])"),
                                   std::string(R"(["COUNT","in",{}])"), R"(["OK",")" + stranger + R"(",true,""])"}) {
    auto s = live();
    const auto say = [&] {
      return words(frame == "ping"   ? s.on_useless(Useless::chatter, now)
                   : frame == "pong" ? s.on_pong(now)
                                     : s.on_frame(frame, now));
    };
    for (unsigned i = 0; i < kMaxChatterPerMinute; ++i) say();
    ASSERT_EQ(s.state(), RelayState::live) << frame;
    EXPECT_THAT(say(), ElementsAre("hang up",
                                   "health offline: sent more than 3000 pings and other useless messages in a "
                                   "minute"))
        << frame;
    EXPECT_EQ(s.wake_at(), now + kJunkBackoffMs);
  }
}

TEST_F(Floods, AreWhatComesWithinAMinute) {
  auto s = live();
  for (int minute = 0; minute < 5; ++minute, now = now + 60'000) {
    for (unsigned i = 0; i < kMaxJunkPerMinute; ++i) ASSERT_THAT(words(s.on_useless(Useless::junk, now)), IsEmpty());
  }
}

TEST_F(Floods, AgainAndAgainAreMetWithEverLongerPauses) {
  auto s = live();
  std::vector<std::int64_t> waits;
  for (int i = 0; i < 12; ++i) {
    for (unsigned junk = 0; junk <= kMaxJunkPerMinute; ++junk) s.on_useless(Useless::junk, now);
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
