// The state of one relay as it is shown to a person, with the reason for it. Reports each change once, as a
// HealthChange. Pure.
#pragma once

#include <string>

#include "pipeline/nostr/relay/actions.h"

namespace nostr {

class Health {
 public:
  RelayState state() const { return state_; }
  // Why the relay is not live, or what is wrong although it is; empty if there is nothing to tell.
  const std::string& reason() const { return reason_; }

  void set(RelayState state, std::string reason, RelayActions& out);
  // The connection is open: live, or catching up. An empty reason keeps the one for which it is catching up already. A
  // relay may be live with a reason, which is a warning then.
  void set_open(bool live, std::string reason, RelayActions& out);

 private:
  RelayState state_ = RelayState::idle;
  std::string reason_;
};

}  // namespace nostr
