// NIP-78: data that one program keeps for itself on relays (kind 30078), of which a relay keeps the newest for each
// `d`. Ours are the ledger's published checkpoints. Pure.
#pragma once

#include "pipeline/nostr/messages.h"

namespace nostr {

inline constexpr std::uint32_t kApplicationDataKind = 30'078;

// The `d` tag of a ledger's checkpoints. The leaf hash of the first entry distinguishes several ledgers of one key.
std::string checkpoint_d(const base::Hash256& first_entry);

// The signed note (ledger/checkpoint.h), published at this time.
Unsigned checkpoint_event(const base::Hash256& first_entry, const std::string& note, std::int64_t created_at_s);

// Asks for this provider's checkpoints of this ledger. A relay should have one at most.
Filter checkpoint_filter(const PublicKey& provider, const base::Hash256& first_entry);

}  // namespace nostr
