// A pool under test and the relays on this machine that it talks to: sockets, TLS, signatures. The clock is the test's.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/loopback/loopback_relay.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_request.h"
#include "pipeline/nostr/relay/pool.h"

namespace nostr {

inline constexpr TimeMs kPoolStart{1'700'000'000'000};

class RelayPoolTest : public testing::Test {
 protected:
  ~RelayPoolTest() override {
    received.clear();
    pool.reset();
    relays.clear();
    io.restart();
    io.run_for(std::chrono::milliseconds(20));  // what was under way ends
  }

  // Real time that passes moves the test's clock too.
  TimeMs clock() const {
    const auto passed = std::chrono::steady_clock::now() - began;
    return kPoolStart + jumped_ms + std::chrono::duration_cast<std::chrono::milliseconds>(passed).count();
  }

  bool run_until(const std::function<bool()>& done, std::chrono::milliseconds limit = std::chrono::seconds(10)) {
    const auto deadline = std::chrono::steady_clock::now() + limit;
    io.restart();
    while (!done()) {
      if (std::chrono::steady_clock::now() >= deadline) return false;
      io.run_one_for(std::chrono::milliseconds(20));
      io.restart();
    }
    return true;
  }

  void run_for(std::chrono::milliseconds time) {
    run_until([] { return false; }, time);
  }

  loopback::LoopbackRelay& relay(loopback::LoopbackRelayOptions relay_options = {}) {
    relays.push_back(std::make_unique<loopback::LoopbackRelay>(io, std::move(relay_options)));
    return *relays.back();
  }

  void open_pool(const std::vector<std::string>& own, const std::map<std::string, TimeMs>& cursors = {}) {
    options.relays = own;
    options.wanted = {request_filter(key.public_key(), false, served_kinds({}))};
    options.clock = [this] { return clock(); };
    options.random = [] { return 0.0; };
    options.sign_auth = [](auto&&...) { return std::nullopt; };
    PoolHandlers handlers;
    handlers.on_event = [this](Received event) {
      if (!keep_receipts) event.receipt.reset();
      received.push_back(std::move(event));
    };
    handlers.on_control = [this](Received event) { control.push_back(std::move(event)); };
    handlers.on_refused = [this](const std::string&, Refusal reason) { ++refused[reason]; };
    handlers.on_health = [this](const std::string& url, RelayState state, const std::string& reason) {
      states[url] = state;
      if (!reason.empty()) reasons.push_back(reason);
    };
    handlers.on_notice = [](auto&&...) {};
    pool = *RelayPool::make(io, options, std::move(handlers));
    pool->start(cursors);
  }

  void open_live_pool(const std::vector<std::string>& own, const std::map<std::string, TimeMs>& cursors = {}) {
    open_pool(own, cursors);
    for (const auto& url : own) ASSERT_TRUE(run_until([&] { return states[url] == RelayState::live; })) << url;
  }

  Event request(const std::string& prompt, std::int64_t age_s = 0) const {
    Event event;
    event.pubkey = key.public_key();
    event.created_at = clock().ms / 1000 - age_s;
    event.kind = 5050;
    event.tags = {{"i", prompt, "text"}, {"p", key.public_key().hex()}};
    event.id = compute_id(event);
    event.sig = key.sign(event.id.view(), AuxRandom{});
    return event;
  }

  // The answers of one publication; more than one would be a fault.
  std::vector<ledger::RelayAnswer>& publish(const std::string& url, const Event& event) {
    auto& answers = *published.emplace_back(std::make_unique<std::vector<ledger::RelayAnswer>>());
    pool->publish(url, to_json(event), event.id,
                  [&answers](ledger::RelayAnswer answer) { answers.push_back(std::move(answer)); });
    EXPECT_TRUE(answers.empty()) << "never from inside the call";
    return answers;
  }

  std::vector<std::string> prompts() const {
    std::vector<std::string> all;
    for (const auto& event : received) all.push_back(event.event.tags[0][1]);
    return all;
  }

  std::int64_t jumped_ms = 0;
  std::chrono::steady_clock::time_point began = std::chrono::steady_clock::now();
  SecretKey key = *SecretKey::from_bytes(std::string(32, '\x07'));
  boost::asio::io_context io;
  PoolOptions options;
  bool keep_receipts = false;
  std::vector<std::unique_ptr<loopback::LoopbackRelay>> relays;
  std::unique_ptr<RelayPool> pool;
  std::vector<Received> received;
  std::vector<Received> control;
  std::map<Refusal, int> refused;
  std::map<std::string, RelayState> states;
  std::vector<std::string> reasons;
  std::vector<std::unique_ptr<std::vector<ledger::RelayAnswer>>> published;
};

}  // namespace nostr
