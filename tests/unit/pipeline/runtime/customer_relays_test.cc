// Where customers read (NIP-65), known by the time their answer is ready.
#include "pipeline/runtime/customer_relays.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/nostr/nip65.h"
#include "tests/sim/virtual_time.h"

namespace runtime {
namespace {

using nostr::required_pow;
using testing::ElementsAre;
using testing::IsEmpty;

struct AskedRelays final : Relays {
  struct Question {
    std::string relay;
    nostr::Filter filter;
    std::function<void(base::Result<std::vector<nostr::Event>>)> done;
  };
  void publish_watched(const std::string& relay, const std::string& json, const base::EventId& id,
                       std::function<void(ledger::RelayAnswer)> done, std::function<void()>) override {
    publish(relay, json, id, std::move(done));
  }
  void publish(const std::string&, const std::string&, const base::EventId&,
               std::function<void(ledger::RelayAnswer)>) override {}
  void query(const std::string& relay, nostr::Filter filter,
             std::function<void(base::Result<std::vector<nostr::Event>>)> done) override {
    asked.push_back({relay, std::move(filter), std::move(done)});
  }
  base::Result<void> watch(std::vector<nostr::Filter>) override { return {}; }
  unsigned required_pow(const std::string&) const override { return 0; }
  std::vector<Question> asked;
};

nostr::Event list_of(const std::string& relay, std::int64_t created_at) {
  return {.created_at = created_at, .kind = nostr::kRelayListKind, .tags = {{"r", relay}}};
}

class CustomerRelaysTest : public testing::Test {
 protected:
  static base::PublicKey customer(std::uint16_t n) {
    base::PublicKey out;
    out.bytes[0] = static_cast<std::uint8_t>(n >> 8);
    out.bytes[1] = static_cast<std::uint8_t>(n);
    return out;
  }
  void pass(std::int64_t ms) {
    const base::TimeMs until = world.now() + ms;
    while (world.step(until)) {
    }
  }
  sim::VirtualTime world{base::TimeMs{1'700'000'000'000}};
  sim::ProcessTime time{world};
  AskedRelays relays;
  CustomerRelays known{relays, time, {"wss://a.example", "wss://b.example"}};
};

TEST_F(CustomerRelaysTest, AreThoseOfTheNewestListThatAnyOfOurRelaysHas) {
  known.look_up(customer(1));
  ASSERT_EQ(relays.asked.size(), 2U);
  EXPECT_THAT(relays.asked[0].filter.authors, ElementsAre(customer(1)));
  EXPECT_THAT(known.of(customer(1)), IsEmpty()) << "not known yet";
  relays.asked[0].done(std::vector{list_of("wss://new.example", 200)});
  relays.asked[1].done(std::vector{list_of("wss://old.example", 100)});
  EXPECT_THAT(known.of(customer(1)), ElementsAre("wss://new.example"));
  EXPECT_THAT(known.of(customer(2)), IsEmpty());
}

TEST_F(CustomerRelaysTest, AreAskedForOnceInSixHours) {
  known.look_up(customer(1));
  known.look_up(customer(1));
  EXPECT_EQ(relays.asked.size(), 2U);
  pass(kRelayListAgeMs);
  known.look_up(customer(1));
  EXPECT_EQ(relays.asked.size(), 4U);
}

TEST_F(CustomerRelaysTest, OfAsManyCustomersAsThereIsRoomFor) {
  for (std::uint16_t n = 0; n < kMaxCustomersKnown; ++n) {
    known.look_up(customer(n));
    relays.asked.back().done(std::vector{list_of("wss://one.example", 1)});
    pass(1);
  }
  known.look_up(customer(0xffff));
  EXPECT_THAT(known.of(customer(0)), IsEmpty()) << "asked longest ago";
  EXPECT_THAT(known.of(customer(1)), ElementsAre("wss://one.example"));
}

TEST_F(CustomerRelaysTest, ARefusalLeavesThemUnknown) {
  known.look_up(customer(1));
  relays.asked[0].done(base::fail(base::ErrorKind::connection, "relay.query", "no answer"));
  relays.asked[1].done(std::vector<nostr::Event>());
  EXPECT_THAT(known.of(customer(1)), IsEmpty());
}

}  // namespace
}  // namespace runtime
