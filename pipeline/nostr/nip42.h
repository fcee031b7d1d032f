// NIP-42: the event that tells a relay who we are. Pure.
#pragma once

#include <string>

#include "pipeline/nostr/event.h"
#include "pipeline/nostr/keys.h"

namespace nostr {

inline constexpr std::uint32_t kAuthKind = 22'242;

// `url` must be the one that was dialled: the answer is then worthless to any other relay.
Event auth_event(const SecretKey& key, const std::string& url, const std::string& challenge, base::TimeMs now,
                 const AuxRandom& aux);

}  // namespace nostr
