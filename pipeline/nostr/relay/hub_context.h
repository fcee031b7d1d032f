// What a RelayHub is made with, and what its parts share. Pure.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/net/url_guard.h"
#include "pipeline/nostr/relay/intake.h"
#include "pipeline/nostr/relay/link.h"

namespace nostr {

using net::RelayUrl;

// One verified event that came for the first time.
struct Received {
  std::string relay;
  Event event;
  std::string raw;  // its JSON text as it crossed the wire
  // Keep a copy until the event is durable or refused: while one is out, the cursors of the relays that sent the event
  // stay behind it, and a relay with too many is not read any further. Any thread may drop the last copy, before the
  // hub's thread ends.
  std::shared_ptr<void> receipt;
};

struct PoolHandlers {
  std::function<void(Received)> on_event;
  // What watch() asked for, without a receipt. Stored events come again after a long while.
  std::function<void(Received)> on_control = [](const Received&) {};
  std::function<void(const std::string& relay, Refusal reason)> on_refused;
  std::function<void(const std::string& relay, RelayState state, const std::string& reason)> on_health;
  std::function<void(const std::string& relay, const std::string& text)> on_notice;
};

struct HubOptions {
  std::vector<Filter> wanted;  // what we subscribe to, without since
  bool reads_at_once = true;   // asks our own relays for it from the start on; else each after read()
  // If a relay does not send all events of one second, at least those addressed to this key are asked for.
  std::optional<PublicKey> us;
  IntakeLimits limits;
  std::size_t max_guests = 64;    // customers' relays known at once
  std::function<TimeMs()> clock;  // wall clock
};

using Task = std::function<void()>;
using Verify =
    std::function<void(std::shared_ptr<const Event> event, std::function<void(std::optional<Refusal>)> done)>;

// What the hub needs from its owner.
struct HubPorts {
  std::function<std::unique_ptr<RelayLink>(const RelayUrl& url, bool own, RelayLinkHandlers handlers)> link;
  // Both run the task on the hub's thread. `post` never runs it inside the call. `dispatch` runs it inside the call if
  // that comes from the hub's thread.
  std::function<void(Task task)> post;
  std::function<void(Task task)> dispatch;
  // Judges id and signature (judge() in intake.h) on whatever thread, and tells the hub's thread.
  Verify verify;
};

struct HubContext {
  HubOptions options;
  HubPorts ports;
  PoolHandlers handlers;
  // Calls the hub's user: later, never inside a call of theirs, and not at all after abandon().
  std::function<void(Task report)> later;
  // As HubPorts::verify; `done` is not called after abandon().
  Verify verify;
  // Counts one offence of this relay: it sent something that no honest relay sends.
  std::function<void(const std::string& url)> blame;
};

}  // namespace nostr
