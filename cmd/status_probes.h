// The observations that `status` makes itself when no `serve` is online. It asks wallet, model server and relays.
#pragma once

#include "cmd/config/config.h"
#include "pipeline/core/readiness.h"
#include "pipeline/nostr/keys.h"

namespace cmd {

// No probe waits longer for its answer.
inline constexpr std::int64_t kProbePatienceMs = 10'000;

// Asks all of them at the same time. Returns when all have answered, after kProbePatienceMs at the latest. Makes no
// invoice and runs no model. `key` signs in to relays that demand it (NIP-42); without a key they count as unreachable.
core::Observations probe_everything(const Config& config, const base::Result<nostr::SecretKey>& key);

}  // namespace cmd
