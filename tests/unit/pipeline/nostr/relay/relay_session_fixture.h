// A relay session under test, and what its tests say and read: frames of a relay, actions in words.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/nostr/relay/session.h"

namespace nostr {

inline constexpr TimeMs kStart{1'700'000'000'000};
inline constexpr char kUrl[] = "wss://relay.example";

// One action in words, so that a list of them reads like a log.
struct InWords {
  std::string operator()(const Dial&) const { return "dial"; }
  std::string operator()(const SendFrame& a) const { return "send " + a.text; }
  std::string operator()(const SendPing&) const { return "ping"; }
  std::string operator()(const HangUp&) const { return "hang up"; }
  std::string operator()(const Deliver& a) const { return "deliver " + a.subscription + " " + a.event.content; }
  std::string operator()(const CaughtUp& a) const { return "caught up " + a.subscription; }
  std::string operator()(const PublishAnswer& a) const {
    return std::string(a.accepted ? "yes " : "no ") + a.event.hex().substr(0, 2) + " " + a.message;
  }
  std::string operator()(const QueryEnd& a) const { return "end " + a.id + (a.error.empty() ? "" : ": " + a.error); }
  std::string operator()(const Dropped& a) const { return "dropped " + a.reason; }
  std::string operator()(const Notice& a) const { return "notice " + a.text; }
  std::string operator()(const HealthChange& a) const {
    return "health " + std::string(name(a.state)) + (a.reason.empty() ? "" : ": " + a.reason);
  }
};

inline std::vector<std::string> words(const RelayActions& actions) {
  std::vector<std::string> out;
  for (const auto& action : actions) out.push_back(std::visit(InWords{}, action));
  return out;
}

inline EventId event_id(char digit) {
  return *EventId::from_hex(std::string(64, digit));
}

inline Event an_event(std::string content, std::int64_t created_at = 1'700'000'000) {
  Event event;
  event.kind = 5050;
  event.created_at = created_at;
  event.content = std::move(content);
  event.id = compute_id(event);
  return event;
}

inline std::string event_frame(const std::string& subscription, const Event& event) {
  return R"(["EVENT",")" + subscription + R"(",)" + to_json(event) + "]";
}

inline std::string ok_frame(const EventId& id, bool accepted, const std::string& message) {
  return R"(["OK",")" + id.hex() + "\"," + (accepted ? "true" : "false") + ",\"" + message + "\"]";
}

inline const SecretKey kKey = *SecretKey::from_bytes(std::string(32, '\x07'));

inline Event auth_event(const std::string& url, const std::string& challenge, TimeMs now) {
  return auth_event(kKey, url, challenge, now, AuxRandom{});
}

// One part of a session alone.
class RelayPartTest : public testing::Test {
 protected:
  // What the part asked for since the last call.
  std::vector<std::string> said() { return words(std::exchange(out, {})); }

  TimeMs now = kStart;
  RelayActions out;
};

class RelaySessionTest : public testing::Test {
 protected:
  RelaySession session(bool persistent = true) {
    RelaySessionOptions options;
    options.url = kUrl;
    options.persistent = persistent;
    options.random = [this] { return jitter; };
    options.sign_auth = [this](const std::string& url, const std::string& challenge,
                               TimeMs at) -> std::optional<Event> {
      if (!may_sign) return std::nullopt;
      return auth_event(url, challenge, at);
    };
    return RelaySession(std::move(options));
  }

  RelaySession::FilterSource kind_5050() {
    return [this] {
      Filter filter;
      filter.kinds = {5050};
      filter.since_s = since_s;
      return std::vector<Filter>{filter};
    };
  }

  // A session whose subscription "in" is open and live.
  RelaySession live() {
    auto s = session();
    s.subscribe("in", kind_5050(), now);
    s.start(now);
    s.on_open(now);
    s.on_pong(now);
    s.on_frame(R"(["EOSE","in"])", now);
    EXPECT_EQ(s.state(), RelayState::live);
    return s;
  }

  TimeMs now = kStart;
  double jitter = 0.0;
  bool may_sign = true;
  std::int64_t since_s = 1'000;
};

}  // namespace nostr
