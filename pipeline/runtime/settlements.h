// Watches every invoice until its end. A notification from the wallet triggers a look-up. Invoices are also polled, in
// case the wallet sends no notification or one is lost; the older an invoice, the longer the pause between its
// look-ups. All polls together have a limit per second, so watching costs no more when many invoices are open. A
// failing look-up delays only its own invoice. An invoice is looked up at the wallets of its kind. If there are
// several, the next one is asked after each failed look-up or answer "unknown".
#pragma once

#include <array>
#include <map>
#include <set>

#include "base/lifetime.h"
#include "base/scheduler.h"
#include "pipeline/wallet/wallet.h"

namespace runtime {

using base::Scheduler;

// Look-ups per second that no notification triggered. Invoices beyond this limit wait for their turn.
inline constexpr std::int64_t kLookUpsPerSecond = 20;
// Many wallets delete expired invoices. An expired invoice is given up after the account that made it has answered
// "unknown" kUnknownBeforeEnd times in a row, over at least kUnknownBeforeEndMs. From answer kUnknownBeforeNoLimit on,
// the invoice no longer counts against any limit, and the ledger records the time. That time survives a restart; the
// number of answers does not. Any other answer starts the count again.
inline constexpr std::uint32_t kUnknownBeforeNoLimit = 2;
inline constexpr std::uint32_t kUnknownBeforeEnd = 5;
inline constexpr std::int64_t kUnknownBeforeEndMs = base::kDayMs;

struct Watched {
  ledger::InvoiceIssued invoice;
  base::TimeMs since;          // when it was made: its age sets the pace
  base::TimeMs give_up_at;     // expiry plus grace: only a later look-up can prove "never paid"
  base::TimeMs unknown_since;  // when the ledger last recorded that the wallet does not know it; 0: it has not
  std::function<void(ledger::InvoiceSettled)> settled;
  std::function<void(ledger::InvoiceHeld)> held = [](const ledger::InvoiceHeld&) {};  // paid, not settled; called once
  // The wallet does not know the invoice, which stays watched. Called again only if the wallet knew it in between.
  std::function<void(ledger::InvoiceUnknown)> unknown = [](const ledger::InvoiceUnknown&) {};
  std::function<void(ledger::InvoiceExpired)> never_paid;
};

class Settlements {
 public:
  // All arguments must outlive it. It must be the only on_news() listener of these wallets.
  Settlements(std::vector<wallet::Wallet*> wallets, Scheduler& scheduler);

  // Calls exactly one of `settled` and `never_paid`, once, unless forget() comes first. Returns false and does nothing
  // if no wallet is of the invoice's kind. Returns true and ignores these callbacks if the invoice is watched already.
  bool watch(Watched watched);
  // Stops watching the invoice. Calls nothing.
  void forget(const base::Hash256& id);
  // Looks the invoice up now, because something was done to it.
  void look(const base::Hash256& id);

 private:
  // Invoices to look up, each with its earliest time.
  using Queue = std::set<std::pair<base::TimeMs, base::Hash256>>;

  struct Entry {
    Watched watched;
    wallet::Wallet* wallet;             // asked next; changes after a failure or an "unknown"
    Queue* queue = nullptr;             // in which it waits; null while it is being asked about
    base::TimeMs due = {};              // its place there
    bool news = false;                  // came while it was being asked about
    bool held = false;                  // and reported
    bool unknown = false;               // and reported, by this process or an earlier one
    std::uint32_t unknown_answers = 0;  // in a row, since this start, after give_up_at, from the account that made it
    base::TimeMs unknown_since = {};    // the first in a row; before this start: when it was recorded
  };

  void ask(const base::Hash256& id);
  void answered(const base::Hash256& id, bool over, const base::Result<wallet::LookupAnswer>& answer);
  bool conclude(const base::Hash256& id, bool over, const wallet::LookupAnswer& answer);
  bool forgotten_for_good(Entry& entry, const wallet::LookupAnswer& answer);
  bool asks_its_maker(const Entry& entry) const;
  bool is_over(const Entry& entry) const { return scheduler_.now() >= entry.watched.give_up_at; }
  void enqueue(const base::Hash256& id, Entry& entry, std::int64_t delay_ms);
  static void leave_queue(const base::Hash256& id, Entry& entry);
  Queue* next_queue(base::TimeMs now);
  void ask_due();
  void ask_all_soon(base::TimeMs now);
  void arm(base::TimeMs now);
  std::int64_t pause_ms(const Entry& entry) const;
  wallet::Wallet* next_wallet(const std::string& kind, const wallet::Wallet* after) const;
  void on_news(const std::optional<base::Hash256>& id);

  const std::vector<wallet::Wallet*> wallets_;
  Scheduler& scheduler_;
  std::map<base::Hash256, Entry> entries_;
  Queue young_;              // may still be paid
  Queue late_;               // expired, grace included
  std::uint64_t turns_ = 0;  // look-ups that no news asked for
  base::TimeMs next_turn_;   // when the next of them would be due at an even pace
  std::optional<base::TimeMs> armed_;
  base::TimeMs last_now_;  // the clock may be set back
  base::Lifetime lifetime_;
};

}  // namespace runtime
