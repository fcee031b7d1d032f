// Bringing a notice to its relays: until the first acceptance it is tried for as long as the deadline allows.
#include "pipeline/runtime/delivery.h"

#include <gtest/gtest.h>

#include <map>

#include "tests/sim/virtual_time.h"

namespace runtime {
namespace {

using base::TimeMs;
using nostr::required_pow;

// Relays that answer from a script: the last word is repeated.
class ScriptedRelays final : public Relays {
 public:
  explicit ScriptedRelays(sim::ProcessTime& time) : time_(time) {}
  void publish_watched(const std::string& relay, const std::string& json, const base::EventId& id,
                       std::function<void(ledger::RelayAnswer)> done, std::function<void()>) override {
    publish(relay, json, id, std::move(done));
  }
  void publish(const std::string& relay, const std::string&, const base::EventId&,
               std::function<void(ledger::RelayAnswer)> done) override {
    auto& words = script[relay];
    const std::string word = words.front();
    if (words.size() > 1) words.erase(words.begin());
    tries[relay].push_back(time_.now().ms);
    time_.after(10, [this, relay, word, done] {
      done({.relay = relay, .accepted = word == "ok", .message = word == "ok" ? "" : word, .at = time_.now()});
    });
  }
  void query(const std::string&, nostr::Filter, std::function<void(base::Result<std::vector<nostr::Event>>)>) override {
  }
  base::Result<void> watch(std::vector<nostr::Filter>) override { return {}; }
  unsigned required_pow(const std::string&) const override { return 0; }
  std::map<std::string, std::vector<std::string>> script;
  std::map<std::string, std::vector<std::int64_t>> tries;

 private:
  sim::ProcessTime& time_;
};

class DeliveryTest : public testing::Test {
 protected:
  void deliver_to(std::vector<std::string> targets, std::int64_t deadline_ms = 60'000) {
    deliver(relays, process,
            {.event_json = "{}",
             .targets = std::move(targets),
             .deadline = TimeMs{deadline_ms},
             .answered = [this](ledger::RelayAnswer answer) { answers.push_back(std::move(answer)); },
             .ended = [this] { ++ends; }});
    while (world.step(TimeMs{10 * deadline_ms})) {
    }
  }
  sim::VirtualTime world{TimeMs{0}};
  sim::ProcessTime process{world};
  ScriptedRelays relays{process};
  std::vector<ledger::RelayAnswer> answers;
  int ends = 0;
};

TEST_F(DeliveryTest, EndsWhenEveryRelayHasAccepted) {
  relays.script = {{"a", {"ok"}}, {"b", {"ok"}}};
  deliver_to({"a", "b"});
  EXPECT_EQ(answers.size(), 2u);
  EXPECT_EQ(ends, 1);
}

TEST_F(DeliveryTest, ARefusalThatMayPassIsTriedAgainWithGrowingPauses) {
  relays.script = {{"a", {"error: busy", "timed out", "error: database", "ok"}}};
  deliver_to({"a"});
  EXPECT_EQ(relays.tries["a"], (std::vector<std::int64_t>{0, 2010, 6020, 14030}));
  ASSERT_EQ(answers.size(), 1u) << "only the last word counts";
  EXPECT_TRUE(answers[0].accepted);
}

TEST_F(DeliveryTest, ARelayThatFindsUsTooFastIsLeftAloneForLonger) {
  relays.script = {{"a", {"rate-limited: slow down", "rate-limited: slow down", "ok"}}};
  deliver_to({"a"}, 600'000);
  EXPECT_EQ(relays.tries["a"], (std::vector<std::int64_t>{0, 30'010, 90'020}));
}

TEST_F(DeliveryTest, ARefusalForGoodIsNotTriedAgain) {
  for (const char* word : {"blocked: no", "invalid: no", "pow: 28 bits", "restricted: members only",
                           "not sent: this relay takes at most 65536 bytes"}) {
    relays.script = {{"a", {word}}};
    relays.tries.clear();
    deliver_to({"a"});
    EXPECT_EQ(relays.tries["a"].size(), 1u) << word;
  }
}

TEST_F(DeliveryTest, UndeliveredItIsTriedUntilTheDeadlineAndNotAfterIt) {
  relays.script = {{"a", {"timed out"}}};
  deliver_to({"a"}, 300'000);
  EXPECT_GT(relays.tries["a"].size(), 7u);
  EXPECT_LT(relays.tries["a"].back(), 300'000);
  EXPECT_EQ(ends, 1);
}

TEST_F(DeliveryTest, OnceDeliveredTheOthersGetAFewTriesOnly) {
  relays.script = {{"a", {"ok"}}, {"b", {"timed out"}}};
  deliver_to({"a", "b"}, 300'000);
  EXPECT_EQ(relays.tries["b"].size(), 3u);
  EXPECT_EQ(ends, 1);
}

TEST_F(DeliveryTest, WithoutAnyTargetItEndsAtOnce) {
  deliver_to({});
  EXPECT_EQ(ends, 1);
}

}  // namespace
}  // namespace runtime
