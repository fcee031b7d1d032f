// The runtime joins the engine to the ledger and the adapters: the only place where core and I/O meet. It has no I/O
// library of its own, so the simulator runs this very code. Single-threaded: every call and every callback on one
// thread.
#pragma once

#include <deque>
#include <memory>

#include "pipeline/runtime/context.h"
#include "pipeline/runtime/control_watch.h"
#include "pipeline/runtime/customer_relays.h"
#include "pipeline/runtime/drain.h"
#include "pipeline/runtime/inferences.h"
#include "pipeline/runtime/intake_gate.h"
#include "pipeline/runtime/invoicing.h"
#include "pipeline/runtime/job_inputs.h"
#include "pipeline/runtime/job_texts.h"
#include "pipeline/runtime/notice_sender.h"
#include "pipeline/runtime/readiness_watch.h"
#include "pipeline/runtime/refund_desk.h"

namespace runtime {

// What the runtime calls; none of these may destroy it.
struct RuntimeHooks {
  // Called once, when the ledger fails. A failed write is never retried: nothing more leaves this process, which must
  // end.
  std::function<void(base::Error)> fatal = [](const base::Error&) {};
  // Something that the operator must know, and that stops one job only.
  std::function<void(const std::string& what)> problem = [](const std::string&) {};
  // Each entry once it is durable, without its texts: for the live line and the log. Null: nobody wants them.
  std::function<void(const ledger::NewEntry&)> entry = {};
  // Of the readiness watch (readiness_watch.h).
  ReadinessWatch::Hooks readiness = {};
  // Every five seconds of a drain: what it waits for (drain.h).
  std::function<void(const std::string& what)> draining = [](const std::string&) {};
  // Asked every ten seconds: the relay cursors to be made durable with the next append.
  std::function<std::vector<std::pair<std::string, base::TimeMs>>()> cursors = {};
};

class Runtime {
 public:
  // The ports and `key` outlive it.
  Runtime(Ports ports, const nostr::SecretKey& key, Options options, core::Recovery recovery, RuntimeHooks hooks);

  // Goes online under this policy.
  void start(core::Policy policy, std::string version);
  // Goes on with the jobs that were open when the last process ended: once, after start(). Requests may come from then
  // on.
  void take_up_open_jobs();

  // A verified event of a job request kind. The receipt is held until the event is durable or refused (intake_gate.h).
  void on_request(const nostr::Event& event, std::string raw, const std::string& relay, std::shared_ptr<void> receipt);
  // A request was refused before it came here: counted, and recorded once a minute.
  void on_refused(const std::string& reason) { intake_.on_refused(reason); }
  // A verified event of those that Relays::watch was asked for (control_watch.h).
  void on_control(const nostr::Event& event, const std::string& relay);

  // Cancels a job: the model is stopped at once; what either side owes the other becomes a fact, and the customer is
  // told. False when it is too late, or there is no such open job.
  bool cancel(const core::JobId& id, ledger::JobCancelled facts);
  // Pays customers back.
  RefundDesk& refund_desk() { return refund_desk_; }
  // Takes the operator's statements about invoices, and the findings of a comparison with the wallet's list.
  Invoicing& invoicing() { return invoicing_; }
  // The operator's orders: removes texts of jobs at rest, and records that; before take_up_open_jobs(), accepts that
  // the ledger lost its end; publishes a result again that no relay took.
  void order(core::PruningOrdered pruning) { post(std::move(pruning)); }
  void order(core::RollbackConfirmed rollback) { post(std::move(rollback)); }
  void order(ResultRetry retry) { notices_.retry(std::move(retry)); }

  // Takes no new jobs and starts no model, lets started ones finish as long as Drain::begin says, then records the
  // reason, once, and calls every `done`. What is not finished then goes on after go_online() or the next start. The
  // receipts of requests that arrive meanwhile stay open, so the relays are asked for these requests again.
  void drain(std::string reason, std::optional<std::int64_t> model_limit_ms, std::function<void()> done);
  // Takes new jobs again after a drain that has ended.
  void go_online(std::string version);

  const core::Engine& engine() const { return engine_; }
  // Whether we are able to sell, and why not.
  ReadinessWatch& readiness_watch() { return readiness_; }
  const core::Readiness& readiness() const { return readiness_.readiness(); }
  bool draining() const { return drain_.begun(); }
  const Drain& last_drain() const { return drain_; }

 private:
  // One group of facts on its way to the disk.
  struct Pending {
    std::uint64_t number = 0;  // of the group: they become durable in this order
    std::vector<core::Command> commands;
    std::vector<ledger::NewEntry> entries;  // as the entry hook will get them
    std::vector<std::shared_ptr<void>> receipts;
    base::JobId arrived;  // the request that this group records, if any
  };

  void post(core::Input input, std::shared_ptr<void> receipt = {});
  void commit(core::Step step, std::shared_ptr<void> receipt);
  void on_durable(std::uint64_t number, const base::Result<void>& result);
  void fail(const base::Error& error);
  void dispatch(const core::Command& command);
  void arm_wake();
  void every_minute();
  void save_cursors();

  const Ports ports_;
  const nostr::SecretKey& key_;
  const Options options_;
  const RuntimeHooks hooks_;
  core::Engine engine_;
  bool failed_ = false;

  const Context context_;
  CustomerRelays customer_relays_;
  JobTexts texts_;
  JobInputs inputs_;
  Inferences inferences_;
  Invoicing invoicing_;
  NoticeSender notices_;
  RefundDesk refund_desk_;
  IntakeGate intake_;
  ControlWatch control_;
  ReadinessWatch readiness_;

  std::deque<Pending> pending_;  // in the order of their appends
  std::uint64_t appended_ = 0;   // groups so far
  std::optional<base::TimeMs> armed_;
  Drain drain_;
};

}  // namespace runtime
