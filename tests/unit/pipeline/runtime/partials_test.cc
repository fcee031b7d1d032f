// An answer shown while it grows.
#include "pipeline/runtime/partials.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/nostr/encryption.h"
#include "pipeline/nostr/nip01.h"
#include "tests/sim/virtual_time.h"

namespace runtime {
namespace {

using nostr::required_pow;
using testing::ElementsAre;
using testing::SizeIs;

struct PatientRelays final : Relays {
  struct Publication {
    std::string relay;
    nostr::Event event;
    std::function<void(ledger::RelayAnswer)> done;
    std::function<void()> sent = {};
    void answer(bool accepted) const { done({.relay = relay, .accepted = accepted}); }
  };
  void publish_watched(const std::string& relay, const std::string& json, const base::EventId& id,
                       std::function<void(ledger::RelayAnswer)> done, std::function<void()> sent) override {
    publish(relay, json, id, std::move(done));
    published.back().sent = std::move(sent);
  }
  void publish(const std::string& relay, const std::string& json, const base::EventId&,
               std::function<void(ledger::RelayAnswer)> done) override {
    published.push_back({relay, *nostr::parse_event(json), std::move(done)});
  }
  void query(const std::string&, nostr::Filter, std::function<void(base::Result<std::vector<nostr::Event>>)>) override {
  }
  base::Result<void> watch(std::vector<nostr::Filter>) override { return {}; }
  unsigned required_pow(const std::string&) const override { return 0; }
  std::vector<Publication> published;
};

class GrowingAnswer : public testing::Test {
 protected:
  Partials make(ledger::Encryption form = ledger::Encryption::none,
                std::vector<std::string> targets = {"wss://one.example", "wss://two.example"}) {
    const bool hidden = form != ledger::Encryption::none;
    return {relays,
            time,
            [] { return base::Salt{}; },
            ours,
            {.customer = theirs.public_key(), .encrypted = hidden},
            form,
            std::move(targets)};
  }
  void pass(std::int64_t ms) {
    const base::TimeMs until = world.now() + ms;
    while (world.step(until)) {
    }
  }
  std::vector<std::string> contents() const {
    std::vector<std::string> out;
    for (const auto& one : relays.published) out.push_back(one.event.content);
    return out;
  }

  sim::VirtualTime world{base::TimeMs{1'700'000'000'000}};
  sim::ProcessTime time{world};
  PatientRelays relays;
  nostr::SecretKey ours = *nostr::SecretKey::from_bytes(std::string(32, '\x07'));
  nostr::SecretKey theirs = *nostr::SecretKey::from_bytes(std::string(32, '\x09'));
};

TEST_F(GrowingAnswer, IsTheWholeTextSoFarSignedToEveryTarget) {
  Partials parts = make();
  parts.grow("Once");
  ASSERT_THAT(contents(), ElementsAre("Once", "Once"));
  const nostr::Event& event = relays.published[0].event;
  EXPECT_TRUE(nostr::verify(event));
  const auto answer = nostr::read_answer(event);
  EXPECT_EQ(answer->known, nostr::Status::partial);
  EXPECT_EQ(event.tag_value("expiration"), std::to_string(1'700'000'000 + 600)) << "relays may forget it";
}

TEST_F(GrowingAnswer, ComesAtMostOnceASecondAndWhenItHasGrownByATenth) {
  Partials parts = make(ledger::Encryption::none, {"wss://one.example"});
  const std::string text(300, 'x');
  parts.grow(text.substr(0, 100));
  parts.grow(text.substr(0, 200));  // too soon
  pass(1'000);
  parts.grow(text.substr(0, 105));  // too little
  parts.grow(text.substr(0, 111));
  EXPECT_THAT(contents(), ElementsAre(SizeIs(100), SizeIs(111)));
}

// A relay of the customer's own may pass everything on to them and answer nothing.
TEST_F(GrowingAnswer, CountsAsShownOnceItHasLeftUsWhateverARelayAnswers) {
  Partials parts = make();
  parts.grow("Once");
  EXPECT_EQ(parts.shown(), 0U) << "no relay is connected";
  relays.published[0].sent();
  EXPECT_EQ(parts.shown(), 1U);
  relays.published[1].sent();
  relays.published[0].answer(false);
  EXPECT_EQ(parts.shown(), 1U);
}

TEST_F(GrowingAnswer, ThatNeverLeftUsWasNotShown) {
  Partials parts = make();
  parts.grow("Once");
  relays.published[0].answer(false);
  relays.published[1].answer(false);
  EXPECT_EQ(parts.shown(), 0U);
}

TEST_F(GrowingAnswer, GoesNoMoreToARelayThatRefusesIt) {
  Partials parts = make();
  parts.grow("Once");
  relays.published[0].answer(false);
  pass(1'000);
  parts.grow("Once upon");
  ASSERT_THAT(relays.published, SizeIs(3));
  EXPECT_EQ(relays.published[2].relay, "wss://two.example");
  relays.published[1].answer(false);
  pass(1'000);
  parts.grow("Once upon a time");
  EXPECT_THAT(relays.published, SizeIs(3)) << "nobody wants it";
}

TEST_F(GrowingAnswer, OfAnEncryptedJobIsEncryptedInItsForm) {
  Partials parts = make(ledger::Encryption::nip04, {"wss://one.example"});
  parts.grow("Once");
  const auto sealed = nostr::read_answer(relays.published.at(0).event);
  EXPECT_TRUE(sealed->encrypted);
  EXPECT_EQ(nostr::detect_encryption(sealed->content), nostr::Encryption::nip04);
  EXPECT_EQ(nostr::read_answer(relays.published[0].event, theirs)->content, "Once");
}

TEST_F(GrowingAnswer, AnAnswerOfARelayAfterItsEndIsHarmless) {
  { make().grow("Once"); }
  for (const auto& one : relays.published) one.answer(true);
}

}  // namespace
}  // namespace runtime
