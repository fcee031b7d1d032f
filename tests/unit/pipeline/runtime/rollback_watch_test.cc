// What our own relays have of us that this ledger lacks, and what follows.
#include "pipeline/runtime/rollback_watch.h"

#include <gmock/gmock.h>

#include "ledger/checkpoint.h"
#include "ledger/ledger.h"
#include "pipeline/nostr/nip78.h"
#include "tests/support/sim_disk.h"
#include "tests/unit/pipeline/runtime/part_test.h"

namespace runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Relays that have what the test puts there; one without an entry does not answer.
struct StoringRelays final : nostr::Relays {
  explicit StoringRelays(base::Scheduler& scheduler_) : scheduler(scheduler_) {}
  void publish(const std::string& relay, const std::string& json, const base::EventId&,
               std::function<void(ledger::RelayAnswer)> done) override {
    published.emplace_back(relay, *nostr::parse_event(json));
    scheduler.after(10, [done, relay] { done({.relay = relay, .accepted = true}); });
  }
  void publish_watched(const std::string& relay, const std::string& json, const base::EventId& id,
                       std::function<void(ledger::RelayAnswer)> done, std::function<void()>) override {
    publish(relay, json, id, std::move(done));
  }
  void query(const std::string& relay, nostr::Filter filter,
             std::function<void(base::Result<std::vector<nostr::Event>>)> done) override {
    ++queries;
    scheduler.after(10, [this, relay, filter = std::move(filter), done] {
      const auto found = stored.find(relay);
      if (found == stored.end()) return done(base::fail(base::ErrorKind::connection, "relay.query", "no answer"));
      std::vector<nostr::Event> out;
      for (const nostr::Event& event : found->second) {
        const bool late_enough = !filter.since_s || event.created_at >= *filter.since_s;
        const bool wanted = std::ranges::find(filter.kinds, event.kind) != filter.kinds.end();
        if (wanted && late_enough) out.push_back(event);
      }
      done(out);
    });
  }
  base::Result<void> watch(std::vector<nostr::Filter>) override { return {}; }
  unsigned required_pow(const std::string&) const override { return 0; }

  base::Scheduler& scheduler;
  std::map<std::string, std::vector<nostr::Event>> stored;
  std::vector<std::pair<std::string, nostr::Event>> published;
  int queries = 0;
};

constexpr char kOne[] = "wss://one.example";
constexpr char kTwo[] = "wss://two.example";

class RollbackWatchTest : public PartTest {
 protected:
  RollbackWatchTest() {
    write(5);
    relays_of_ours.stored = {{kOne, {}}, {kTwo, {}}};
  }
  void write(int entries) {
    ledger::Group group;
    for (int i = 0; i < entries; ++i) group.entries.push_back({.time = kStart, .fact = ledger::WentOnline{"1"}});
    ASSERT_TRUE(book->append({&group, 1}));
  }
  std::string checkpoint(base::Seq size, const base::Hash256& root, base::TimeMs at = kStart) const {
    return ledger::sign_checkpoint(
               {.size = size, .root = root, .time = at}, key.public_key(),
               [&](const base::Hash256& digest) { return base::Result<base::Signature>(key.sign(digest.view(), {})); })
        .value();
  }
  nostr::Event published(const std::string& note, base::TimeMs at = kStart) const {
    const auto first = ledger::Reader(disk).beginning().value().leaf;
    return nostr::sign(nostr::checkpoint_event(first, note, at.ms / 1000), key, {});
  }
  nostr::Event notice(std::uint32_t kind, std::vector<nostr::Tag> tags, base::TimeMs at = kStart) const {
    tags.push_back({"e", std::string(64, 'a')});
    return nostr::sign({.kind = kind, .created_at_s = at.ms / 1000, .tags = std::move(tags)}, key, {});
  }
  void start(bool accept = false) {
    watch.emplace(
        RollbackWatch::Ports{
            .relays = relays_of_ours,
            .scheduler = time,
            .journal = journal,
            .reader = ledger::Reader(disk),
            .accepted = [this] { return base::Result<std::optional<ledger::RollbackAccepted>>(before); },
            .ask_wallet = [this](const std::function<void()>& done) { time.after(wallet_ms, done); },
            .sign = [this](nostr::Unsigned event) { return nostr::sign(std::move(event), key, {}); }},
        RollbackWatch::Options{
            .us = key.public_key(), .own_relays = {kOne, kTwo}, .result_kinds = {6050, 6001}, .accept = accept},
        RollbackWatch::Hooks{.open = [this] { opened_after = world.now() - began; },
                             .release = [this] { released_after = world.now() - began; },
                             .readable = [this] { ++readable_calls; },
                             .accepted = [this](const ledger::RollbackAccepted& one) { accepted.push_back(one); },
                             .refused = [this](const base::Error& error) { refused.push_back(error); }});
    began = world.now();
    watch->start();
  }
  std::vector<std::string> given() const {
    std::vector<std::string> out;
    for (const auto& [relay, event] : relays_of_ours.published) out.push_back(relay);
    return out;
  }

  sim::SimDisk disk;
  std::unique_ptr<ledger::Ledger> book = std::move(ledger::Ledger::open(disk, {}).value());
  StoringRelays relays_of_ours{time};
  std::optional<ledger::RollbackAccepted> before;
  std::int64_t wallet_ms = 10;
  base::TimeMs began;
  std::optional<std::int64_t> opened_after;
  std::optional<std::int64_t> released_after;
  int readable_calls = 0;
  std::vector<ledger::RollbackAccepted> accepted;
  std::vector<base::Error> refused;
  std::optional<RollbackWatch> watch;
};

TEST_F(RollbackWatchTest, OpensAsSoonAsAllHaveAnswered) {
  relays_of_ours.stored[kOne].push_back(published(checkpoint(5, book->root())));
  start();
  EXPECT_FALSE(opened_after);
  pass(1'000);
  ASSERT_TRUE(opened_after && released_after);
  EXPECT_LT(*opened_after, 100);
  EXPECT_TRUE(watch->all_checked());
  EXPECT_THAT(refused, IsEmpty());
}

TEST_F(RollbackWatchTest, OpensWithoutRelaysAndHoldsBackWhatWasOpen) {
  relays_of_ours.stored.clear();
  start();
  pass(60'000);
  EXPECT_EQ(opened_after, RollbackWatch::kOpenWithinMs);
  EXPECT_EQ(released_after, RollbackWatch::kReleaseWithinMs);
  EXPECT_FALSE(watch->checked());
}

TEST_F(RollbackWatchTest, ASlowWalletDoesNotHoldItClosed) {
  wallet_ms = 600'000;
  start();
  pass(60'000);
  EXPECT_EQ(opened_after, RollbackWatch::kOpenWithinMs);
  EXPECT_EQ(released_after, RollbackWatch::kOpenWithinMs);
}

TEST_F(RollbackWatchTest, OneRelayThatAnswersIsEnoughToGoOn) {
  relays_of_ours.stored.erase(kTwo);
  start();
  pass(RollbackWatch::kOpenWithinMs);
  EXPECT_EQ(released_after, RollbackWatch::kOpenWithinMs);
}

// A relay that was reached late has the evidence and the requests that were served.
TEST_F(RollbackWatchTest, ARelayIsReadOnceItHasAnsweredHoweverLateItWasReached) {
  relays_of_ours.stored.erase(kTwo);
  start();
  pass(120'000);
  EXPECT_THAT(watch->readable(), ElementsAre(kOne)) << "although the jobs of before have long gone on";
  relays_of_ours.stored[kTwo] = {};
  watch->connected(kTwo);
  EXPECT_THAT(watch->readable(), ElementsAre(kOne));
  pass(1'000);
  EXPECT_THAT(watch->readable(), ElementsAre(kOne, kTwo)) << "it is asked as soon as it is connected";
  EXPECT_EQ(readable_calls, 2);
}

TEST_F(RollbackWatchTest, ARelayWithEvidenceIsNeverReadHoweverLateItWasReached) {
  relays_of_ours.stored.clear();
  start();
  pass(120'000);
  relays_of_ours.stored[kOne].push_back(published(checkpoint(6, book->root())));
  watch->connected(kOne);
  pass(RollbackWatch::kReadWithinMs + 1'000);
  EXPECT_THAT(refused, SizeIs(1));
  EXPECT_THAT(watch->readable(), IsEmpty());
}

TEST_F(RollbackWatchTest, ARelayThatNeverAnswersIsReadAfterAWhile) {
  relays_of_ours.stored.erase(kTwo);
  start();
  watch->connected(kTwo);
  pass(RollbackWatch::kReadWithinMs - 1);
  EXPECT_THAT(watch->readable(), ElementsAre(kOne));
  pass(2);
  EXPECT_THAT(watch->readable(), ElementsAre(kOne, kTwo));
}

TEST_F(RollbackWatchTest, ARelayThatComesAndGoesIsNotAskedTwiceAtOnce) {
  relays_of_ours.stored.clear();
  start();
  pass(1'000);
  const int before_it_came = relays_of_ours.queries;
  const auto come_and_go = [this] {
    watch->connected(kOne);
    watch->disconnected(kOne);
  };
  for (int i = 0; i < 10; ++i) come_and_go();
  pass(5);
  EXPECT_EQ(relays_of_ours.queries, before_it_came + 1);
  for (int i = 0; i < 100; ++i) {
    come_and_go();
    pass(1'000);
  }
  const int now_asked = relays_of_ours.queries;
  pass(base::kHourMs);
  EXPECT_LT(relays_of_ours.queries - now_asked, 30) << "however often it came: once in five minutes, as the other one";
}

TEST_F(RollbackWatchTest, ARelayIsReadUnansweredOnlyIfItWasConnectedAllThatTime) {
  relays_of_ours.stored.clear();
  start();
  watch->connected(kOne);
  pass(1'000);
  watch->disconnected(kOne);
  pass(RollbackWatch::kReadWithinMs);
  EXPECT_THAT(watch->readable(), IsEmpty());
  watch->connected(kOne);
  pass(RollbackWatch::kReadWithinMs);
  EXPECT_THAT(watch->readable(), ElementsAre(kOne));
}

TEST_F(RollbackWatchTest, ARelayThatWasAwayForLongIsAskedMoreThanOnceBeforeItIsRead) {
  relays_of_ours.stored.clear();
  start();
  pass(base::kHourMs);
  watch->connected(kOne);
  pass(1'000);
  relays_of_ours.stored[kOne].push_back(published(checkpoint(6, book->root())));
  pass(RollbackWatch::kReadWithinMs);
  EXPECT_THAT(refused, SizeIs(1));
  EXPECT_THAT(watch->readable(), IsEmpty());
}

TEST_F(RollbackWatchTest, ACheckpointOfMoreEntriesRefuses) {
  relays_of_ours.stored[kTwo].push_back(published(checkpoint(6, base::sha256("later"))));
  start();
  pass(60'000);
  ASSERT_THAT(refused, SizeIs(1));
  EXPECT_EQ(refused[0].code, "ledger.rollback");
  EXPECT_THAT(refused[0].message, HasSubstr("wss://two.example has a checkpoint of 6 entries"));
  EXPECT_THAT(refused[0].message, HasSubstr("this ledger has 5"));
  EXPECT_FALSE(opened_after);
}

TEST_F(RollbackWatchTest, ACheckpointWithAnotherRootRefuses) {
  relays_of_ours.stored[kOne].push_back(published(checkpoint(3, base::sha256("other"))));
  start();
  pass(1'000);
  EXPECT_THAT(refused, SizeIs(1));
}

TEST_F(RollbackWatchTest, WhatAnotherKeySignedProvesNothing) {
  nostr::Event forged = published(checkpoint(6, base::sha256("later")));
  forged.pubkey = customer.public_key();
  nostr::Event note_of_others = published("not a note");
  relays_of_ours.stored[kOne] = {forged, note_of_others};
  start();
  pass(1'000);
  EXPECT_THAT(refused, IsEmpty());
  EXPECT_TRUE(opened_after);
}

TEST_F(RollbackWatchTest, AnAnswerOfAnyKindThatThisLedgerLacksRefuses) {
  for (const std::uint32_t kind : {6050, 6001}) {
    refused.clear();
    relays_of_ours.stored[kOne] = {notice(kind, {})};
    start();
    pass(1'000);
    ASSERT_THAT(refused, SizeIs(1));
    EXPECT_THAT(refused[0].message, HasSubstr("an answer to job aaaa"));
  }
}

TEST_F(RollbackWatchTest, AnyStatusOfAJobThatThisLedgerLacksRefuses) {
  for (const char* status : {"payment-required", "processing", "error", "success"}) {
    refused.clear();
    relays_of_ours.stored[kOne] = {notice(7000, {{"status", status}})};
    start();
    pass(1'000);
    EXPECT_THAT(refused, SizeIs(1)) << status;
  }
}

TEST_F(RollbackWatchTest, PartsAndPongsAreNeverInTheLedgerAndProveNothing) {
  relays_of_ours.stored[kOne] = {notice(7000, {{"status", "partial"}}), notice(7000, {{"status", "pong"}})};
  start();
  pass(1'000);
  EXPECT_THAT(refused, IsEmpty());
  EXPECT_TRUE(released_after);
}

TEST_F(RollbackWatchTest, WhatTheLedgerHasIsNoEvidence) {
  core::Job job = sample_job();
  nostr::Event result =
      nostr::sign({.kind = 6050, .created_at_s = kStart.ms / 1000, .tags = {{"e", job.id.hex()}}}, key, {});
  job.notices.push_back({.notice = {.purpose = ledger::NoticePurpose::result, .event = result.id}});
  journal.jobs[job.id] = job;
  relays_of_ours.stored[kOne].push_back(result);
  start();
  pass(1'000);
  EXPECT_THAT(refused, IsEmpty());
}

TEST_F(RollbackWatchTest, AnAnswerOlderThanThisLedgerIsOfAnotherOne) {
  relays_of_ours.stored[kOne].push_back(notice(6050, {}, kStart - 60'000));
  start();
  pass(1'000);
  EXPECT_THAT(refused, IsEmpty());
}

TEST_F(RollbackWatchTest, ALedgerWithoutEntriesHasNothingToLose) {
  disk = sim::SimDisk();
  book = std::move(ledger::Ledger::open(disk, {}).value());
  relays_of_ours.stored[kOne].push_back(notice(6050, {}));
  start();
  pass(100);
  EXPECT_TRUE(released_after);
  EXPECT_EQ(relays_of_ours.queries, 0);
}

TEST_F(RollbackWatchTest, WithTheOperatorsWordItIsAcceptedOnceAndTheShopOpens) {
  const auto lost = published(checkpoint(6, base::sha256("later")));
  relays_of_ours.stored = {{kOne, {lost}}, {kTwo, {lost}}};
  start(true);
  pass(1'000);
  EXPECT_THAT(refused, IsEmpty());
  ASSERT_FALSE(accepted.empty());
  EXPECT_LE(accepted.size(), 2U);
  EXPECT_EQ(accepted[0].size, 5U);
  EXPECT_EQ(accepted[0].root, book->root());
  EXPECT_TRUE(released_after);
}

TEST_F(RollbackWatchTest, EvidenceFromAClockThatWasAheadIsCoveredToo) {
  const base::TimeMs ahead = kStart + 5 * base::kHourMs;
  relays_of_ours.stored[kOne].push_back(published(checkpoint(6, base::sha256("later"), ahead)));
  start(true);
  pass(1'000);
  ASSERT_THAT(accepted, SizeIs(1));
  EXPECT_EQ(accepted[0].covers, ahead);
  EXPECT_LE(accepted[0].at, world.now() + base::kHourMs) << "new requests are served, if not at once";
  EXPECT_TRUE(released_after);
}

TEST_F(RollbackWatchTest, WhatOurClockIsLateByIsNotServedEither) {
  const base::TimeMs ahead = kStart + 10 * base::kMinuteMs;
  relays_of_ours.stored[kOne].push_back(published(checkpoint(6, base::sha256("later"), ahead)));
  start(true);
  pass(1'000);
  ASSERT_THAT(accepted, SizeIs(1));
  EXPECT_EQ(accepted[0].at, ahead);
}

TEST_F(RollbackWatchTest, WithTheOperatorsWordTheWalletIsWaitedForToo) {
  wallet_ms = 10'000;
  start(true);
  pass(RollbackWatch::kOpenWithinMs + 1'000);
  EXPECT_TRUE(opened_after);
  EXPECT_FALSE(released_after);
  watch->found({"the wallet was paid", kStart});
  EXPECT_THAT(accepted, SizeIs(1));
  pass(10'000);
  EXPECT_TRUE(released_after);
}

TEST_F(RollbackWatchTest, WhatTheWalletShowsAgainWasAccepted) {
  before = ledger::RollbackAccepted{.at = kStart + 1'000, .covers = kStart + 1'000};
  start();
  pass(1'000);
  watch->found({"the wallet was paid", kStart + 500});
  EXPECT_THAT(refused, IsEmpty());
  watch->found({"the wallet was paid", kStart + 2'000});
  EXPECT_THAT(refused, SizeIs(1));
}

TEST_F(RollbackWatchTest, ARelayThatIsNeverReadIsAskedMoreAndMoreSeldom) {
  relays_of_ours.stored.erase(kTwo);
  start();
  pass(base::kHourMs);
  EXPECT_LT(relays_of_ours.queries, 30);
}

TEST_F(RollbackWatchTest, WhatWasAcceptedBeforeIsNoEvidenceAnyMore) {
  before = ledger::RollbackAccepted{.at = kStart + 1'000, .covers = kStart + 1'000};
  relays_of_ours.stored[kOne] = {published(checkpoint(6, base::sha256("later"))), notice(6050, {})};
  start();
  pass(1'000);
  EXPECT_THAT(refused, IsEmpty());
}

TEST_F(RollbackWatchTest, TheOperatorsWordDoesNotCoverWhatIsFoundLater) {
  start(true);
  pass(1'000);
  ASSERT_TRUE(released_after);
  relays_of_ours.stored[kTwo].push_back(published(checkpoint(9, base::sha256("another machine"))));
  watch->publish(checkpoint(5, book->root()));
  pass(1'000);
  EXPECT_THAT(refused, SizeIs(1));
}

TEST_F(RollbackWatchTest, NoRelayIsGivenACheckpointBeforeItHasAnswered) {
  relays_of_ours.stored.erase(kTwo);
  start();
  pass(10'000);
  watch->publish(checkpoint(5, book->root()));
  pass(1'000);
  EXPECT_THAT(given(), ElementsAre(kOne));
  relays_of_ours.stored[kTwo] = {};
  pass(20'000);
  EXPECT_THAT(given(), ElementsAre(kOne, kTwo));
}

TEST_F(RollbackWatchTest, ARelayThatShowsAnotherMachineKeepsWhatItHas) {
  start();
  pass(1'000);
  relays_of_ours.stored[kOne].push_back(published(checkpoint(9, base::sha256("another machine"))));
  watch->publish(checkpoint(5, book->root()));
  pass(1'000);
  EXPECT_THAT(given(), IsEmpty());
  EXPECT_THAT(refused, SizeIs(1)) << "long after the shop has opened";
}

TEST_F(RollbackWatchTest, TheLastCheckpointIsGivenWithoutAsking) {
  start();
  pass(1'000);
  const int asked = relays_of_ours.queries;
  bool done = false;
  watch->publish_last(checkpoint(5, book->root()), [&] { done = true; });
  EXPECT_FALSE(done);
  pass(100);
  EXPECT_TRUE(done);
  EXPECT_THAT(given(), ElementsAre(kOne, kTwo));
  EXPECT_EQ(relays_of_ours.queries, asked);
}

}  // namespace
}  // namespace runtime
