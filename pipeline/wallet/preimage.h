// The preimage of an invoice is derived from what was ordered, so that after a crash the same order makes the same
// invoice wherever a wallet takes preimages. Pure.
#pragma once

#include "pipeline/wallet/wallet.h"

namespace wallet {

// Settles the invoice whose payment hash is its SHA-256.
using Preimage = base::Hash256;

// HMAC-SHA256 under the 32 bytes of `wallet.secret` over the kind of wallet, job, purpose, attempt and amount; the
// description and the expiry do not count. Whoever has the secret can settle what was not paid: it is never logged.
Preimage derive_preimage(std::string_view wallet_secret, std::string_view wallet_kind, const InvoiceOrder& order);

// The preimage of the invoice that an order makes.
using PreimageOf = std::function<Preimage(const InvoiceOrder&)>;

}  // namespace wallet
