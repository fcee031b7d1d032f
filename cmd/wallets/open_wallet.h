// The wallet that the configuration names, with its connection.
#pragma once

#include <memory>

#include "base/random.h"
#include "base/scheduler.h"
#include "cmd/config/config.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/payer.h"
#include "pipeline/wallet/wallet.h"

namespace boost::asio {
class io_context;
}

namespace cmd {

template <class Port>
struct Opened {
  std::shared_ptr<void> link;  // what it speaks through; goes after it
  std::unique_ptr<Port> wallet;
};
using OpenedWallet = Opened<wallet::Wallet>;
struct OpenedPayer : Opened<wallet::Payer> {
  std::string account;  // its kind, and what tells it from other accounts of this kind; no secret
};

// Lives no longer than `io` and `scheduler`. Nothing is asked of the wallet yet, so nothing is known of its health.
// Fails with "config.wallet…", "secret_file.…", "http.bad_url", "wallet.address" or "wallet.nwc_uri".
base::Result<OpenedWallet> open_wallet(boost::asio::io_context& io, base::Scheduler& scheduler, const Config& config,
                                       const base::Clock& clock, const base::Random& random);

// The wallets that were used before, newest first: those of wallet.former_file, and of the wallet.former_file that it
// names. Fails as open_wallet() and load_config() do.
base::Result<std::vector<OpenedWallet>> open_former_wallets(boost::asio::io_context& io, base::Scheduler& scheduler,
                                                            const Config& config, const base::Clock& clock,
                                                            const base::Random& random);

// What pays customers back. Null when nothing that may spend is configured: neither a wallet.refund_credential_file nor
// a wallet whose own access may spend (the sandbox, Core Lightning's socket). Otherwise as open_wallet.
base::Result<OpenedPayer> open_payer(boost::asio::io_context& io, base::Scheduler& scheduler, const Config& config,
                                     const base::Clock& clock, const base::Random& random);

// Whose invoices are believed: those of the network that is configured.
wallet::Network network_of(const Config& config);

}  // namespace cmd
