// Compares the wallets' own lists with the ledger while we sell: at the start, then daily. Every open invoice is looked
// up anyway; this finds what nobody watches: orphans that were paid, payments of invoices that were given up, and money
// that one side does not know. Each comparison goes back to a week before the end of the last one that succeeded, in
// this process or an earlier one, so nothing is missed if this process or the wallet was down.
#pragma once

#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "base/lifetime.h"
#include "base/scheduler.h"
#include "replay/reconciliation.h"

namespace boost::asio {
class io_context;
}

namespace cmd {

class Bookkeeper {
 public:
  // None of these may destroy it.
  struct Hooks {
    std::function<void(const std::string&)> problem;  // each difference
    // A payment's description names a job of ours, but the ledger does not have its invoice.
    std::function<void(const replay::Difference&)> orphan;
    // The wallet was paid for an invoice of this job, and the ledger does not know it.
    std::function<void(const base::JobId& job, const base::Hash256& payment_hash)> unrecorded;
  };

  // All arguments must outlive it. The first wallet is the current one. Reads from the store the time up to which the
  // last process compared.
  Bookkeeper(boost::asio::io_context& io, base::Scheduler& scheduler, const ledger::KeyValue& store,
             std::vector<wallet::Wallet*> wallets, replay::WalletHabits habits, Hooks hooks);
  ~Bookkeeper();

  // Compares now, again ten seconds later (the newest payments are left out of the first comparison), and then daily.
  // Calls `looked`, in a later task, when the first comparison has ended or failed, or when no wallet lists.
  void start(std::function<void()> looked);

  // How far each kind of wallet was compared: cursors that the ledger keeps for the next process.
  std::vector<std::pair<std::string, base::TimeMs>> cursors() const;

  // For `status`; null before the first comparison.
  nlohmann::json summary() const { return summary_; }

 private:
  struct Round {
    base::TimeMs until;
    std::size_t asked = 0;  // wallets
    replay::WalletLists lists = {};
    std::set<std::string> left_out = {};  // kinds with a former wallet that did not answer
  };

  void read_cursors();
  base::TimeMs since(const std::string& kind) const;
  void look_later(std::int64_t delay_ms);
  void ask_next(const std::shared_ptr<Round>& round);
  void compare(const std::shared_ptr<Round>& round);
  void tell(const std::shared_ptr<Round>& round, const base::Result<replay::Reconciliation>& books);

  boost::asio::io_context& io_;
  base::Scheduler& scheduler_;
  const ledger::KeyValue& store_;
  std::vector<wallet::Wallet*> wallets_;  // those that list
  const std::string kind_;                // of today's
  const replay::WalletHabits habits_;
  const Hooks hooks_;
  std::map<std::string, base::TimeMs> compared_until_;  // by kind of wallet
  std::function<void()> looked_;                        // until it has been called
  nlohmann::json summary_;
  std::atomic<bool> stop_ = false;
  std::thread reading_;  // reads the ledger, which may take long
  base::Lifetime lifetime_;
};

}  // namespace cmd
