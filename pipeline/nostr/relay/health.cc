#include "pipeline/nostr/relay/health.h"

#include <utility>

namespace nostr {

void Health::set(RelayState state, std::string reason, RelayActions& out) {
  if (state == state_ && reason == reason_) return;
  state_ = state;
  reason_ = std::move(reason);
  out.push_back(HealthChange{state_, reason_});
}

void Health::set_open(bool live, std::string reason, RelayActions& out) {
  if (live) return set(RelayState::live, std::move(reason), out);
  if (reason.empty() && state_ == RelayState::catching_up) return;
  set(RelayState::catching_up, std::move(reason), out);
}

}  // namespace nostr
