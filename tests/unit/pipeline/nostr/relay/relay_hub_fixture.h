// A RelayHub whose relays, time and signature checks are in the hands of a test.
#pragma once

#include <gtest/gtest.h>

#include <deque>

#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_request.h"
#include "pipeline/nostr/relay/hub.h"

namespace nostr {

inline constexpr char kOne[] = "wss://one.example";
inline constexpr char kTwo[] = "wss://two.example";
inline constexpr char kGuest[] = "wss://guest.example";

// The transport of one relay, in the hands of a test.
class TestLink final : public RelayLink {
 public:
  TestLink(const RelaySessionOptions& options, std::function<TimeMs()> clock, RelayLinkHandlers handlers)
      : RelayLink(options, std::move(clock), std::move(handlers)) {}

  void open() { opened(); }
  void say(const std::string& frame) { received(frame); }
  void send_event(const std::string& subscription, const Event& event) {
    say(R"(["EVENT",")" + subscription + "\"," + to_json(event) + "]");
  }
  void skip(const std::string& reason) { skipped(reason); }
  void lose(const std::string& reason) { closed(reason); }
  void tick() { ticked(); }
  void pause_reading(bool now_paused) override { paused = now_paused; }

  std::vector<std::string> sent;
  bool connected = false;
  bool paused = false;
  const std::shared_ptr<bool> exists = std::make_shared<bool>(true);

 private:
  void dial() override { connected = true; }
  void send_text(const std::string& text) override { sent.push_back(text); }
  void ping() override {}
  void hang_up() override { connected = false; }
  void wake_at(TimeMs) override {}
};

class RelayHubTest : public testing::Test {
 protected:
  explicit RelayHubTest(bool asks_at_once = true, std::vector<std::uint32_t> requests = {5050})
      : reads_at_once(asks_at_once), requested(std::move(requests)) {}
  ~RelayHubTest() override {
    received.clear();
    hub->abandon();
  }

  void start(const std::vector<std::string>& own) {
    for (const auto& url : own) hub->add_own(*net::parse_relay_url(url));
    hub->start({});
    for (const auto& url : own) {
      link(url).open();
      link(url).say(R"(["EOSE","in"])");
    }
    settle();
  }

  TestLink& link(const std::string& url) { return *links.at(url); }

  void settle() {
    while (!tasks.empty()) {
      const auto task = std::move(tasks.front());
      tasks.pop_front();
      task();
    }
  }

  Event event(std::uint32_t kind, const std::string& content, std::int64_t age_s = 0) const {
    Event out{.pubkey = key.public_key(),
              .created_at = now.ms / 1000 - age_s,
              .kind = kind,
              .tags = {{"p", key.public_key().hex()}},
              .content = content};
    out.id = compute_id(out);
    out.sig = key.sign(out.id.view(), AuxRandom{});
    return out;
  }
  Event request(const std::string& content) const { return event(5050, content); }
  static Event forged(Event out) {
    out.sig.bytes[5] ^= 1;
    return out;
  }

  void ask(const std::string& relay, Filter filter) {
    hub->query(relay, std::move(filter), [this](const Result<std::vector<Event>>& answer) {
      answers.emplace_back(answer ? "found" : answer.error().message);
      if (answer) {
        for (const auto& one : *answer) answers.back() += " " + one.content;
      }
    });
  }

  static std::vector<std::string> contents(const std::vector<Received>& events) {
    std::vector<std::string> out;
    for (const auto& one : events) out.push_back(one.event.content);
    return out;
  }

  const bool reads_at_once;
  const std::vector<std::uint32_t> requested;  // kinds
  TimeMs now{1'700'000'000'000};
  SecretKey key = *SecretKey::from_bytes(std::string(32, '\x07'));
  std::map<std::string, TestLink*> links;
  std::deque<std::function<void()>> tasks;
  std::size_t verified = 0;
  std::vector<Received> received;
  std::vector<Received> control;
  std::map<Refusal, int> refused;
  std::map<std::string, std::string> reasons;  // why a relay is not live
  std::vector<std::string> answers;
  std::shared_ptr<RelayHub> hub = std::make_shared<RelayHub>(
      HubOptions{.wanted = {request_filter(key.public_key(), true, requested)},
                 .reads_at_once = reads_at_once,
                 .us = key.public_key(),
                 .clock = [this] { return now; }},
      HubPorts{.link =
                   [this](const RelayUrl& url, bool own, RelayLinkHandlers handlers) {
                     auto made = std::make_unique<TestLink>(
                         RelaySessionOptions{.url = url.text(), .persistent = own, .random = [] { return 0.0; }},
                         [this] { return now; }, std::move(handlers));
                     links[url.text()] = made.get();
                     return made;
                   },
               .post = [this](std::function<void()> task) { tasks.push_back(std::move(task)); },
               .dispatch = [](const std::function<void()>& task) { task(); },
               .verify =
                   [this](std::shared_ptr<const Event> one, std::function<void(std::optional<Refusal>)> done) {
                     ++verified;
                     tasks.push_back([one = std::move(one), done = std::move(done)] { done(judge(*one)); });
                   }},
      PoolHandlers{
          .on_event = [this](Received one) { received.push_back(std::move(one)); },
          .on_control = [this](Received one) { control.push_back(std::move(one)); },
          .on_refused = [this](const std::string&, Refusal reason) { ++refused[reason]; },
          .on_health = [this](const std::string& url, RelayState, const std::string& reason) { reasons[url] = reason; },
          .on_notice = [](auto&&...) {}});
};

}  // namespace nostr
