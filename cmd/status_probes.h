// What `status` finds out by itself when no `serve` runs that could tell it: it asks wallet, model server and relays.
#pragma once

#include "cmd/config/config.h"
#include "pipeline/core/readiness.h"
#include "pipeline/nostr/keys.h"

namespace cmd {

// No probe waits longer for its answer.
inline constexpr std::int64_t kProbePatienceMs = 10'000;

// Asks all at once, and returns when all have answered or the patience is over. Makes no invoice and wakes no model.
// `key` signs in to relays that want that (NIP-42); without it they count as unreachable.
core::Observations probe_everything(const Config& config, const base::Result<nostr::SecretKey>& key);

}  // namespace cmd
