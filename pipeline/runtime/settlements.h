// Watches every invoice until its end. The wallet's news say when to look; where it pushes none, or they are lost,
// invoices are asked about at a pace that slows down with their age. The look-ups of all invoices together have a
// limit per second, so watching costs no more when many invoices are open. A failing look-up delays only its own
// invoice. An invoice is looked up at the wallets of its kind: of two accounts, the one that knows it.
#pragma once

#include <array>
#include <map>
#include <set>

#include "base/lifetime.h"
#include "base/scheduler.h"
#include "pipeline/wallet/wallet.h"

namespace runtime {

using base::Scheduler;

// Look-ups that no news asked for, a second. Beyond them, invoices wait for their turn.
inline constexpr std::int64_t kLookUpsPerSecond = 20;
// An account that made an invoice must answer "unknown" so often in a row, for so long, until the invoice is given up:
// many wallets delete what expired. From the second such answer on, the invoice counts against no limit, and the ledger
// says since when: the time counts over restarts, the answers do not. Any other answer ends the row.
inline constexpr std::uint32_t kUnknownBeforeNoLimit = 2;
inline constexpr std::uint32_t kUnknownBeforeEnd = 5;
inline constexpr std::int64_t kUnknownBeforeEndMs = base::kDayMs;

struct Watched {
  ledger::InvoiceIssued invoice;
  base::TimeMs since;          // when it was made: its age sets the pace
  base::TimeMs give_up_at;     // expiry plus grace: from then on "never paid" is believed
  base::TimeMs unknown_since;  // when the ledger last recorded that the wallet does not know it; 0: it has not
  std::function<void(ledger::InvoiceSettled)> settled;
  std::function<void(ledger::InvoiceHeld)> held = [](const ledger::InvoiceHeld&) {};  // and may yet settle; once
  // Still watched. Called again when the wallet has known it in between.
  std::function<void(ledger::InvoiceUnknown)> unknown = [](const ledger::InvoiceUnknown&) {};
  std::function<void(ledger::InvoiceExpired)> never_paid;
};

class Settlements {
 public:
  // All outlive it; of the wallets it is the only listener.
  Settlements(std::vector<wallet::Wallet*> wallets, Scheduler& scheduler);

  // Exactly one of `settled` and `never_paid` is called, once. False, and nothing is done, when none of the wallets is
  // of the invoice's kind.
  bool watch(Watched watched);
  // Watches it no more.
  void forget(const base::Hash256& id);
  // Something was done about it: looks now.
  void look(const base::Hash256& id);

 private:
  // What is to be asked about, and not before when.
  using Queue = std::set<std::pair<base::TimeMs, base::Hash256>>;

  struct Entry {
    Watched watched;
    wallet::Wallet* wallet;             // that is asked, until it answers that it does not know
    Queue* queue = nullptr;             // in which it waits; null while it is being asked about
    base::TimeMs due = {};              // its place there
    bool news = false;                  // came while it was being asked about
    bool held = false;                  // and reported
    bool unknown = false;               // and reported, in this life or another
    std::uint32_t unknown_answers = 0;  // in a row, in this life, after the end, of the account that made it
    base::TimeMs unknown_since = {};    // the first in a row; of those in another life, when they were recorded
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
