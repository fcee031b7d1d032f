// The simulated wallet's own books: what it would show to an accountant who does not know our ledger.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "pipeline/wallet/payer.h"

namespace sim {

// How a wallet tells two orders of one invoice: by it, creation can be repeated.
enum class WalletIdentity {
  label,  // the same order is the same invoice (sandbox, Core Lightning, LND by preimage)
  none,   // every order is a new invoice: one that is lost on the way is an orphan (LNURL)
};

class WalletBooks {
 public:
  struct Invoice {
    std::string bolt11;
    base::Hash256 payment_hash;
    base::Msat amount;
    base::TimeMs expires_at;
    std::optional<base::TimeMs> settles_at;  // a payment is on its way, or was received then, or held
    base::Msat paid;                         // with it, whatever was asked
    bool hold = false;
    std::optional<base::TimeMs> taken_at = {};
    bool given_back = false;
    base::TimeMs forgotten_until = {};  // it answers "unknown" until then, and does not list it
  };

  WalletIdentity identity = WalletIdentity::label;

  std::string create(const wallet::InvoiceOrder& order, base::TimeMs now);
  // An invoice for another amount than was ordered.
  std::string create_wrong(const wallet::InvoiceOrder& order, base::TimeMs now);

  // Of the invoice that an order makes, whenever it is made: nothing can be told of a wallet that names its own.
  static base::Hash256 preimage_of(const wallet::InvoiceOrder& order);
  // Null if the wallet has no such invoice.
  const Invoice* find(const std::string& bolt11) const;
  // Takes a payment of this amount that will settle at this time. False: unknown, expired, or paid already.
  bool pay(const std::string& bolt11, base::Msat amount, base::TimeMs now, base::TimeMs settles_at);

  // What becomes of a payment that is held: nothing when it is not, or no more.
  void take(const wallet::InvoiceOrder& order, base::TimeMs now);
  void give_back(const wallet::InvoiceOrder& order);
  // The network gives back what was held too long.
  void give_back(const std::string& bolt11);

  // As many wallets do with what expired, and some with what was paid.
  void forget(const base::Hash256& payment_hash, base::TimeMs until);
  bool may_be_forgotten(const base::Hash256& payment_hash, base::TimeMs now) const;

  wallet::LookupAnswer look_up(const base::Hash256& payment_hash, base::TimeMs now) const;
  // What was paid by now, as far as it remembers.
  std::vector<wallet::PaidInvoice> list_paid(base::TimeMs now) const;
  // All that was ever paid, and not given back.
  base::Msat received() const;

 private:
  Invoice* find_held(const wallet::InvoiceOrder& order);
  std::string make(const std::string& secret, const wallet::InvoiceOrder& order, base::TimeMs now);
  std::map<base::Hash256, Invoice> invoices_;
  std::map<std::string, base::Hash256> by_label_;
  std::map<std::string, base::Hash256> by_bolt11_;
  std::uint64_t created_ = 0;
};

// The books of the wallet that pays back, and of the customers' wallets that are paid.
class PurseBooks {
 public:
  enum class End { paid, failed };
  struct Payment {
    base::Msat amount;
    base::TimeMs ends_at;
    End end = End::paid;
  };

  // A customer's invoice for this amount.
  std::string invoice(base::Msat amount, base::TimeMs now, std::int64_t expiry_ms);
  // Starts a payment, which will end so. As a real wallet it pays no invoice that it is paying or has paid.
  void pay(const wallet::PaymentOrder& order, Payment payment, base::TimeMs now);
  wallet::PaymentAnswer look_up(const base::Hash256& payment_hash, base::TimeMs now) const;
  base::Msat paid() const;

 private:
  std::map<base::Hash256, base::Hash256> preimages_;  // of the customers' invoices
  std::map<base::Hash256, Payment> payments_;
};

}  // namespace sim
