// What the wallet itself lists, beside the ledger: `wallet settlements`, and `audit --wallet`.
#pragma once

#include "cmd/cli/command.h"
#include "replay/reconciliation.h"

namespace cmd {

Command settlements_command();

// Asks the configured wallet, and those used before, for everything that was ever paid into them. Fails as
// open_wallet() and open_former_wallets(), and with what a wallet says ("wallet.no_list" if the current wallet cannot
// list).
base::Result<replay::Reconciliation> reconcile_with_wallet(const ledger::Reader& reader, Context& context);
void print(const replay::Reconciliation& books, Context& context);
nlohmann::ordered_json to_json(const replay::Reconciliation& books);

}  // namespace cmd
