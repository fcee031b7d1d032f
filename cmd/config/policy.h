// Makes the selling configuration that the ledger records from the settings, and checks the settings before a sale.
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

// The selling configuration. It offers the configured models. If none is configured, it offers all models of the
// backend at the default price, each with at most its own context length. A model that cannot answer prompts, as the
// backend reports (it makes embeddings only), is left out in both cases. The first model that remains is the default.
ledger::ProviderConfigured to_policy(const Config& config, const base::PublicKey& provider, const WalletFacts& wallet,
                                     std::span<const inference::ModelInfo> backend_models);

// A shop needs a relay, and none is preset. Fails with "config.no_relays", which says how to choose.
base::Result<void> check_relays(const Config& config);

// The money of this kind of wallet is play money whatever wallet.network says: its invoices are on regtest.
inline bool is_always_play_money(std::string_view wallet_kind) {
  return wallet_kind == "sandbox";
}

// Play money is for loopback relays, unless wallet.allow_public says otherwise. Fails with "config.play_money".
base::Result<void> check_play_money(const Config& config);

}  // namespace cmd
