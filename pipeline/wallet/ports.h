// What the wallets stand on. All of it outlives them.
#pragma once

#include <functional>

#include "pipeline/wallet/http.h"
#include "pipeline/wallet/preimage.h"

namespace wallet {

struct WalletPorts {
  std::function<ledger::TimeMs()> clock;
  std::function<Preimage(const InvoiceOrder&)> preimage;  // derive_preimage(), under the secret
  bool play_money = false;                                // not on the main network
};

}  // namespace wallet
