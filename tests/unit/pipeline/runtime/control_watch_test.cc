// Which cancellations and pings the relays are asked for, and what comes of them.
#include "pipeline/runtime/control_watch.h"

#include <gmock/gmock.h>

#include "pipeline/nostr/nip90_answer.h"
#include "pipeline/nostr/nip90_request.h"
#include "tests/unit/pipeline/runtime/part_test.h"

namespace runtime {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

class ControlWatchTest : public PartTest {
 protected:
  nostr::Event ping(std::int64_t age_s = 0) {
    return nostr::sign(
        {.kind = nostr::kPingKind, .created_at_s = kStart.ms / 1000 - age_s, .tags = {{"p", key.public_key().hex()}}},
        customer, {});
  }
  nostr::Event deletion(const nostr::SecretKey& by) {
    return nostr::sign({.kind = nostr::kDeletionKind,
                        .tags = {{"e", std::string(64, 'a')}, {"e"}, {"e", sample_job().id.hex()}},
                        .content = "changed my mind"},
                       by, {});
  }

  std::vector<std::pair<core::JobId, ledger::JobCancelled>> cancelled;
  ControlWatch watch{context, [this](const core::JobId& id, ledger::JobCancelled facts) {
                       cancelled.emplace_back(id, std::move(facts));
                     }};
};

TEST_F(ControlWatchTest, AsksForPingsAndForCancellationsOfOpenJobs) {
  watch.refresh();
  ASSERT_THAT(relays.watched, SizeIs(1));
  ASSERT_THAT(relays.watched[0], SizeIs(1)) << "no job is open";
  EXPECT_THAT(relays.watched[0][0].kinds, ElementsAre(nostr::kPingKind));
  EXPECT_EQ(relays.watched[0][0].tags[0].second[0], key.public_key().hex());

  open({sample_job()});
  watch.refresh();
  ASSERT_THAT(relays.watched, SizeIs(2));
  ASSERT_THAT(relays.watched[1], SizeIs(2));
  EXPECT_THAT(relays.watched[1][1].kinds, ElementsAre(nostr::kDeletionKind));
  EXPECT_THAT(relays.watched[1][1].tags[0].second, ElementsAre(sample_job().id.hex()));
}

TEST_F(ControlWatchTest, AsksAgainOnlyWhenThatHasChanged) {
  open({sample_job()});
  watch.refresh();
  watch.refresh();
  EXPECT_THAT(relays.watched, SizeIs(1));
  core::Job over = sample_job();
  over.cancelled = ledger::JobCancelled{.by = ledger::CancelledBy::provider};
  open({over});
  watch.refresh();
  ASSERT_THAT(relays.watched, SizeIs(2));
  EXPECT_THAT(relays.watched[1], SizeIs(1)) << "it can be cancelled no more";
}

TEST_F(ControlWatchTest, AsksAgainWhenTheRelaysRefused) {
  relays.watch_answer = base::fail(base::ErrorKind::connection, "relay.watch", "we are offline");
  watch.refresh();
  watch.refresh();
  EXPECT_THAT(relays.watched, SizeIs(2));
}

TEST_F(ControlWatchTest, AsksForNothingWhilePausedAndForAllOfItAfterwards) {
  watch.refresh();
  watch.pause();
  open({sample_job()});
  watch.refresh();
  EXPECT_THAT(relays.watched, SizeIs(1));
  open({});
  watch.resume();
  watch.refresh();
  EXPECT_THAT(relays.watched, SizeIs(2)) << "those are new connections";
}

TEST_F(ControlWatchTest, ADeletionByTheCustomerCancelsTheJob) {
  open({sample_job()});
  const nostr::Event theirs = deletion(customer);
  watch.on_event(theirs, "wss://theirs.example");
  ASSERT_THAT(cancelled, SizeIs(1));
  EXPECT_EQ(cancelled[0].first, sample_job().id);
  EXPECT_EQ(cancelled[0].second.by, ledger::CancelledBy::customer);
  EXPECT_EQ(cancelled[0].second.event, theirs.id);
  EXPECT_EQ(cancelled[0].second.reason, "changed my mind");
}

TEST_F(ControlWatchTest, ADeletionByAnybodyElseDoesNot) {
  open({sample_job()});
  watch.on_event(deletion(key), "wss://theirs.example");
  EXPECT_THAT(cancelled, IsEmpty());
}

TEST_F(ControlWatchTest, AnswersAPingWhereItCameFrom) {
  watch.on_event(ping(), "wss://theirs.example");
  ASSERT_THAT(relays.published, SizeIs(1));
  EXPECT_EQ(relays.published[0].relay, "wss://theirs.example");
  EXPECT_TRUE(nostr::verify(relays.published[0].event));
  const auto pong = nostr::read_answer(relays.published[0].event);
  EXPECT_EQ(pong->known, nostr::Status::pong);
  EXPECT_EQ(pong->request, ping().id);
}

TEST_F(ControlWatchTest, DoesNotAnswerAPingThatIsOldOrFromTheFutureOrToAnother) {
  watch.on_event(ping(121), "wss://theirs.example");
  watch.on_event(ping(-121), "wss://theirs.example");
  nostr::Event other = ping();
  other.tags = {{"p", customer.public_key().hex()}};
  watch.on_event(other, "wss://theirs.example");
  EXPECT_THAT(relays.published, IsEmpty());
  watch.on_event(ping(120), "wss://theirs.example");
  EXPECT_THAT(relays.published, SizeIs(1));
}

TEST_F(ControlWatchTest, AnswersSoManyPingsPerMinute) {
  for (std::uint32_t n = 0; n < kMaxPongs + 5; ++n) watch.on_event(ping(), "wss://theirs.example");
  EXPECT_THAT(relays.published, SizeIs(kMaxPongs));
  watch.every_minute();
  watch.on_event(ping(), "wss://theirs.example");
  EXPECT_THAT(relays.published, SizeIs(kMaxPongs + 1));
}

TEST_F(ControlWatchTest, AnswersNoPingWhilePaused) {
  watch.pause();
  watch.on_event(ping(), "wss://theirs.example");
  EXPECT_THAT(relays.published, IsEmpty());
}

}  // namespace
}  // namespace runtime
