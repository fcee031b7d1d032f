// The port to a Lightning wallet. Adapters live beside it, one file a wallet. All calls return at once; answers come
// through the callback, on the thread of the io_context the adapter was made with (simulated wallets: from virtual
// time), exactly once each, also after an outage. Facts about each wallet: its own file's head comment.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>

#include "ledger/event.h"

namespace wallet {

// Which invoice: the same order always means the same invoice, wherever the wallet can do that (its preimage or label
// is derived from these fields).
struct InvoiceOrder {
  ledger::JobId job;
  ledger::InvoicePurpose purpose = ledger::InvoicePurpose::job;
  std::uint32_t attempt = 1;
  ledger::Msat amount;
  std::string description;
  std::int64_t expiry_ms = 0;
};

// What the wallet says about an invoice. `Settled` is its own statement, kept verbatim as evidence.
struct Open {};
struct Expired {
  std::string evidence;
};
struct Unknown {};  // the wallet never heard of it
using LookupAnswer = std::variant<Open, ledger::InvoiceSettled, Expired, Unknown>;

struct WalletStatus {
  std::string name;  // "sandbox", "Alby Hub"
  std::optional<ledger::Msat> balance;
};

class Wallet {
 public:
  virtual ~Wallet() = default;
  virtual std::string kind() const = 0;  // "sandbox"
  virtual bool play_money() const = 0;
  virtual ledger::Msat unit() const = 0;  // amounts are multiples of it
  virtual ledger::Msat minimum() const = 0;

  // The invoice as BOLT11 text. The caller decodes and checks it before it believes it.
  virtual void create_invoice(const InvoiceOrder& order, std::function<void(ledger::Result<std::string>)> done) = 0;
  virtual void look_up(const ledger::Hash256& payment_hash, std::function<void(ledger::Result<LookupAnswer>)> done) = 0;
  virtual void status(std::function<void(ledger::Result<WalletStatus>)> done) = 0;
};

}  // namespace wallet
