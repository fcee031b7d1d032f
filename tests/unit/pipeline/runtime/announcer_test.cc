// Being found and being alive, over relays that forget, refuse and are away.
#include "pipeline/runtime/announcer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip13.h"
#include "pipeline/nostr/nip65.h"
#include "tests/sim/virtual_time.h"

namespace runtime {
namespace {

using base::TimeMs;
using nostr::Event;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

using base::kHourMs;
using base::kMinuteMs;

// Relays that keep the newest of each kind, as NIP-01 has it, and delete what NIP-09 names.
class FakeRelays final : public Relays {
 public:
  explicit FakeRelays(sim::ProcessTime& time) : time_(time) {}

  void publish_watched(const std::string& relay, const std::string& json, const base::EventId& id,
                       std::function<void(ledger::RelayAnswer)> done, std::function<void()>) override {
    publish(relay, json, id, std::move(done));
  }
  void publish(const std::string& relay, const std::string& event_json, const base::EventId&,
               std::function<void(ledger::RelayAnswer)> done) override {
    const Event event = *nostr::parse_event(event_json);
    std::string refusal = refusals.contains(relay) ? refusals.at(relay) : "";
    if (refusal.empty() && event.created_at <= deleted_until[relay] && event.kind == nostr::kAnnouncementKind)
      refusal = "deleted: user requested deletion";
    if (away.contains(relay)) refusal = "timed out";
    if (work_asked.contains(relay) && nostr::committed_difficulty(event) < work_asked.at(relay)) {
      refusal = "pow: too little";
      pow_bits[relay] = work_asked.at(relay);
    }
    sent[relay].push_back(event);
    if (refusal.empty() && !forgetful.contains(relay)) keep(relay, event);
    time_.after(10, [this, relay, refusal, done] {
      done({.relay = relay, .accepted = refusal.empty(), .message = refusal, .at = time_.now()});
    });
  }

  void query(const std::string& relay, nostr::Filter filter,
             std::function<void(base::Result<std::vector<Event>>)> done) override {
    ++looks[relay];
    base::Result<std::vector<Event>> answer = std::vector<Event>();
    for (const Event& event : stored[relay]) {
      if (std::ranges::find(filter.kinds, event.kind) != filter.kinds.end()) answer->push_back(event);
    }
    if (away.contains(relay)) answer = base::fail(base::ErrorKind::connection, "relay.query", "no answer", relay);
    time_.after(10, [done, answer] { done(answer); });
  }

  base::Result<void> watch(std::vector<nostr::Filter>) override { return {}; }
  unsigned required_pow(const std::string& relay) const override {
    const auto asked = pow_bits.find(relay);
    return asked == pow_bits.end() ? 0 : asked->second;
  }

  void keep(const std::string& relay, const Event& event) {
    if (event.kind == nostr::kDeletionKind) {
      deleted_until[relay] = event.created_at;
      std::erase_if(stored[relay], [](const Event& one) { return one.kind == nostr::kAnnouncementKind; });
      return;
    }
    std::erase_if(stored[relay], [&](const Event& one) { return one.kind == event.kind; });
    stored[relay].push_back(event);
  }

  std::optional<Event> of_kind(const std::string& relay, std::uint32_t kind) {
    for (const Event& event : stored[relay]) {
      if (event.kind == kind) return event;
    }
    return std::nullopt;
  }
  std::vector<Event> sent_of(const std::string& relay, std::uint32_t kind) {
    std::vector<Event> out;
    std::ranges::copy_if(sent[relay], std::back_inserter(out), [&](const Event& one) { return one.kind == kind; });
    return out;
  }

  std::map<std::string, std::vector<Event>> stored;
  std::map<std::string, std::vector<Event>> sent;
  std::map<std::string, int> looks;
  std::map<std::string, std::string> refusals;
  std::map<std::string, std::int64_t> deleted_until;
  std::map<std::string, unsigned> work_asked;  // of each event
  std::map<std::string, unsigned> pow_bits;    // as far as we have heard of it
  std::set<std::string> away;
  std::set<std::string> forgetful;  // say OK and keep nothing

 private:
  sim::ProcessTime& time_;
};

class AnnouncerTest : public testing::Test {
 protected:
  const std::string a = "wss://a.example", b = "wss://b.example";

  nostr::Announcement offer(std::int64_t base_msat = 1'000) const {
    return {.provider = key.public_key(),
            .d = "sellcompute",
            .kinds = {5050},
            .models = {{"llama3.2", ledger::ModelOffer{.name = "llama3.2", .base = {base_msat}}}}};
  }
  // The process (again), with what it should say.
  void begin(std::int64_t base_msat = 1'000, nostr::Profile profile = {}) {
    if (announcer) announcer->stop();
    announcer = std::make_unique<Announcer>(
        Announcer::Ports{.relays = relays,
                         .scheduler = process,
                         .sign =
                             [this](nostr::Unsigned event) {
                               ++signatures;
                               return sign(std::move(event));
                             },
                         .obstacle = [this] { return ill; }},
        Announcer::Options{.relays = {a, b}, .announcement = offer(base_msat), .profile = std::move(profile)});
    announcer->start();
  }
  Event sign(nostr::Unsigned event) const { return nostr::sign(std::move(event), key, {}); }
  void pass(std::int64_t ms) {
    const TimeMs until = world.now() + ms;
    while (world.step(until)) {
    }
  }
  std::vector<Visibility> withdraw() {
    std::vector<Visibility> report;
    announcer->withdraw([&](std::vector<Visibility> done) { report = std::move(done); });
    pass(kMinuteMs);
    return report;
  }

  nostr::SecretKey key = *nostr::SecretKey::from_text(std::string(63, '0') + "3");
  sim::VirtualTime world{TimeMs{1'800'000'000'000}};
  sim::ProcessTime process{world};
  FakeRelays relays{process};
  std::unique_ptr<Announcer> announcer;
  std::string ill;  // what keeps us from serving
  int signatures = 0;
};

TEST_F(AnnouncerTest, TheSameSignedAnnouncementIsOnEveryRelay) {
  begin();
  pass(kMinuteMs);
  ASSERT_TRUE(relays.of_kind(a, nostr::kAnnouncementKind));
  EXPECT_EQ(relays.of_kind(a, nostr::kAnnouncementKind), relays.of_kind(b, nostr::kAnnouncementKind));
  EXPECT_TRUE(nostr::verify(*relays.of_kind(a, nostr::kAnnouncementKind)));
  for (const Visibility& one : announcer->visibility()) {
    EXPECT_TRUE(one.visible) << one.relay;
    EXPECT_EQ(one.trouble, "");
  }
}

TEST_F(AnnouncerTest, WhatIsThereAlreadyIsReadBackAndNotPublishedAgain) {
  begin();
  pass(kMinuteMs);
  const auto before = relays.sent_of(a, nostr::kAnnouncementKind);
  const int looks = relays.looks[a];
  pass(kHourMs / 2);
  begin();
  pass(kMinuteMs);
  EXPECT_EQ(relays.sent_of(a, nostr::kAnnouncementKind), before);
  EXPECT_EQ(relays.looks[a], looks + 1);
  EXPECT_TRUE(announcer->visibility()[0].visible);
}

TEST_F(AnnouncerTest, NewPricesReplaceOldOnesEvenWithinASecond) {
  begin(1'000);
  pass(100);
  const Event old = *relays.of_kind(a, nostr::kAnnouncementKind);
  begin(2'000);
  pass(kMinuteMs);
  const Event now = *relays.of_kind(b, nostr::kAnnouncementKind);
  EXPECT_GT(now.created_at, old.created_at);
  EXPECT_EQ(nostr::read_announcement(now)->models[0].offer->base.value, 2'000);
  EXPECT_EQ(relays.of_kind(a, nostr::kAnnouncementKind), now);
}

TEST_F(AnnouncerTest, ARelayThatForgotGetsTheVeryBytesThatAnotherHas) {
  begin();
  pass(kMinuteMs);
  const Event announcement = *relays.of_kind(a, nostr::kAnnouncementKind);
  relays.stored[b].clear();
  signatures = 0;
  pass(kHourMs);
  EXPECT_EQ(relays.of_kind(b, nostr::kAnnouncementKind), announcement);
  begin();
  pass(kMinuteMs);
  EXPECT_EQ(relays.of_kind(b, nostr::kAnnouncementKind), announcement);
}

TEST_F(AnnouncerTest, WhatARelayTookAndDoesNotShowIsPublishedAgainWithGrowingPauses) {
  relays.forgetful = {b};
  begin();
  pass(kMinuteMs);
  EXPECT_THAT(relays.sent_of(b, nostr::kAnnouncementKind), SizeIs(4)) << "at 0, 4, 14 and 48 s";
  EXPECT_THAT(relays.sent_of(a, nostr::kAnnouncementKind), SizeIs(1));
  const auto seen = announcer->visibility();
  EXPECT_TRUE(seen[0].visible);
  EXPECT_FALSE(seen[1].visible);
  EXPECT_THAT(seen[1].trouble, HasSubstr("does not have it"));
  relays.forgetful.clear();
  pass(10 * kMinuteMs);
  EXPECT_TRUE(announcer->visibility()[1].visible);
  EXPECT_EQ(announcer->visibility()[1].trouble, "");
}

TEST_F(AnnouncerTest, ARefusalIsToldInTheRelaysWords) {
  relays.refusals[b] = "blocked: members only";
  begin();
  pass(kMinuteMs);
  EXPECT_EQ(announcer->visibility()[1].trouble, "the relay list was not taken: blocked: members only");
}

TEST_F(AnnouncerTest, ARelayThatAsksForWorkGetsIt) {
  relays.work_asked[b] = relays.pow_bits[b] = 8;
  begin();
  pass(kMinuteMs);
  EXPECT_TRUE(announcer->visibility()[1].visible);
  EXPECT_THAT(relays.sent_of(b, nostr::kAnnouncementKind), SizeIs(1)) << "it had said so";
  EXPECT_THAT(relays.sent_of(b, nostr::kHeartbeatKind), SizeIs(1));
  EXPECT_EQ(relays.of_kind(a, nostr::kAnnouncementKind), relays.of_kind(b, nostr::kAnnouncementKind));
}

TEST_F(AnnouncerTest, ARelayThatAsksForWorkWithItsRefusalGetsItThen) {
  begin();
  pass(kMinuteMs);
  relays.stored[b].clear();
  relays.work_asked[b] = 8;
  pass(kHourMs + kMinuteMs);
  EXPECT_TRUE(announcer->visibility()[1].visible);
  EXPECT_EQ(announcer->visibility()[1].trouble, "");
  EXPECT_GE(nostr::committed_difficulty(*relays.of_kind(a, nostr::kAnnouncementKind)), 8U);
}

TEST_F(AnnouncerTest, ForMoreWorkThanWeDoNothingIsSignedAgainAndAgain) {
  relays.refusals[b] = "pow: too little";
  relays.pow_bits[b] = 8;  // and more, as it seems
  begin();
  pass(kMinuteMs);
  const int before = signatures;
  relays.stored[a].clear();
  pass(3 * kMinuteMs);
  EXPECT_EQ(signatures, before);
  EXPECT_FALSE(announcer->visibility()[1].visible);
  EXPECT_THAT(announcer->visibility()[1].trouble, HasSubstr("pow: too little"));
}

TEST_F(AnnouncerTest, ARelayThatIsAwayKeepsNoOtherFromTheAnnouncement) {
  relays.away = {b};
  begin();
  pass(kMinuteMs);
  EXPECT_TRUE(announcer->visibility()[0].visible);
  EXPECT_FALSE(announcer->visibility()[1].visible);
  EXPECT_EQ(announcer->visibility()[1].trouble, "no answer");
  relays.away.clear();
  pass(10 * kMinuteMs);
  EXPECT_TRUE(announcer->visibility()[1].visible);
}

// ---- profile and relay list -----------------------------------------------------------------------------------------

TEST_F(AnnouncerTest, OurRelaysAreListed) {
  begin();
  pass(kMinuteMs);
  EXPECT_THAT(relays.of_kind(a, nostr::kRelayListKind)->tags, ElementsAre(ElementsAre("r", a), ElementsAre("r", b)));
  EXPECT_FALSE(relays.of_kind(a, nostr::kProfileKind)) << "none is configured";
}

TEST_F(AnnouncerTest, AProfileKeepsWhatItSaysBeside) {
  relays.keep(b, sign({.kind = 0, .created_at_s = 5, .content = R"({"name":"Old","website":"https://me.example"})"}));
  begin(1'000, {.name = "New"});
  pass(kMinuteMs);
  EXPECT_EQ(relays.of_kind(a, 0)->content, R"({"name":"New","website":"https://me.example"})");
  EXPECT_EQ(relays.of_kind(b, 0), relays.of_kind(a, 0));
}

TEST_F(AnnouncerTest, NothingIsSaidOverAProfileThatOnlyAnAbsentRelayKnows) {
  relays.keep(b, sign({.kind = 0, .created_at_s = 5, .content = R"({"website":"https://me.example"})"}));
  relays.away = {b};
  begin(1'000, {.name = "New"});
  pass(kHourMs);
  EXPECT_THAT(relays.sent_of(a, 0), IsEmpty());
  EXPECT_THAT(relays.sent_of(a, nostr::kRelayListKind), IsEmpty());
  relays.away.clear();
  pass(kHourMs);
  EXPECT_EQ(relays.of_kind(a, 0)->content, R"({"website":"https://me.example","name":"New"})");
}

// ---- alive ----------------------------------------------------------------------------------------------------------

TEST_F(AnnouncerTest, AHeartbeatEveryFiveMinutes) {
  begin();
  pass(20 * kMinuteMs);
  const auto beats = relays.sent_of(a, nostr::kHeartbeatKind);
  ASSERT_THAT(beats, SizeIs(4));
  EXPECT_THAT(beats[0].tags, ElementsAre(ElementsAre("d", "sellcompute"),
                                         ElementsAre("expiration", std::to_string(beats[0].created_at + 300))));
  EXPECT_EQ(beats[1].created_at - beats[0].created_at, 300);
  EXPECT_EQ(announcer->heartbeat_trouble(), "");
  EXPECT_LE(process.now() - *announcer->last_heartbeat(), 5 * kMinuteMs);
}

TEST_F(AnnouncerTest, NoHeartbeatWhileWeCannotServeAndOneSoonAfter) {
  ill = "the wallet does not answer";
  begin();
  pass(kHourMs);
  EXPECT_THAT(relays.sent_of(a, nostr::kHeartbeatKind), IsEmpty());
  EXPECT_EQ(announcer->heartbeat_trouble(), ill);
  EXPECT_FALSE(announcer->last_heartbeat());
  ill.clear();
  pass(15'100);
  EXPECT_THAT(relays.sent_of(a, nostr::kHeartbeatKind), SizeIs(1));
}

TEST_F(AnnouncerTest, NoHeartbeatBeforeAnyRelayShowsWhomItIsAbout) {
  relays.forgetful = {a, b};
  begin();
  pass(kHourMs);
  EXPECT_THAT(relays.sent_of(a, nostr::kHeartbeatKind), IsEmpty());
  EXPECT_THAT(announcer->heartbeat_trouble(), HasSubstr("no relay shows"));
}

TEST_F(AnnouncerTest, AfterStopNothingIsSaidAndWhatWasSaidStays) {
  begin();
  pass(kMinuteMs);
  announcer->stop();
  relays.sent.clear();
  relays.looks.clear();
  pass(3 * kHourMs);
  EXPECT_TRUE(relays.sent.empty());
  EXPECT_TRUE(relays.looks.empty());
  EXPECT_TRUE(relays.of_kind(a, nostr::kAnnouncementKind));
}

// ---- taken back -----------------------------------------------------------------------------------------------------

TEST_F(AnnouncerTest, WithdrawnItIsGoneFromEveryRelayAndStaysAway) {
  begin();
  pass(kMinuteMs);
  const Event announcement = *relays.of_kind(a, nostr::kAnnouncementKind);
  const auto report = withdraw();
  ASSERT_THAT(report, SizeIs(2));
  for (const Visibility& one : report) {
    EXPECT_FALSE(one.visible);
    EXPECT_EQ(one.trouble, "");
  }
  const auto deletion = relays.sent_of(b, nostr::kDeletionKind);
  ASSERT_THAT(deletion, SizeIs(1));
  EXPECT_EQ(deletion[0].tag_value("a"), "31990:" + key.public_key().hex() + ":sellcompute");
  EXPECT_EQ(deletion[0].tag_value("e"), announcement.id.hex());
  relays.sent.clear();
  pass(3 * kHourMs);
  EXPECT_TRUE(relays.sent.empty()) << "no heartbeat either";
  EXPECT_TRUE(announcer->withdrawn());
}

TEST_F(AnnouncerTest, ARelayThatStillShowsItIsNamed) {
  begin();
  pass(kMinuteMs);
  relays.forgetful = {b};
  const auto report = withdraw();
  EXPECT_EQ(report[0].trouble, "");
  EXPECT_THAT(report[1].trouble, HasSubstr("still shows"));
}

TEST_F(AnnouncerTest, AWithdrawalEndsThoughNoRelayAnswers) {
  begin();
  pass(kMinuteMs);
  relays.away = {a, b};
  const auto report = withdraw();
  ASSERT_THAT(report, SizeIs(2));
  EXPECT_EQ(report[0].trouble, "no answer");
}

TEST_F(AnnouncerTest, AfterAWithdrawalItCanBeAnnouncedAgain) {
  begin();
  pass(kMinuteMs);
  relays.refusals[b] = "error: no";
  withdraw();
  relays.refusals.clear();
  announcer->start();
  pass(kMinuteMs);
  EXPECT_TRUE(announcer->visibility()[0].visible);
  EXPECT_TRUE(announcer->visibility()[1].visible);
  EXPECT_EQ(announcer->heartbeat_trouble(), "") << "the last one is less than five minutes old";
}

TEST_F(AnnouncerTest, WhatOneRelayDeletedAndAnotherStillShowsIsAnnouncedAnew) {
  begin();
  pass(kMinuteMs);
  relays.away = {b};
  withdraw();
  relays.away.clear();
  begin();  // another process, which knows nothing of the withdrawal
  pass(10 * kMinuteMs);
  EXPECT_TRUE(announcer->visibility()[0].visible);
  EXPECT_TRUE(announcer->visibility()[1].visible);
}

TEST_F(AnnouncerTest, AWithdrawalThatIsInterruptedSaysThatItIsNotKnown) {
  begin();
  pass(kMinuteMs);
  std::vector<Visibility> report;
  announcer->withdraw([&](std::vector<Visibility> done) { report = std::move(done); });
  announcer->stop();
  ASSERT_THAT(report, SizeIs(2));
  EXPECT_THAT(report[0].trouble, HasSubstr("not known"));
  pass(kHourMs);
}

}  // namespace
}  // namespace runtime
