#include "pipeline/nostr/relay/actions.h"

namespace nostr {

std::string_view name(RelayState state) {
  switch (state) {
    case RelayState::idle:
      return "idle";
    case RelayState::offline:
      return "offline";
    case RelayState::connecting:
      return "connecting";
    case RelayState::catching_up:
      return "catching up";
    case RelayState::live:
      return "live";
  }
  return "";
}

}  // namespace nostr
