// The readable part of an invoice, "ln" + network + amount: "lnbc2500u" is 2,500 micro-bitcoin on Bitcoin's own
// network. Used by bolt11.cc. Pure.
#pragma once

#include "pipeline/wallet/bolt11.h"

namespace wallet {

struct Bolt11Prefix {
  Network network = Network::bitcoin;
  std::optional<Msat> amount;
};

// Fails with "bolt11.prefix", "bolt11.network" or "bolt11.amount". `text` is lower case.
Result<Bolt11Prefix> read_bolt11_prefix(std::string_view text);

// The shortest form, as the specification asks. The amount, if any, must be positive.
std::string write_bolt11_prefix(const Bolt11Prefix& prefix);

}  // namespace wallet
