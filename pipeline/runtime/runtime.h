// The runtime joins the engine to the ledger and the adapters: the only place where core and I/O meet. It has no I/O
// library of its own, so the simulator runs this very code. Single-threaded: every call and every callback on one
// thread.
#pragma once

#include <map>

#include "base/scheduler.h"
#include "pipeline/core/engine.h"
#include "pipeline/inference/backend.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/relays.h"
#include "pipeline/runtime/customer_relays.h"
#include "pipeline/runtime/gathering.h"
#include "pipeline/runtime/journal.h"
#include "pipeline/runtime/partials.h"
#include "pipeline/runtime/refunds.h"
#include "pipeline/runtime/settlements.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/wallet.h"
#include "pipeline/web/page_reader.h"

namespace runtime {

struct Ports {
  Journal& journal;
  wallet::Wallet& wallet;
  std::vector<wallet::Wallet*> former_wallets = {};  // used before: their open invoices are still watched
  wallet::Payer* payer = nullptr;                    // null: nothing can be paid back
  std::string payer_account = {};                    // which account that is: "lnd 3fa9c1d2"
  inference::Backend& backend;
  Relays& relays;
  PageReader& web;
  Scheduler& scheduler;
  Random random;
  std::function<bool()> disk_low;
};

struct Options {
  std::vector<std::string> own_relays;    // answers go there too
  std::vector<wallet::Network> networks;  // whose invoices we believe
  // To whom an answer is shown while it grows, as far as core::may_stream allows.
  enum class Stream { never, asked, always } stream = Stream::asked;
};

// To where a customer is paid back: an invoice, or an event of theirs with one. The event is signed by who asked for
// the job, names it in an `e` tag, and has the invoice in a `bolt11` tag or as its content.
struct RefundOrder {
  std::string bolt11;
  std::string event_json;
  std::optional<base::Msat> fee_limit;  // without one: a hundredth, and at least 10 sat
};
// What became of it; RefundStarted: that is not known yet.
using RefundOutcome = std::variant<ledger::RefundStarted, ledger::RefundPaid, ledger::RefundFailed>;

class Runtime {
 public:
  // `fatal` is called once when the ledger fails: nothing more leaves this process, which must end (DESIGN: never
  // retried).
  Runtime(Ports ports, const nostr::SecretKey& key, Options options, core::Recovery recovery,
          std::function<void(base::Error)> fatal);

  // Goes online under this policy and takes up every open job.
  void start(core::Policy policy, std::string version);

  // A verified event of a job request kind. The receipt is held until the event is durable or refused (gap-free
  // intake). While disk space runs low nothing new is written: requests wait with their receipts, so that the relays'
  // cursors stay behind them; those beyond some hundreds are refused.
  void on_request(const nostr::Event& event, std::string raw, const std::string& relay, std::shared_ptr<void> receipt);
  // A verified event of those that Relays::watch was asked for: a customer's deletion of their request cancels the job
  // (NIP-09), a ping is answered (kind 7007).
  void on_control(const nostr::Event& event, const std::string& relay);
  // Cancels a job: the model is stopped at once, what is owed either way becomes a fact and is told. False when it is
  // too late, or no open job.
  bool cancel(const core::JobId& id, ledger::JobCancelled facts);
  // Pays back what is owed for a job, one payment of it at a time. `done` is called once: at the end, after some
  // seconds without one, or with why nothing was paid ("refund.…", "bolt11.…", "wallet.…").
  void refund(const core::JobId& id, const RefundOrder& order, std::function<void(base::Result<RefundOutcome>)> done);
  // By a person's word, who looked into the wallet: what was begun to be paid back was not paid, and never will be.
  // Fails with "refund.…".
  void give_up_refund(const core::JobId& id, const std::string& word, std::function<void(base::Result<void>)> done);
  // The door refused something: counted, and told to the ledger once a minute.
  void on_refused(const std::string& reason);

  // Takes no new jobs, lets started ones finish (what waits for a retry goes on after the next start), then records
  // why, once, and calls every `done`. Requests that arrive meanwhile keep their receipts out, so the relays are asked
  // for them again.
  void drain(std::string reason, std::function<void()> done);

  // Takes new jobs again after a drain that has ended.
  void go_online(std::string version);

  // Relay cursors to be made durable with the next append; asked once every ten seconds.
  std::function<std::vector<std::pair<std::string, base::TimeMs>>()> cursors;
  // Something that needs the operator, and stops one job only.
  std::function<void(const std::string& what)> on_problem = [](const std::string&) {};
  // Told after each entry is durable: for the live line and the log.
  std::function<void(const ledger::NewEntry&)> on_entry;

  const core::Engine& engine() const { return engine_; }
  bool healthy() const { return inference_healthy_ && wallet_healthy_; }
  bool draining() const { return draining_; }

 private:
  struct Pending {
    std::vector<core::Command> commands;
    std::vector<ledger::NewEntry> entries;  // as told to on_entry, without texts
    std::vector<std::shared_ptr<void>> receipts;
    base::JobId arrived;  // the request that this group records, if any
  };
  // One inference under way.
  struct Running {
    std::unique_ptr<inference::Generation> generation;
    std::string text;
    std::uint64_t chunks = 0;
    std::size_t json_bytes = 0;  // of the text inside a JSON string
    ledger::Encryption encryption = ledger::Encryption::none;
    base::TimeMs started;
    std::int64_t first_token_ms = 0;
    std::unique_ptr<Partials> partials;  // null: they are not shown
  };

  void post(core::Input input, std::shared_ptr<void> receipt = {});
  void commit(core::Step step, std::shared_ptr<void> receipt);
  void on_durable(const base::Result<void>& result);
  void fail(const base::Error& error);
  void dispatch(const core::Command& command);
  void arm_wake();
  void finish_drain();
  void problem(const core::Job& job, const base::Error& error);

  void gather(const core::Job& job, const core::Work& work);
  void end_gathering(const core::JobId& job, const core::Work& work, base::Result<std::vector<std::string>> texts);
  base::Result<core::InputsReady> keep_inputs(core::InputsReady ready, std::vector<std::string>& question,
                                              const std::vector<std::string>& texts) const;
  void infer(const core::Job& job, const core::Work& work);
  void create_invoice(const core::Job& job, const core::Work& work);
  void sign(const core::Job& job, const core::Work& work);
  void publish(const core::Job& job, const core::Work& work);
  void watch_invoice(const core::Job& job, const core::Work& work);
  void resolve_hold(const core::JobId& id, const core::Work& work, std::uint32_t turn);
  void pay_back(const core::Job& job, const core::Work& work);

  base::Result<core::Job> job_of(const core::JobId& id);
  base::Result<ledger::RefundStarted> prepare_refund(const core::Job& job, const RefundOrder& order) const;
  void begin_refund(const core::JobId& id, ledger::RefundStarted facts,
                    std::function<void(base::Result<RefundOutcome>)> done);
  void tell_refund(const base::Hash256& to, const RefundOutcome& outcome);

  std::vector<std::string> targets_of(const core::Job& job) const;
  std::unique_ptr<Partials> partials_for(const core::Job& job);
  bool add_text(Running& running, std::string_view chunk, std::size_t room);
  inference::Completion so_far(const core::JobId& job, const Running& running, ledger::FinishReason finish) const;
  base::Result<core::Answer> keep_answer(const core::JobId& job, std::uint32_t attempt, inference::Completion made,
                                         std::uint32_t partials) const;
  std::optional<core::Answer> stop_inference(const core::JobId& id);
  void end_at_limit(const core::JobId& job, const core::Work& work);
  void end_inference(const core::JobId& job, const core::Work& work,
                     tl::expected<inference::Completion, inference::Failure> outcome);
  base::Result<std::string> seal(const base::JobId& job, std::string text) const;
  base::Result<std::vector<std::string>> question_of(const core::Job& job);
  base::Result<std::string> text_of(const base::TextRef& ref);
  void take_waiting();
  void answer_ping(const nostr::Event& ping, const std::string& relay);
  void watch_for_words();
  void record_refused();
  void every_minute();
  void check_health();
  void save_cursors();

  Ports ports_;
  const nostr::SecretKey& key_;
  Options options_;
  core::Engine engine_;
  CustomerRelays customer_relays_;
  Gatherer gatherer_;
  const std::vector<wallet::Wallet*> wallets_;  // today's, then those used before
  Settlements settlements_;
  Refunds refunds_;
  std::map<base::Hash256, std::function<void(base::Result<RefundOutcome>)>> refund_waiters_;
  std::function<void(base::Error)> fatal_;
  bool failed_ = false;

  std::deque<Pending> pending_;  // appends on their way to the disk, in order
  std::map<core::JobId, Running> running_;
  std::map<std::string, std::uint64_t> refused_;  // by reason, since refused_since_
  base::TimeMs refused_since_;
  std::optional<base::TimeMs> armed_;
  bool inference_healthy_ = true;
  bool wallet_healthy_ = true;

  std::vector<core::JobId> watched_;  // jobs whose cancellation the relays are asked for
  bool watching_ = false;
  std::uint32_t pongs_ = 0;  // in this minute

  bool draining_ = false;
  std::string drain_reason_;
  std::vector<std::function<void()>> drained_;
  std::vector<std::shared_ptr<void>> held_receipts_;
  struct Request {
    nostr::Event event;
    std::string raw;
    std::string relay;
    std::shared_ptr<void> receipt;
  };
  std::deque<Request> waiting_requests_;  // until the disk keeps up, or has room again
};

}  // namespace runtime
