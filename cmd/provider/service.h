// The whole provider, put together: ledger, wallet, backend, relays, runtime and control socket on one io_context.
// `serve` runs it in the foreground, `demo` beside a customer.
#pragma once

#include "cmd/config/config.h"
#include "cmd/provider/bookkeeper.h"
#include "cmd/provider/checkpoints.h"
#include "cmd/provider/control.h"
#include "cmd/provider/pruner.h"
#include "cmd/provider/relay_connections.h"
#include "cmd/wallets/open_wallet.h"
#include "ledger/group_commit.h"
#include "ledger/projection.h"
#include "ledger/rocksdb_store.h"
#include "pipeline/inference/ollama_client.h"
#include "pipeline/inference/supervised_backend.h"
#include "pipeline/net/io_scheduler.h"
#include "pipeline/runtime/announcer.h"
#include "pipeline/runtime/journal.h"
#include "pipeline/runtime/rollback_watch.h"
#include "pipeline/runtime/runtime.h"
#include "pipeline/web/web_client.h"

namespace cmd {

struct ServiceHooks {
  std::function<void(const ledger::NewEntry&)> entry = [](const ledger::NewEntry&) {};  // durable
  std::function<void()> online = [] {};
  std::function<void(const std::string& relay, nostr::RelayState, const std::string& reason)>
      relay =  // of our own relays
      [](const std::string&, nostr::RelayState, const std::string&) {};
  std::function<void(const std::string& relay, const std::string& text)> notice =  // what our own relays tell a person
      [](const std::string&, const std::string&) {};
  // Our readiness to sell has changed from `before` to `now`.
  std::function<void(const core::Readiness& before, const core::Readiness& now)> readiness =
      [](const core::Readiness&, const core::Readiness&) {};
  std::function<void(const std::string& what)> problem = [](const std::string&) {};   // needs the operator; we go on
  std::function<void(const std::string& what)> draining = [](const std::string&) {};  // every 5 s: what is waited for
  std::function<void(base::Error)> fatal = [](const base::Error&) {};  // once; the service must be destroyed
};

class Service {
 public:
  // Opens everything that can be opened without waiting. `kill_at`: see kill_points.h; empty: never.
  // `accept_rollback`: the operator's word that the ledger may have lost its end (RollbackWatch::Options).
  static base::Result<std::unique_ptr<Service>> open(boost::asio::io_context& io, Config config, base::Clock clock,
                                                     std::string kill_at, bool accept_rollback, ServiceHooks hooks);
  ~Service();

  // Asks the wallet whether it is able to do what is configured, the backend for its models, and our own relays and the
  // wallet whether the ledger lost its end; then goes online: hooks.online, or hooks.fatal when nothing can be sold or
  // a rollback was found. A wallet that is away now does not keep us offline.
  void start();
  // Takes no new jobs, finishes started ones, records why, hangs up; then `done`. stop() is for the end of the process:
  // it does not wait for long (runtime/drain.h), and the service cannot go online again after it.
  void go_offline(std::string reason, std::function<void()> done);
  void stop(std::function<void()> done);

  // What `status` and the live line show: identity, relays, wallet, open jobs, online or not.
  nlohmann::json summary() const;
  ControlActions::State state() const;
  const runtime::Runtime& runtime() const { return *runtime_; }
  const base::PublicKey& public_key() const { return key_.public_key(); }

 private:
  Service(boost::asio::io_context& io, Config config, base::Clock clock, ServiceHooks hooks, nostr::SecretKey key);

  base::Result<void> open_adapters();
  base::Result<void> open_ledger();
  void open_relays();
  base::Result<void> open_runtime(std::string kill_at);
  void open_rollback_watch(bool accept);
  void probe();
  void open_if_ready();
  // Resumes the jobs that were open before, once, and starts reading the relays that may be read by now.
  void go_on();
  void leave(std::string reason, std::optional<std::int64_t> model_limit_ms, std::function<void()> done);
  void farewell();
  void judge_orphan(const replay::Difference& orphan);
  void go_online();
  void sell(const base::Result<inference::BackendStatus>& status);
  runtime::ReadinessWatch::Hooks readiness_hooks();
  ControlActions control_actions();

  boost::asio::io_context& io_;
  const Config config_;
  const base::Clock clock_;
  const ServiceHooks hooks_;
  const nostr::SecretKey key_;

  // Each member needs only members above it.
  std::unique_ptr<ledger::RocksDbStore> store_;
  std::vector<std::unique_ptr<ledger::Projection>> projections_;
  std::unique_ptr<ledger::GroupCommit> commits_;
  std::unique_ptr<net::IoScheduler> scheduler_;
  std::unique_ptr<Checkpoints> checkpoints_;
  OpenedWallet wallet_;
  wallet::SupervisedWallet* supervised_ = nullptr;  // the same
  std::vector<OpenedWallet> former_wallets_;
  OpenedPayer payer_;
  std::unique_ptr<inference::SupervisedBackend> backend_;
  std::unique_ptr<web::WebClient> web_;
  std::unique_ptr<runtime::Journal> ledger_journal_;
  std::unique_ptr<runtime::Journal> kill_point_;  // around it, in tests of crashes
  std::unique_ptr<RelayConnections> connections_;
  std::unique_ptr<runtime::Runtime> runtime_;
  std::unique_ptr<runtime::RollbackWatch> rollback_;
  std::unique_ptr<runtime::Announcer> announcer_;  // once it is known what is sold
  std::unique_ptr<Bookkeeper> bookkeeper_;
  std::unique_ptr<Pruner> pruner_;
  std::unique_ptr<Control> control_;
  std::unique_ptr<ControlSocket> control_socket_;
  // The backend's answer. Set only after the wallet has been asked too; start() waits for it.
  std::optional<base::Result<inference::BackendStatus>> probed_;
  std::vector<core::Observation> unsold_;  // configured models that cannot answer prompts
  bool may_open_ = false;                  // by the rollback watch
  bool may_resume_ = false;                // by the same
  bool selling_ = false;                   // the runtime has started
  bool taken_up_ = false;                  // it has gone on with what was open
  bool online_ = false;
  std::vector<std::function<void()>> leaving_;  // who waits until it is offline; not empty: it is going offline
  bool stopping_ = false;
};

}  // namespace cmd
