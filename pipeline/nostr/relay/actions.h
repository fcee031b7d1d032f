// What a relay session asks its adapter to do. The parts of a session append RelayActions in the order in which the
// adapter has to carry them out. Pure data.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pipeline/nostr/event.h"

namespace nostr {

using base::TimeMs;

// Connect to the relay's URL; then report on_open() or on_closed().
struct Dial {};
struct SendFrame {
  std::string text;
  std::optional<EventId> event = {};  // that it publishes
};
struct SendPing {};
// Close the connection and report nothing more about it.
struct HangUp {};
// An event of a subscription or query: parsed, not verified. `raw` is its JSON text as it crossed the wire.
struct Deliver {
  std::string subscription;
  Event event;
  std::string raw;
};
// All stored events of the subscription have been delivered; those that follow are new.
struct CaughtUp {
  std::string subscription;
  // The oldest second (created_at) for which the relay did not send all its events; nothing: all were read.
  std::optional<std::int64_t> unread_s;
  bool narrowed = false;  // only what is addressed to us was asked for: the rest is unread
};
// The only answer to a publication. `duplicate:` counts as accepted (NIP-01: the relay has the event).
struct PublishAnswer {
  EventId event;
  bool accepted = false;
  std::string message;
};
// The only answer to a query, after its events.
struct QueryEnd {
  std::string id;
  std::string error;  // why no event came; empty: those that came are the answer
};
// The session ignored something that the relay sent: "malformed", "too_large" or "unasked".
struct Dropped {
  std::string reason;
};
// A text for the log: what the relay tells a person.
struct Notice {
  std::string text;
};

enum class RelayState {
  idle,     // a guest relay for which there is nothing to do
  offline,  // waits before it dials again
  connecting,
  catching_up,  // open, but a vital subscription has not delivered its stored events, or the relay closed it
  live,
};
// For a person: "catching up".
std::string_view name(RelayState state);

struct HealthChange {
  RelayState state = RelayState::idle;
  std::string reason;
};

using RelayAction = std::variant<Dial, SendFrame, SendPing, HangUp, Deliver, CaughtUp, PublishAnswer, QueryEnd, Dropped,
                                 Notice, HealthChange>;
using RelayActions = std::vector<RelayAction>;

// How far a request to the relay has come.
enum class Stage {
  waiting,  // not sent on this connection
  sent,
  refused,  // sent, and refused until we authenticate (NIP-42)
};

// Why a connection has to end, and how long to wait at least before the next one.
struct Ending {
  std::string reason;
  std::int64_t min_backoff_ms = 0;
};

}  // namespace nostr
