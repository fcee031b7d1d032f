// From settings to what the ledger remembers as the selling configuration, and what must hold before anything is sold.
#pragma once

#include <span>

#include "cmd/config/config.h"
#include "pipeline/inference/backend.h"

namespace cmd {

// What only the wallet knows about itself (pipeline/wallet/wallet.h).
struct WalletFacts {
  bool play_money = false;
  base::Msat unit;
  base::Msat minimum;
};

// The selling configuration. Models are the configured ones; where none are, all that the backend has are offered at
// the default price, each within the context that it can do. What the backend says cannot answer prompts (a model that
// makes embeddings only) is left out of both, and so is never the default, which is the first.
ledger::ProviderConfigured to_policy(const Config& config, const base::PublicKey& provider, const WalletFacts& wallet,
                                     std::span<const inference::ModelInfo> backend_models);

// A shop needs a relay, and none is preset. Fails with "config.no_relays", which says how to choose.
base::Result<void> check_relays(const Config& config);

// Play money is for loopback relays, unless wallet.allow_public says otherwise. Fails with "config.play_money".
base::Result<void> check_play_money(const Config& config);

}  // namespace cmd
