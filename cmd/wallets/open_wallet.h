// The wallet that the configuration names, with its connection.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/random.h"
#include "base/scheduler.h"
#include "base/secret_file.h"
#include "cmd/config/config.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/payer.h"
#include "pipeline/wallet/preimage.h"
#include "pipeline/wallet/supervised_wallet.h"

namespace boost::asio {
class io_context;
}

namespace cmd {

template <class Port>
struct Opened {
  std::shared_ptr<void> link;  // what it speaks through; goes after it
  std::unique_ptr<Port> wallet;
  wallet::PreimageOf preimage_of = {};  // null where it does not take ours
};
using OpenedWallet = Opened<wallet::Wallet>;
struct OpenedPayer : Opened<wallet::Payer> {
  std::string account;  // its kind, and what tells it from other accounts of this kind; no secret
};

// The content of wallet.secret. Only `init` makes one: a new secret would not know the invoices that a lost one made.
// Fails with "config.wallet_secret" when it is missing, and as base::read_secret().
base::Result<base::Secret> read_wallet_secret(const Config& config);

// Lives no longer than `io` and `scheduler`. It is asked no more often than it bears (paced_wallet.h). Nothing is asked of
// it yet, so nothing is known of its health.
// `warn` hears what the operator should know of a wallet that works. Fails with "config.wallet…", "secret_file.…",
// "http.bad_url", "wallet.address", "wallet.macaroon" or "wallet.nwc_uri".
base::Result<OpenedWallet> open_wallet(boost::asio::io_context& io, base::Scheduler& scheduler, const Config& config,
                                       const base::Clock& clock, const base::Random& random,
                                       std::function<void(const std::string&)> warn);

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
// What the wallet must be able to do for what is configured.
wallet::ShopNeeds needs_of(const Config& config);

}  // namespace cmd
