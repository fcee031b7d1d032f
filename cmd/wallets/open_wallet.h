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
  std::shared_ptr<void> link;  // the wallet's connection; destroyed after the wallet
  std::unique_ptr<Port> wallet;
  wallet::PreimageOf preimage_of = {};  // null if the wallet does not accept our preimages
};
using OpenedWallet = Opened<wallet::Wallet>;
struct OpenedPayer : Opened<wallet::Payer> {
  std::string account;  // its kind, and what tells it from other accounts of this kind; no secret
};

// The content of wallet.secret. Only `init` creates this secret. A replacement for a lost secret could not derive the
// preimages of the earlier invoices. Fails with "config.wallet_secret" when it is missing, and as base::read_secret().
base::Result<base::Secret> read_wallet_secret(const Config& config);

// Opens the configured wallet. `io` and `scheduler` must outlive it. Its calls are limited to the rate that the wallet
// allows (paced_wallet.h). Sends no request yet, so the wallet's health is unknown. `warn` receives warnings for the
// operator about a wallet that works. Fails with "config.wallet…", "secret_file.…", "http.bad_url", "wallet.address",
// "wallet.macaroon" or "wallet.nwc_uri".
base::Result<OpenedWallet> open_wallet(boost::asio::io_context& io, base::Scheduler& scheduler, const Config& config,
                                       const base::Clock& clock, const base::Random& random,
                                       std::function<void(const std::string&)> warn);

// The former wallets, newest first. wallet.former_file names the config file of the newest; each of these files may
// name the next one. At most eight are opened. Fails as open_wallet() and load_config() do.
base::Result<std::vector<OpenedWallet>> open_former_wallets(boost::asio::io_context& io, base::Scheduler& scheduler,
                                                            const Config& config, const base::Clock& clock,
                                                            const base::Random& random);

// The wallet that pays customers back. Its `wallet` is null if nothing that is configured may spend: neither a
// wallet.refund_credential_file, nor a wallet whose own access may spend (the sandbox, Core Lightning's socket).
// Otherwise as open_wallet().
base::Result<OpenedPayer> open_payer(boost::asio::io_context& io, base::Scheduler& scheduler, const Config& config,
                                     const base::Clock& clock, const base::Random& random);

// The configured network. Only invoices of this network are accepted.
wallet::Network network_of(const Config& config);
// What the wallet must be able to do for what is configured.
wallet::ShopNeeds needs_of(const Config& config);

}  // namespace cmd
