// The provider's connections to a relay in memory.
#include "cmd/provider/relay_connections.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <nlohmann/json.hpp>

#include "cmd/cli/clock.h"
#include "pipeline/loopback/loopback_relay.h"
#include "pipeline/net/io_scheduler.h"
#include "pipeline/nostr/nip01.h"
#include "tests/support/sim_disk.h"

namespace cmd {
namespace {

using testing::IsEmpty;

TEST(RelayInfo, IsServedOverHttpAtTheRelaysAddress) {
  EXPECT_EQ(relay_info_request("wss://relay.example/path").url, "https://relay.example/path");
  const auto request = relay_info_request("ws://127.0.0.1:7777");
  EXPECT_EQ(request.url, "http://127.0.0.1:7777");
  EXPECT_EQ(request.accept, "application/nostr+json");
  EXPECT_TRUE(request.own) << "the operator named it";
}

TEST(RelayInfo, SetsOnlyTheLimitsThatItNames) {
  const auto limits = limits_of({.max_message_length = 65'536, .max_limit = 500, .min_pow_difficulty = 20});
  EXPECT_EQ(limits.max_message_length, 65'536U);
  EXPECT_EQ(limits.min_pow_difficulty, 20U);
  EXPECT_EQ(limits.max_limit, 500U);
  EXPECT_EQ(limits_of({.max_limit = -1}).max_limit, std::nullopt);
  EXPECT_EQ(limits_of({}).max_message_length, nostr::RelayLimits{}.max_message_length);
  EXPECT_EQ(limits_of({}).min_pow_difficulty, nostr::RelayLimits{}.min_pow_difficulty);
}

class RelayConnectionsTest : public testing::Test {
 protected:
  RelayConnectionsTest() {
    config.relays.urls = {relay.url()};
    config.relays.max_absence_ms = 60'000;
    config.selling.serve_broadcast = true;
  }
  ~RelayConnectionsTest() override {
    connections.disconnect();
    io.restart();
    io.run_for(std::chrono::milliseconds(20));  // what was under way ends
  }

  void run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (!done() && std::chrono::steady_clock::now() < deadline) io.run_one_for(std::chrono::milliseconds(20));
    EXPECT_TRUE(done());
  }
  void read() {
    ASSERT_TRUE(connections.connect());
    connections.read(relay.url());
  }
  bool live() const {
    const auto summary = connections.summary();
    return !summary.empty() && summary[0]["live"].get<bool>();
  }
  nostr::Event request(std::int64_t age_s = 0) const {
    return nostr::sign({.kind = 5050,
                        .created_at_s = scheduler.now().ms / 1000 - age_s,
                        .tags = {{"i", "Why " + std::to_string(age_s) + "?", "text"}}},
                       *nostr::SecretKey::from_bytes(std::string(32, 2)), {});
  }

  boost::asio::io_context io;
  loopback::LoopbackRelay relay{io};
  Config config;
  net::IoScheduler scheduler{io, make_clock({})};
  web::WebClient web{io, {.allow_private = true}};
  sim::SimDisk disk;
  const nostr::SecretKey key = *nostr::SecretKey::from_bytes(std::string(32, 1));
  std::vector<nostr::Event> received;
  std::vector<std::string> health;
  RelayConnections connections{
      {.io = io, .scheduler = scheduler, .web = web, .store = disk, .key = key},
      config,
      {.on_request = [this](const nostr::Received& one) { received.push_back(one.event); },
       .on_control = [](const nostr::Received&) {},
       .on_refused = [](const std::string&) {},
       .on_health = [this](const std::string& url, nostr::RelayState, const std::string&) { health.push_back(url); }}};
};

TEST_F(RelayConnectionsTest, DisconnectedItHasNoRelaysAndNoCursors) {
  EXPECT_EQ(connections.summary(), nlohmann::json::array());
  EXPECT_THAT(connections.cursors(), IsEmpty());
  EXPECT_EQ(connections.relays().required_pow(relay.url()), 0U);
  std::vector<ledger::RelayAnswer> answers;
  connections.relays().publish(relay.url(), "{}", {}, [&](const auto& answer) { answers.push_back(answer); });
  run_until([&] { return !answers.empty(); });
  EXPECT_EQ(answers.at(0).message, "we are offline");
}

TEST_F(RelayConnectionsTest, ConnectedItReceivesRequestsAndHasACursor) {
  read();
  run_until([&] { return live(); });
  EXPECT_EQ(health.back(), relay.url());
  relay.inject(request());
  run_until([&] { return !received.empty(); });
  EXPECT_EQ(received.at(0).kind, 5050U);
  ASSERT_EQ(connections.cursors().size(), 1U);
  EXPECT_EQ(connections.cursors()[0].first, relay.url());
  EXPECT_TRUE(connections.summary()[0]["own"].get<bool>());
}

TEST_F(RelayConnectionsTest, ARelayIsAskedForNothingBeforeItIsRead) {
  relay.inject(request());
  ASSERT_TRUE(connections.connect());
  run_until([&] { return live(); });
  io.run_for(std::chrono::milliseconds(50));
  EXPECT_THAT(received, IsEmpty());
  connections.read(relay.url());
  run_until([&] { return received.size() == 1; });
}

// What is served is asked for: `since` filters the customers' clocks.
TEST_F(RelayConnectionsTest, RequestsAreReceivedUpToTheAgeUntilWhichTheyAreServed) {
  config.selling.request_age_limit_ms = 3'600'000;
  relay.inject(request(40 * 60));
  read();
  run_until([&] { return live(); });
  relay.inject(request(59 * 60));
  run_until([&] { return received.size() == 2; });
}

TEST_F(RelayConnectionsTest, ConnectsAgainAfterItWasDisconnected) {
  read();
  run_until([&] { return live(); });
  connections.hang_up();
  connections.disconnect();
  EXPECT_EQ(connections.summary(), nlohmann::json::array());
  connections.disconnect();
  read();
  run_until([&] { return live(); });
  relay.inject(request());
  run_until([&] { return !received.empty(); });
}

TEST_F(RelayConnectionsTest, AnAddressThatIsNoRelaysIsRefused) {
  config.relays.urls = {"http://relay.example"};
  const auto connected = connections.connect();
  ASSERT_FALSE(connected);
  EXPECT_EQ(connected.error().code, "relay_url.invalid");
  EXPECT_EQ(connections.summary(), nlohmann::json::array());
}

}  // namespace
}  // namespace cmd
