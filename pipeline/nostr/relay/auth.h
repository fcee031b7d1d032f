// The state of NIP-42 on one connection: the relay's challenge, our attempts, the relay's verdict. We authenticate only
// to a relay that refused something until we do, and at most kMaxAuths times per connection. Pure; the event is built
// and signed by nip42.h.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "pipeline/nostr/relay/actions.h"
#include "pipeline/nostr/relay/limits.h"

namespace nostr {

class Authentication {
 public:
  // Returns the signed event for this challenge, or nothing if we do not authenticate.
  using Sign = std::function<std::optional<Event>(const std::string& url, const std::string& challenge, TimeMs now)>;

  // `url` is the one that is dialled.
  Authentication(std::string url, Sign sign) : url_(std::move(url)), sign_(std::move(sign)) {}

  void on_open();
  // A challenge is valid on its own connection only.
  void on_lost() { challenge_.reset(); }
  // Replaces an earlier challenge; what was sent for that one no longer counts.
  void on_challenge(std::string challenge);

  // True if the relay accepted our authentication: a refusal for want of it is then final.
  bool is_done() const { return state_ == State::done; }
  // Something was refused until we authenticate. Sends the authentication event, unless one is on its way or the
  // challenge has not come yet. Returns false if we cannot authenticate.
  bool authenticate(TimeMs now, RelayActions& out);
  // True if the relay's OK for this event is its verdict on our authentication.
  bool awaits_verdict(const EventId& event) const { return state_ == State::sent && event == event_; }
  // Needs awaits_verdict().
  void on_verdict(bool accepted);

 private:
  enum class State { none, sent, done };

  std::string url_;
  Sign sign_;
  std::optional<std::string> challenge_;
  State state_ = State::none;
  EventId event_;
  unsigned attempts_ = 0;
};

}  // namespace nostr
