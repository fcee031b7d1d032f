// What the wallets stand on. All of it outlives them.
#pragma once

#include <functional>

#include "pipeline/wallet/links/http.h"
#include "pipeline/wallet/payer.h"
#include "pipeline/wallet/preimage.h"

namespace wallet {

struct WalletPorts {
  std::function<base::TimeMs()> clock;
  std::function<Preimage(const InvoiceOrder&)> preimage;  // derive_preimage(), under the secret
  bool play_money = false;                                // not on the main network
  std::string account = {};  // of a wallet that has no name of its own for it: told by place and credential
  std::function<void(const std::string& what)> warn = [](const std::string&) {};  // the operator, of what works anyway
};

struct Listing;  // in replies.h

// What the payers behind HTTP stand on.
class HttpPayer : public Payer {
 public:
  HttpPayer(Http& http, WalletPorts ports) : http_(http), ports_(std::move(ports)) {}

 protected:
  Http& http_;
  const WalletPorts ports_;
};

}  // namespace wallet
