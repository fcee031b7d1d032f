// Answers one question in one place: can this wallet do what the shop needs of it? That a wallet answers does not mean
// that it is able: it may be on another network, not let us make invoices, not tell what was paid, or not hold
// payments.
//
// First, what the wallet reports of itself is checked. Then, once, the wallet makes a probe invoice of the smallest
// amount, which is checked, looked up, and never shown to anybody. Real invoices prove the same, and when several fail
// in a row the wallet is probed again. While it is unable, status() fails: no jobs are accepted, and no heartbeat is
// sent. Pure.
#pragma once

#include <map>

#include "base/lifetime.h"
#include "base/random.h"
#include "base/scheduler.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/wallet_in_front.h"

namespace wallet {

// How the description of a probe begins.
inline constexpr std::string_view kProbeDescription = "sellcompute probe";
inline constexpr int kFailuresBeforeProbe = 3;  // invoices in a row

// The number of invoices for which the wallet does not report whether they were paid, and its reason for one of them.
struct PaymentDoubts {
  std::size_t invoices = 0;
  std::string reason;
};

struct ShopNeeds {
  Network network = Network::bitcoin;
  bool hold = false;  // escrow
};

// Checks by the wallet's own answer `told` whether it can do what is needed. Fails with "config.wallet_network" or
// "config.escrow".
base::Result<void> check_told(const Wallet& wallet, const WalletStatus& told, const ShopNeeds& needs);
// Whether an error of status() means that the wallet is unable, and not that it cannot be reached now.
bool is_inability(const base::Error& error);

class SupervisedWallet final : public WalletInFront {
 public:
  // `problem` is called when several invoices in a row could not be made, and once for each invoice whose look-ups fail
  // for another reason than an unreachable wallet.
  SupervisedWallet(std::unique_ptr<Wallet> behind, ShopNeeds needs, base::Scheduler& scheduler, base::Random random,
                   std::function<void(const std::string& what)> problem);

  void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) override;
  // Besides the wallet's own errors: those of check_told(), and while probes fail "config.wallet_unable" or, when its
  // clock and ours differ, "wallet.clock".
  void status(std::function<void(base::Result<WalletStatus>)> done) override;

  // Of look-ups that fail for another reason than an unreachable wallet.
  PaymentDoubts doubts() const;

 private:
  void probe();
  void probe_made(const InvoiceOrder& order, const base::Result<MadeInvoice>& made);
  void probe_ends(const base::Result<void>& proof);
  base::Result<ledger::InvoiceIssued> check(const InvoiceOrder& order, const base::Result<MadeInvoice>& made) const;
  void count(const base::Result<void>& made);
  void able();
  void tell_failure(const ledger::InvoiceIssued& invoice, const base::Error& error);

  const ShopNeeds needs_;
  base::Scheduler& scheduler_;
  const base::Random random_;
  const std::function<void(const std::string&)> problem_;
  bool proven_ = false;
  bool probing_ = false;
  bool look_ups_refused_ = false;
  std::optional<base::Error> trouble_;
  base::TimeMs probed_at_;
  std::int64_t probe_pause_ms_ = 0;
  int failures_ = 0;                                                     // of invoices, in a row
  std::vector<std::function<void(const base::Result<void>&)>> waiting_;  // for the probe's end
  std::map<base::Hash256, std::string> told_;                            // which failures of look-ups
  base::Lifetime lifetime_;
};

}  // namespace wallet
