#include "pipeline/nostr/switchable_relays.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/sim/virtual_time.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr base::TimeMs kSwitchedAt{1'763'800'000'500};

// Accepts and finds everything, at once.
class WillingRelays final : public Relays {
 public:
  void publish_watched(const std::string& relay, const std::string& json, const base::EventId& id,
                       std::function<void(ledger::RelayAnswer)> done, std::function<void()>) override {
    publish(relay, json, id, std::move(done));
  }
  void publish(const std::string& relay, const std::string& event_json, const base::EventId&,
               std::function<void(ledger::RelayAnswer)> done) override {
    calls.push_back("publish " + relay + " " + event_json);
    done({.relay = relay, .accepted = true});
  }
  void query(const std::string& relay, Filter filter,
             std::function<void(base::Result<std::vector<Event>>)> done) override {
    calls.push_back("query " + relay + " " + std::to_string(filter.limit.value_or(0)));
    done(std::vector<Event>(2));
  }
  base::Result<void> watch(std::vector<Filter> filters) override {
    calls.push_back("watch " + std::to_string(filters.size()));
    return {};
  }
  unsigned required_pow(const std::string&) const override { return 20; }

  std::vector<std::string> calls;
};

class SwitchableRelaysTest : public testing::Test {
 protected:
  void publish() {
    relays.publish("wss://one", "{}", {}, [this](const ledger::RelayAnswer& answer) { published.push_back(answer); });
  }
  void query() {
    relays.query("wss://one", {.limit = 5}, [this](auto found) { queried.push_back(std::move(found)); });
  }
  void run() {
    while (world.step(kSwitchedAt)) {
    }
  }

  sim::VirtualTime world{kSwitchedAt};
  sim::ProcessTime time{world};
  SwitchableRelays relays{time};
  WillingRelays willing;
  std::vector<ledger::RelayAnswer> published;
  std::vector<base::Result<std::vector<Event>>> queried;
};

TEST_F(SwitchableRelaysTest, OfflineAPublicationIsAnsweredAfterTheCall) {
  publish();
  EXPECT_THAT(published, IsEmpty()) << "a callback came inside the call";
  run();
  ASSERT_EQ(published.size(), 1u);
  EXPECT_EQ(published[0].relay, "wss://one");
  EXPECT_FALSE(published[0].accepted);
  EXPECT_EQ(published[0].message, "we are offline");
  EXPECT_EQ(published[0].at, kSwitchedAt);
}

TEST_F(SwitchableRelaysTest, OfflineAQueryFailsAfterTheCall) {
  query();
  EXPECT_THAT(queried, IsEmpty()) << "a callback came inside the call";
  run();
  ASSERT_EQ(queried.size(), 1u);
  ASSERT_FALSE(queried[0]);
  EXPECT_EQ(queried[0].error().code, "relay.query");
  EXPECT_EQ(queried[0].error().kind, base::ErrorKind::connection);
  EXPECT_EQ(queried[0].error().message, "not asked: we are offline");
  EXPECT_EQ(queried[0].error().context, "wss://one");
}

TEST_F(SwitchableRelaysTest, OfflineNothingIsWatchedAndNoWorkIsRequired) {
  const auto watched = relays.watch({});
  ASSERT_FALSE(watched);
  EXPECT_EQ(watched.error().code, "relay.watch");
  EXPECT_EQ(watched.error().message, "not asked: we are offline");
  EXPECT_EQ(relays.required_pow("wss://one"), 0u);
}

TEST_F(SwitchableRelaysTest, ForwardsEveryCall) {
  relays.use(&willing);
  publish();
  query();
  EXPECT_TRUE(relays.watch({{}, {}}));
  EXPECT_EQ(relays.required_pow("wss://one"), 20u);
  EXPECT_THAT(willing.calls, ElementsAre("publish wss://one {}", "query wss://one 5", "watch 2"));
  ASSERT_EQ(published.size(), 1u);
  EXPECT_TRUE(published[0].accepted);
  ASSERT_EQ(queried.size(), 1u);
  EXPECT_EQ(queried[0]->size(), 2u);
}

TEST_F(SwitchableRelaysTest, GoesOfflineAndUsesOtherRelaysAfterwards) {
  relays.use(&willing);
  relays.use(nullptr);
  publish();
  run();
  EXPECT_THAT(willing.calls, IsEmpty());
  WillingRelays others;
  relays.use(&others);
  publish();
  EXPECT_THAT(others.calls, ElementsAre("publish wss://one {}"));
  EXPECT_THAT(willing.calls, IsEmpty());
  ASSERT_EQ(published.size(), 2u);
  EXPECT_FALSE(published[0].accepted);
  EXPECT_TRUE(published[1].accepted);
}

TEST_F(SwitchableRelaysTest, AnAnswerThatWasDueWhileOfflineComesAlsoAfterwards) {
  publish();
  relays.use(&willing);
  run();
  ASSERT_EQ(published.size(), 1u);
  EXPECT_EQ(published[0].message, "we are offline");
}

}  // namespace
}  // namespace nostr
