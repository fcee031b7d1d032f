// What the wallet adapters need from outside. All of it must outlive them.
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
  std::string account = {};  // for a wallet that reports no account: derived from its address and credential
  // Tells the operator of a fault that does not stop the wallet.
  std::function<void(const std::string& what)> warn = [](const std::string&) {};
};

struct Listing;  // in replies.h

// The base of the payers that use HTTP.
class HttpPayer : public Payer {
 public:
  HttpPayer(Http& http, WalletPorts ports) : http_(http), ports_(std::move(ports)) {}

 protected:
  Http& http_;
  const WalletPorts ports_;
};

}  // namespace wallet
