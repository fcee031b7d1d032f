// What the wallet itself lists, beside the ledger: `wallet settlements`, and `audit --wallet`.
#pragma once

#include "cmd/command.h"
#include "replay/reconciliation.h"

namespace cmd {

Command settlements_command();

// Asks the configured wallet for everything that was ever paid into it. Fails as open_wallet(), and with what the
// wallet says ("wallet.no_list" where it lists nothing).
ledger::Result<replay::Reconciliation> reconcile_with_wallet(const ledger::Reader& reader, Context& context);
void print(const replay::Reconciliation& books, Context& context);
nlohmann::ordered_json to_json(const replay::Reconciliation& books);

}  // namespace cmd
