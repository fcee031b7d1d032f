// The wallet that the configuration names, with its connection.
#pragma once

#include <memory>

#include "cmd/config.h"
#include "pipeline/io_adapters.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/wallet.h"

namespace cmd {

struct OpenedWallet {
  std::shared_ptr<void> link;  // what it speaks through; goes after it
  std::unique_ptr<wallet::Wallet> wallet;
};

// Lives no longer than `io` and `scheduler`. Nothing is asked of the wallet yet, so nothing is known of its health.
// Fails with "config.wallet…", "secret_file.…", "http.bad_url", "wallet.address" or "wallet.nwc_uri".
ledger::Result<OpenedWallet> open_wallet(boost::asio::io_context& io, runtime::Scheduler& scheduler,
                                         const Config& config, const runtime::Clock& clock,
                                         const runtime::Random& random);

// Whose invoices are believed: those of the network that is configured.
wallet::Network network_of(const Config& config);

}  // namespace cmd
