// One life of the provider: the real runtime, engine, ledger, views and relay hub over simulated ports. It ends by
// being destroyed, at any moment; what was not durable is gone with it.
#pragma once

#include "ledger/ledger.h"
#include "pipeline/inference/supervised_backend.h"
#include "pipeline/nostr/relay/hub.h"
#include "pipeline/nostr/switchable_relays.h"
#include "pipeline/runtime/rollback_watch.h"
#include "pipeline/runtime/runtime.h"
#include "replay/projections.h"
#include "tests/sim/ports.h"
#include "tests/sim/world.h"

namespace sim {

class Process {
 public:
  // Opens the ledger. Throws Crashed when it dies of that, as the other functions do.
  Process(World& world, const core::Policy& policy, core::EntryLimits entries = {1'000'000, 1'000'000});
  ~Process();

  // Call it once, first. `accept_rollback`: the operator's word (runtime::RollbackWatch).
  void start(bool accept_rollback = false);

  const core::Engine& engine() const { return runtime_->engine(); }
  const std::optional<base::Error>& failure() const { return failure_; }
  // The operator's words: takes no new jobs, finishes started ones and hangs up, `at_once` as at the end of the
  // program; takes jobs again.
  void go_offline(bool at_once);
  void go_online();

  // Removes the texts of all jobs that ended before this moment of the process's clock.
  void prune(TimeMs before);
  // Says that the open invoices of this job were never paid.
  void close(const base::JobId& job);
  // Publishes the result of this job again.
  void retry(const base::JobId& job);
  // Pays back what is owed for this job, to this invoice.
  void pay_back(const base::JobId& job, const std::string& bolt11);

  // The engine, when everything that it decided is durable: then it must agree with the ledger.
  const core::Engine* settled_engine() const;

 private:
  class ReadDisk;
  class SimJournal;
  void start_relays();
  void start_watch(bool accept_rollback);
  void observe(core::Observations& seen) const;
  void open();
  void release();
  void go_on();
  std::string checkpoint();
  void publish_checkpoints();
  void reconcile_later();
  void reconcile(const std::function<void()>& done);
  void compare(const std::vector<wallet::PaidInvoice>& listed);
  std::vector<std::pair<std::string, TimeMs>> cursors() const;

  World& world_;
  ProcessTime time_;
  std::vector<std::unique_ptr<ledger::Projection>> projections_;
  std::unique_ptr<ReadDisk> disk_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::unique_ptr<SimJournal> journal_;
  std::unique_ptr<wallet::Wallet> wallet_;
  SimPayer payer_;
  inference::SupervisedBackend backend_;
  SimWeb web_;
  std::shared_ptr<nostr::RelayHub> hub_;
  nostr::SwitchableRelays relays_{time_};
  std::unique_ptr<runtime::Runtime> runtime_;
  core::Policy policy_;
  std::unique_ptr<runtime::RollbackWatch> watch_;
  std::uint64_t lost_frames_;  // by relays, when this life began
  bool online_ = false;
  bool may_resume_ = false;
  bool taken_up_ = false;
  unsigned drains_ = 0;           // so far
  unsigned drain_under_way_ = 0;  // its number; 0: none
  std::optional<base::Error> failure_;
};

}  // namespace sim
