// The connection to one relay and what ends it, without a session around them: pauses, misbehaviour, health.
#include "pipeline/nostr/relay/connection.h"

#include "pipeline/nostr/relay/health.h"
#include "pipeline/nostr/relay/misbehaviour.h"
#include "pipeline/nostr/relay/timing.h"
#include "tests/unit/pipeline/nostr/relay/relay_session_fixture.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class ConnectionTest : public RelayPartTest {
 protected:
  void open() {
    connection.dial(now, out);
    connection.on_open(now, out);
    out.clear();
  }

  double jitter = 0.0;
  Connection connection{[this] { return jitter; }};
};

TEST_F(ConnectionTest, IsAtRestUntilItIsDialled) {
  EXPECT_TRUE(connection.is_at_rest());
  EXPECT_FALSE(connection.is_redial_due(now)) << "nothing has failed";
  EXPECT_EQ(connection.wake_at(true), std::nullopt);
  connection.dial(now, out);
  EXPECT_THAT(said(), ElementsAre("dial"));
  EXPECT_FALSE(connection.is_at_rest());
  EXPECT_EQ(connection.link(), Connection::Link::dialling);
}

TEST_F(ConnectionTest, GivesUpADialAfterItsTime) {
  connection.dial(now, out);
  EXPECT_EQ(connection.wake_at(true), now + kDialTimeoutMs);
  EXPECT_FALSE(connection.overdue(now + (kDialTimeoutMs - 1)));
  EXPECT_EQ(connection.overdue(now + kDialTimeoutMs)->reason, "no answer within 15 s");
}

TEST_F(ConnectionTest, PingsWhenItOpensAndWhenTheRelayIsSilent) {
  connection.dial(now, out);
  connection.on_open(now, out);
  EXPECT_THAT(said(), ElementsAre("dial", "ping"));
  EXPECT_EQ(connection.wake_at(true), now + kPongTimeoutMs);
  connection.on_pong(now + 70);
  EXPECT_EQ(connection.latency_ms(), 70);
  EXPECT_EQ(connection.last_heard(), now + 70);
  connection.on_heard(now + 1'000);
  connection.ping_if_silent(now + kPingIntervalMs, out);
  EXPECT_THAT(said(), IsEmpty());
  connection.ping_if_silent(now + 1'000 + kPingIntervalMs, out);
  EXPECT_THAT(said(), ElementsAre("ping"));
}

TEST_F(ConnectionTest, GivesUpARelayThatDoesNotAnswerAPing) {
  open();
  EXPECT_FALSE(connection.overdue(now + (kPongTimeoutMs - 1)));
  connection.on_heard(now + 1);
  EXPECT_EQ(connection.overdue(now + kPongTimeoutMs)->reason, "no answer to a ping within 15 s");
  connection.on_pong(now + 2);
  EXPECT_FALSE(connection.overdue(now + kPongTimeoutMs));
}

TEST_F(ConnectionTest, ThatWasLostIsRedialledIfItIsWanted) {
  open();
  const TimeMs redial_at = connection.lose(now, 0);
  EXPECT_EQ(redial_at, now + kMinBackoffMs / 2);
  EXPECT_EQ(connection.wake_at(true), redial_at);
  EXPECT_EQ(connection.wake_at(false), std::nullopt);
  EXPECT_FALSE(connection.is_at_rest());
  EXPECT_FALSE(connection.is_redial_due(redial_at - 1));
  EXPECT_TRUE(connection.is_redial_due(redial_at));
}

TEST_F(ConnectionTest, ThatIsNotToBeTriedSoonWaitsTheLongest) {
  open();
  EXPECT_EQ(connection.lose(now, 60'000), now + 60'000);
  connection.postpone_redial(now);
  EXPECT_EQ(connection.wake_at(true), now + kMaxBackoffMs);
}

TEST_F(ConnectionTest, TellsWhetherADeadlineCanBeKept) {
  EXPECT_EQ(connection.unreachable_until(now, now, ""), "") << "it can be dialled";
  open();
  EXPECT_EQ(connection.unreachable_until(now, now, ""), "");
  const TimeMs redial_at = connection.lose(now, 1'500);
  EXPECT_EQ(connection.unreachable_until(redial_at + 1, now, "gone"), "");
  EXPECT_EQ(connection.unreachable_until(redial_at, now, "gone"), "not sent: gone; next try in 2 s");
  connection.shut_down(out);
  EXPECT_EQ(connection.unreachable_until(redial_at + 1, now, "gone"), "shutting down");
}

TEST_F(ConnectionTest, ThatRestsForgetsItsFailures) {
  for (int i = 0; i < 5; ++i) {
    connection.dial(now, out);
    connection.lose(now, 0);
  }
  open();
  connection.rest(out);
  EXPECT_THAT(said(), ElementsAre("hang up"));
  EXPECT_TRUE(connection.is_at_rest());
  connection.dial(now, out);
  EXPECT_EQ(connection.lose(now, 0), now + kMinBackoffMs / 2);
}

TEST_F(ConnectionTest, HangsUpForGoodOnce) {
  open();
  connection.shut_down(out);
  EXPECT_THAT(said(), ElementsAre("hang up"));
  EXPECT_TRUE(connection.is_shut_down());
  connection.shut_down(out);
  EXPECT_THAT(said(), IsEmpty());
  EXPECT_EQ(connection.wake_at(true), std::nullopt);
}

TEST(RelayTiming, TheBackOffDoublesUpToItsCapAndIsHalfChance) {
  EXPECT_EQ(backoff_ms(1, 0.0), kMinBackoffMs / 2);
  EXPECT_EQ(backoff_ms(1, 0.5), kMinBackoffMs * 3 / 4);
  EXPECT_EQ(backoff_ms(3, 0.0), 2 * kMinBackoffMs);
  EXPECT_EQ(backoff_ms(4'000'000'000U, 0.0), kMaxBackoffMs / 2);
  EXPECT_LT(backoff_ms(4'000'000'000U, 0.999999), kMaxBackoffMs);
}

TEST(RelayTiming, TimesAreNamedInWholeSeconds) {
  EXPECT_EQ(in_seconds(1), "1 s");
  EXPECT_EQ(in_seconds(2'000), "2 s");
  EXPECT_EQ(no_answer_within(2'001), "no answer within 3 s");
  EXPECT_EQ(no_answer_within(2'000, "gone"), "no answer within 2 s (gone)");
}

TEST(RelayTiming, TheSoonestTimeWakes) {
  std::optional<TimeMs> wake;
  wake_by(wake, std::nullopt);
  EXPECT_EQ(wake, std::nullopt);
  wake_by(wake, kStart);
  wake_by(wake, kStart + 1);
  wake_by(wake, std::nullopt);
  EXPECT_EQ(wake, kStart);
}

TEST(RelayMisbehaviour, BadFramesAreCountedPerConnection) {
  Misbehaviour misbehaviour;
  for (unsigned i = 1; i < kMaxBadFrames; ++i) EXPECT_FALSE(misbehaviour.on_bad_frame("no JSON"));
  misbehaviour.on_open();
  for (unsigned i = 1; i < kMaxBadFrames; ++i) EXPECT_FALSE(misbehaviour.on_bad_frame("no JSON"));
  const auto ending = misbehaviour.on_bad_frame("no JSON");
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->reason, "sent 20 malformed frames: no JSON");
  EXPECT_EQ(ending->min_backoff_ms, 0);
}

TEST(RelayMisbehaviour, JunkIsCountedPerMinuteOverConnections) {
  Misbehaviour misbehaviour;
  for (unsigned i = 0; i < kMaxJunkPerMinute; ++i) EXPECT_FALSE(misbehaviour.on_junk(kStart));
  EXPECT_FALSE(misbehaviour.on_junk(kStart + 60'000)) << "another minute";
  for (unsigned i = 1; i < kMaxJunkPerMinute; ++i) EXPECT_FALSE(misbehaviour.on_junk(kStart + 60'000));
  misbehaviour.on_open();
  const auto ending = misbehaviour.on_junk(kStart + 60'000);
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->reason, "sent more than 500 forged or unasked events in a minute");
  EXPECT_EQ(ending->min_backoff_ms, kJunkBackoffMs);
  EXPECT_FALSE(misbehaviour.on_junk(kStart + 60'000)) << "counted from the start again";
}

TEST(RelayMisbehaviour, ChatterIsCountedPerMinuteAndForItself) {
  Misbehaviour misbehaviour;
  for (unsigned i = 0; i < kMaxChatterPerMinute; ++i) EXPECT_FALSE(misbehaviour.on_chatter(kStart));
  EXPECT_FALSE(misbehaviour.on_junk(kStart));
  const auto ending = misbehaviour.on_chatter(kStart);
  ASSERT_TRUE(ending);
  EXPECT_EQ(ending->reason, "sent more than 3000 pings and other useless messages in a minute");
  EXPECT_EQ(ending->min_backoff_ms, kJunkBackoffMs);
}

class HealthTest : public RelayPartTest {
 protected:
  Health health;
};

TEST_F(HealthTest, EachChangeIsReportedOnce) {
  health.set(RelayState::connecting, "", out);
  health.set(RelayState::connecting, "", out);
  health.set(RelayState::connecting, "gone", out);
  EXPECT_THAT(said(), ElementsAre("health connecting", "health connecting: gone"));
}

TEST_F(HealthTest, WhileItCatchesUpTheReasonIsKept) {
  health.set_open(false, "", out);
  health.set_open(false, "closed by the relay", out);
  health.set_open(false, "", out);
  EXPECT_THAT(said(), ElementsAre("health catching up", "health catching up: closed by the relay"));
  EXPECT_EQ(health.reason(), "closed by the relay");
  health.set_open(true, "", out);
  EXPECT_THAT(said(), ElementsAre("health live"));
  EXPECT_EQ(health.reason(), "");
}

TEST_F(HealthTest, ARelayMayBeLiveWithAWarning) {
  health.set_open(true, "cannot be read whole", out);
  EXPECT_THAT(said(), ElementsAre("health live: cannot be read whole"));
}

TEST_F(HealthTest, AnOldReasonIsDroppedWhenTheConnectionOpens) {
  health.set(RelayState::connecting, "gone", out);
  said();
  health.set_open(false, "", out);
  EXPECT_THAT(said(), ElementsAre("health catching up"));
}

}  // namespace
}  // namespace nostr
