// What a relay sends, taken to the part of the session that it concerns. Pure.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "pipeline/nostr/messages.h"
#include "pipeline/nostr/relay/actions.h"
#include "pipeline/nostr/relay/auth.h"
#include "pipeline/nostr/relay/health.h"
#include "pipeline/nostr/relay/misbehaviour.h"
#include "pipeline/nostr/relay/notices.h"
#include "pipeline/nostr/relay/publications.h"
#include "pipeline/nostr/relay/queries.h"
#include "pipeline/nostr/relay/subscriptions.h"

namespace nostr {

// The parts of a session that the relay's messages concern.
struct RelayParts {
  Publications publications;
  Queries queries;
  Subscriptions subscriptions;
  Authentication auth;
  Misbehaviour misbehaviour;
  Health health;
  Notices notices;
  TimeMs last_work;  // when we last asked the relay for something, or it last answered that

  // The connection is open: shows whether the relay is live. `reason`: why it is not, if there is something new to
  // tell.
  void show_open(std::string reason, RelayActions& out) {
    const bool live = subscriptions.all_live();
    health.set_open(live, live ? subscriptions.warning() : std::move(reason), out);
  }
};

// Reads one frame; needs an open connection. Lives no longer than one call of the session: it refers to its arguments
// and appends to `out` what is to be done.
class Receiver {
 public:
  Receiver(RelayParts& parts, TimeMs now, RelayActions& out) : parts_(parts), now_(now), out_(out) {}

  // Returns why the connection has to end now, or nothing. A frame of more than `max_bytes` is dropped unread.
  std::optional<Ending> receive(std::string_view frame, std::size_t max_bytes);

 private:
  std::optional<Ending> on(RelayEvent& message);
  std::optional<Ending> on(const RelayOk& message);
  std::optional<Ending> on(const RelayEose& message);
  std::optional<Ending> on(const RelayClosed& message);
  std::optional<Ending> on(RelayNotice& message);
  std::optional<Ending> on(RelayAuth& message);
  std::optional<Ending> on_unreadable(const base::Error& error);

  bool asks_for_auth(std::string_view refusal) const;
  void authenticate();
  void resend_refused();
  void fail_refused(const std::string& message);

  RelayParts& parts_;
  TimeMs now_;
  RelayActions& out_;
};

}  // namespace nostr
