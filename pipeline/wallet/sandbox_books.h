// The sandbox's books: a folder (0700) of small JSON files (0600), each written once, atomically and durably.
//
//   <payment hash>.json     the invoice: its BOLT11 text, its preimage, what it was ordered for
//   <payment hash>.paid     it was paid: preimage, amount_msat, paid_at_ms, index (the n-th payment into this folder)
//   <payment hash>.held     a payment waits in it, until we take it (.paid) or give it back (.given_back)
//   <payment hash>.sent     it was paid out of this folder's balance
//   <payment hash>.expired  somebody asked after its expiry and was told so; from then on it cannot be paid
//   lock                    held (flock) while one of these is written; of .paid, .given_back and .expired an
//                           invoice gets at most one
//
// Any process of the same user may use the folder at any time, several at once.
#pragma once

#include "base/secret_file.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/preimage.h"
#include "pipeline/wallet/wallet.h"

namespace wallet {

class SandboxBooks {
 public:
  static constexpr std::string_view kKind = "sandbox";
  static constexpr base::Msat kUnit{1000};  // whole satoshi, as most real wallets

  explicit SandboxBooks(std::filesystem::path folder) : folder_(std::move(folder)) {}

  // Makes the folder if it is missing; fails where others may enter it.
  Result<void> prepare() const;

  // The invoice's text; the same order gets the very same text for ever. Fails with "sandbox.amount", "sandbox.expiry",
  // "sandbox.damaged", "bolt11.…" or "secret_file.…".
  Result<std::string> create(const InvoiceOrder& order, const base::Secret& secret, TimeMs now) const;

  // The evidence is the .paid or .expired file, verbatim. Fails with "sandbox.damaged" or "secret_file.…".
  Result<LookupAnswer> look_up(const Hash256& payment_hash, TimeMs now) const;

  // Pays an invoice of this folder, once, and returns its preimage, or zero if the payment is held. Fails with
  // "sandbox.wrong_network", "sandbox.unknown_invoice", "sandbox.wrong_amount", "sandbox.another_invoice",
  // "sandbox.already_paid", "sandbox.expired", "sandbox.damaged", "bolt11.…" or "secret_file.…".
  Result<Preimage> pay(std::string_view bolt11, TimeMs now) const;

  // Takes the held payment, or gives it back. Succeeds, too, if the same was done before. Fails with
  // "sandbox.not_held".
  Result<void> take(const InvoiceOrder& order, const base::Secret& secret, TimeMs now) const;
  Result<void> give_back(const InvoiceOrder& order, const base::Secret& secret, TimeMs now) const;

  // The same as pay() for an invoice that somebody else made in this folder, out of its balance.
  Result<Preimage> pay_out(std::string_view bolt11, TimeMs now) const;

  // What was paid into this folder since then. Fails as look_up().
  Result<std::vector<PaidInvoice>> list_paid(TimeMs since) const;

  // All that was ever paid into this folder, less what was paid out of it.
  Result<Msat> balance() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace wallet
