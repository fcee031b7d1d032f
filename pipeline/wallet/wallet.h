// The port to a Lightning wallet. Adapters live beside it, one file per wallet. All calls return at once; answers come
// through the callback, on the thread of the io_context the adapter was made with (simulated wallets: from virtual
// time), exactly once each, also after an outage. Facts about each wallet: its own file's head comment.
// An adapter may call back before the call returns, for example to refuse at once what it cannot do. So a caller brings
// its own state in order before it calls, and relies on nothing afterwards that the callback may change.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/number_text.h"
#include "ledger/fact.h"
#include "pipeline/core/pricing.h"

namespace wallet {

// Identifies an invoice. The same order always gives the same invoice if the wallet supports that: its preimage or
// label is derived from these fields.
struct InvoiceOrder {
  base::JobId job;
  ledger::InvoicePurpose purpose = ledger::InvoicePurpose::job;
  std::uint32_t attempt = 1;
  base::Msat amount;
  std::string description;
  std::int64_t expiry_ms = 0;
  bool hold = false;  // what is paid waits until take() or give_back()
};

// The order's name, for wallets that keep one with the invoice: job, purpose and attempt.
std::string label(const InvoiceOrder& order);

struct MadeInvoice {
  std::string bolt11;
  std::string reference;  // what the wallet must be told, besides the hash, to find it again; no secret; may be empty
  std::optional<base::Hash256> payment_hash;  // expected in `bolt11`: from our preimage, or reported by the wallet
};

// What the wallet says about an invoice. `Settled` is its own statement, kept verbatim as evidence.
struct Open {};
struct Expired {
  std::string evidence;
};
struct Unknown {};  // the wallet answered that it does not know the invoice: never heard of, or forgotten
struct Held {       // it was paid, and waits
  base::Msat amount;
  std::string evidence;
};
struct GivenBack {  // a held payment was returned, or can no longer be held
  std::string evidence;
};
using LookupAnswer = std::variant<Open, ledger::InvoiceSettled, Expired, Unknown, Held, GivenBack>;

struct WalletStatus {
  std::string name;  // "sandbox", "Alby Hub"
  std::optional<base::Msat> balance;
  std::string network = {};  // as wallet.network is written ("bitcoin", "regtest"); empty where it is not told
};

// The longest pause that a wallet can ask for. Longer requests are cut to this.
inline constexpr std::int64_t kLongestAskedPauseMs = 10 * base::kMinuteMs;
// How long a wallet that fails with "wallet.rate_limited" wants to be left alone; 0 where it does not say.
std::int64_t asked_pause_ms(const base::Error& error);

// What the wallet lists as paid into it, for whatever it was.
struct PaidInvoice {
  base::Hash256 payment_hash;
  base::Msat received;  // including the wallet's fee
  base::TimeMs settled_at;
  std::string description;
};
// Since when the payments are wanted, and when the wallet may be asked for more. A wallet that lists page by page
// passes `next_page` a function that asks for the next page. `next_page` calls that function exactly once, immediately
// or later. An error ends the list.
struct ListOrder {
  base::TimeMs since = {};
  std::function<void(std::function<void(base::Result<void>)> ask)> next_page = [](const auto& ask) { ask({}); };
};
// More than this is not listed.
inline constexpr std::size_t kMaxListed = 20'000;
// No invoice of ours waits longer to be paid.
inline constexpr std::int64_t kOldestOpenMs = 30 * base::kDayMs;

// How the descriptions of our jobs' invoices begin.
inline constexpr std::string_view kJobDescription = "sellcompute job ";

// How the wallet recognises a repeated order.
enum class Repeats {
  by_preimage,  // it takes our preimage: the same order is the same invoice
  by_label,     // it is looked for by its label first; two at the same moment might still be made
  never,        // what is lost between making and recording is an orphan
};
std::string_view name(Repeats repeats);

struct Abilities {
  Repeats repeats = Repeats::never;
  bool pushes = false;       // says when something was paid
  bool lists = false;        // shows what was paid into it
  bool holds = false;        // makes invoices whose payment waits
  bool takes_fees = false;   // the wallet or its service may deduct fees from a payment; else the payer pays all fees
  int calls_per_minute = 0;  // sustained limit, also the largest burst; 0: our own machine, no limit
};

class Wallet {
 public:
  virtual ~Wallet() = default;
  virtual std::string kind() const = 0;  // "sandbox"
  virtual Abilities abilities() const = 0;
  // Which account makes its invoices and knows them: the node's key, the address …; no secret. Always empty
  // if the wallet does not report it. Empty until status() has succeeded if only the wallet knows it.
  virtual std::string account() const { return {}; }
  virtual bool play_money() const = 0;
  virtual base::Msat unit() const = 0;  // amounts are multiples of it
  virtual base::Msat minimum() const = 0;

  // The caller decodes and checks the invoice before it believes it.
  virtual void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) = 0;
  // `invoice` holds what create_invoice() was given and gave: purpose, attempt, amount, hold, bolt11, payment hash,
  // expiry and reference. It holds no job id: an adapter that needs more puts it into `reference`. Three kinds of
  // answer: what the wallet says about the invoice; Unknown, when it is reachable and says that it does not know the
  // invoice; an error, when it was not reached, did not answer, or its answer cannot be believed.
  virtual void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) = 0;
  virtual void status(std::function<void(base::Result<WalletStatus>)> done) = 0;
  // NOLINTBEGIN(performance-unnecessary-value-param): overriders store these arguments
  // What was paid, in any order. Wallets that do not list fail with "wallet.no_list".
  virtual void list_paid(const ListOrder& /*order*/, std::function<void(base::Result<std::vector<PaidInvoice>>)> done) {
    done(base::fail(base::ErrorKind::payment, "wallet.no_list", "this wallet does not list what was paid into it"));
  }

  // Takes what is held for the invoice of this order, or gives it back. The order may be repeated. An error says
  // nothing about the payment: only look_up() does.
  virtual void take(const InvoiceOrder& /*order*/, std::function<void(base::Result<void>)> done) { done(no_hold()); }
  virtual void give_back(const InvoiceOrder& /*order*/, std::function<void(base::Result<void>)> done) {
    done(no_hold());
  }

  // `news` is called whenever a look-up may have a new answer: about this invoice, or, with nothing named, about any of
  // them (after a connection was lost). It proves nothing: it says when to look. Wallets that do not push never call.
  using News = std::function<void(const std::optional<base::Hash256>& payment_hash)>;
  virtual void on_news(News /*news*/) {}
  // NOLINTEND(performance-unnecessary-value-param)

 private:
  static tl::unexpected<base::Error> no_hold() {
    return base::fail(base::ErrorKind::payment, "wallet.no_hold", "this wallet cannot hold payments");
  }
};

// "Alby Hub, balance 12 sat", for a person who is shown the wallet's kind beside it: a name that is only the kind is left
// out.
inline std::string describe(const WalletStatus& told, const Wallet& wallet) {
  const std::string name = told.name == wallet.kind() ? "" : told.name;
  const std::string balance = told.balance ? "balance " + base::sats(*told.balance) : "";
  return name + (name.empty() || balance.empty() ? "" : ", ") + balance + (wallet.play_money() ? " (play money)" : "");
}

}  // namespace wallet
