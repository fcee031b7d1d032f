// The port to a wallet that may spend: for paying customers back, and nothing else. It is separate from wallet.h
// because a receiving wallet need not be able to spend, and uses another credential. Answers come as in wallet.h,
// exactly once each.
#pragma once

#include "pipeline/wallet/wallet.h"

namespace wallet {

struct PaymentOrder {
  std::string bolt11;  // decoded and checked by the caller
  base::Hash256 payment_hash;
  base::Msat amount;
  base::Msat fee_limit;
};

// What became of a payment, in the wallet's own words.
struct PaymentMade {
  base::Msat fee;
  base::TimeMs paid_at;
  base::Hash256 preimage;  // hashes to the payment hash, or is zero
  std::string evidence;
};
struct PaymentUnderWay {};
struct PaymentFailed {
  std::string message;  // it was not made, and never will be
};
using PaymentAnswer = std::variant<PaymentMade, PaymentUnderWay, PaymentFailed, Unknown>;

class Payer {
 public:
  virtual ~Payer() = default;
  // Pays once. An error says nothing about the payment: only look_up() does. Wallets that take no fee limit hold to
  // their own; the head comment of each says which.
  virtual void pay(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) = 0;
  virtual void look_up(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) = 0;
};

}  // namespace wallet
