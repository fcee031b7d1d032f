// Watches that the promises are kept, at every step: what the ledger says, what the live engine believes, what leaves
// the process, what the wallet and the customers know. Throws Violation.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <tuple>

#include "ledger/merkle.h"
#include "pipeline/core/engine.h"
#include "pipeline/nostr/event.h"
#include "pipeline/wallet/wallet.h"
#include "tests/sim/world.h"

namespace sim {

class Referee {
 public:
  explicit Referee(World& world) : world_(world) {}

  // A process starts.
  void begin_life();
  // After each commit and each restart: reads what is new in the ledger. `engine` is the live one, if a process lives
  // and everything that it decided is durable.
  void catch_up(const core::Engine* engine);

  // An older copy of the ledger took the place of what was read so far.
  void on_rollback();
  // Jobs of before go on. `heard_all`: every relay told the process all that it has.
  void on_release(bool heard_all);

  // Before an effect leaves the process: the facts that caused it are durable.
  void on_chat(const std::string& prompt);
  void on_order(const wallet::InvoiceOrder& order);
  void on_publication(const nostr::Event& event);
  void on_payment(const wallet::PaymentOrder& order);
  void on_take(const wallet::InvoiceOrder& order);
  void on_give_back(const wallet::InvoiceOrder& order);

  // A call reaches the wallet.
  void on_wallet_call() const;
  // The process hears at `from` that the wallet wants to be left alone until then.
  void on_pause_asked(TimeMs from, TimeMs until);
  // From now on the wallet makes no invoices; and each order that it refuses for that.
  void on_unable() { orders_refused_ = 0; }
  void on_order_refused();

  // A bit flips in a copy of the disk: that is noticed, or changes nothing.
  void check_bit_flip(Dice& dice) const;

  // After everything came to rest: nothing is open, all books agree, and the audit finds nothing.
  void check_end(bool clock_was_wrong) const;

  std::size_t entries() const { return leaves_; }
  base::Msat settled() const { return settled_msat_; }
  // What came for invoices of a history that was given up, and is not in the ledger.
  base::Msat lost() const;
  // Requests that are not served, because a history that was given up may have served them, or because they lie only
  // with relays that hide them from us.
  std::size_t left_out() const;
  std::size_t sales() const { return settled_.size(); }
  const std::map<base::JobId, core::Job>& jobs() const { return jobs_; }

 private:
  bool is_asked_by(const CustomerJob& job, std::string_view asked) const;
  void see(const ledger::Entry& entry);
  void check_age(const core::Job& job, const ledger::JobDeclined& declined, base::TimeMs ledger_time) const;
  void check_credit(const core::Job& job) const;
  void check_ability(const core::Job& job) const;
  void check_change(const ledger::ReadinessChanged& change, TimeMs time);
  void check_reopened(const core::Job& job, const ledger::JobDeclined& declined) const;
  static void check_revealed(const core::Job& job);
  static void check_retried(const core::Job& before, const ledger::NoticeRetried& retried);
  void check_money(const core::Job& before, const core::Job& after, const ledger::Entry& entry);
  void check_open_texts() const;
  void check_live(const core::Engine& engine, const std::set<base::JobId>& touched) const;
  const core::Job& durable(const base::JobId& id, const char* effect);
  void check_customers(bool clock_was_wrong) const;
  void check_books() const;

  bool may_repeat(const base::JobId& id) const;
  bool is_left_out(const base::JobId& id, const CustomerJob& seen) const;

  World& world_;
  bool rolled_back_ = false;  // ever
  bool unseen_ = false;       // a rollback that nobody could tell the process of: it may do things twice
  bool checked_since_rollback_ = true;
  bool rereads_ = false;                  // an older copy of the ledger, from its beginning
  std::set<base::JobId> jobs_lost_;       // of which some history was given up
  std::set<base::JobId> renewed_before_;  // of which an invoice was renewed in a history that was given up
  TimeMs accepted_at_;                    // when a rollback was last accepted, by the process's clock
  std::size_t leaves_ = 0;
  ledger::MerkleTree tree_;
  std::map<base::JobId, core::Job> jobs_;  // folded from what is durable
  base::Msat exposure_;
  std::size_t unfinished_ = 0;  // jobs
  core::Policy policy_;
  std::deque<std::pair<TimeMs, base::Msat>> stranger_quotes_;
  std::map<base::Hash256, base::JobId> settled_;  // which job each settled payment belongs to
  base::Msat settled_msat_;
  std::map<base::Hash256, base::JobId> refund_invoices_;  // customers' invoices, by the job they are for
  base::Msat refunded_msat_;
  // Of this life: what was started, with the failures that came before it.
  std::set<std::pair<base::JobId, std::uint32_t>> chats_;
  std::set<std::tuple<base::JobId, std::size_t, std::uint32_t>> orders_;
  std::set<std::pair<base::Hash256, std::uint32_t>> payments_;
  std::map<ledger::ReadinessPart, std::string> unready_;  // since the last WentOnline, with why
  std::map<ledger::ReadinessPart, TimeMs> last_change_;   // of this life
  TimeMs life_began_;
  TimeMs pause_from_, pause_until_;  // in which the wallet wants to be left alone
  int orders_refused_ = 0;           // since the wallet is unable
  TimeMs closes_by_;                 // what made it so is known: from then on no jobs are taken

  std::set<base::JobId> partials_left_;  // jobs of which a part left the process
};

}  // namespace sim
