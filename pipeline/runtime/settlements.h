// Watches every invoice until the wallet says settled or, after expiry plus grace, that it was never paid. The wallet's
// news say when to look; where it tells none, or they are lost, young invoices are asked about often and old ones
// slowly. A failing look-up delays only its own invoice. An invoice is looked up at the wallets of its kind: of two
// accounts, the one that knows it.
#pragma once

#include <map>

#include "base/lifetime.h"
#include "base/scheduler.h"
#include "pipeline/wallet/wallet.h"

namespace runtime {

using base::Scheduler;

struct Watched {
  ledger::InvoiceIssued invoice;
  base::TimeMs since;       // when it was made: its age sets the pace
  base::TimeMs give_up_at;  // expiry plus grace: from then on "never paid" is believed
  std::function<void(ledger::InvoiceSettled)> settled;
  std::function<void(ledger::InvoiceHeld)> held = [](const ledger::InvoiceHeld&) {};  // and may yet settle; once
  std::function<void(ledger::InvoiceExpired)> never_paid;
};

class Settlements {
 public:
  // All outlive it; of the wallets it is the only listener.
  Settlements(std::vector<wallet::Wallet*> wallets, Scheduler& scheduler);

  // Exactly one of `settled` and `never_paid` is called, once. False, and nothing is done, when none of the wallets is
  // of the invoice's kind.
  bool watch(Watched watched);
  // Something was done about it: looks now.
  void look(const base::Hash256& id) { on_news(id); }

 private:
  struct Entry {
    Watched watched;
    wallet::Wallet* wallet;   // that is asked, until it says that it does not know
    std::uint64_t timer = 0;  // which of its timers counts
    bool asking = false;
    bool news = false;  // while it was being asked about
    bool held = false;  // and told so
  };

  void ask(const base::Hash256& id);
  void answered(const base::Hash256& id, bool over, const base::Result<wallet::LookupAnswer>& answer);
  bool conclude(const base::Hash256& id, bool over, const wallet::LookupAnswer& answer);
  void ask_after(const base::Hash256& id, std::int64_t delay_ms);
  std::int64_t pause_ms(const Entry& entry) const;
  wallet::Wallet* next_wallet(const std::string& kind, const wallet::Wallet* after) const;
  void on_news(const std::optional<base::Hash256>& id);

  const std::vector<wallet::Wallet*> wallets_;
  Scheduler& scheduler_;
  std::map<base::Hash256, Entry> entries_;
  base::Lifetime lifetime_;
};

}  // namespace runtime
