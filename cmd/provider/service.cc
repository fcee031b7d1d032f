#include "cmd/provider/service.h"

#include <boost/asio/post.hpp>

#include "base/free_space.h"
#include "base/secret_file.h"
#include "cmd/cli/passphrase.h"
#include "cmd/cli/random.h"
#include "cmd/cli/readiness_report.h"
#include "cmd/config/policy.h"
#include "cmd/provider/announcement.h"
#include "cmd/provider/kill_points.h"
#include "cmd/wallets/open_wallet.h"
#include "pipeline/inference/offered_models.h"
#include "pipeline/net/io_scheduler.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip19.h"
#include "pipeline/runtime/ledger_journal.h"
#include "replay/jobs_view.h"
#include "replay/projections.h"
#include "replay/recovery.h"

namespace cmd {

using base::ErrorKind;
using base::fail;
using base::Result;

namespace {

runtime::Options::Stream stream_of(const std::string& partials) {
  using Stream = runtime::Options::Stream;
  return partials == "never" ? Stream::never : partials == "always" ? Stream::always : Stream::asked;
}

std::vector<std::uint32_t> result_kinds(std::span<const ledger::PromptTemplate> templates) {
  std::vector<std::uint32_t> out = nostr::served_kinds(templates);
  for (std::uint32_t& kind : out) kind = nostr::result_kind(kind);
  return out;
}

// What a ledger lost may have been paid back already, or closed.
tl::unexpected<base::Error> rollback_unchecked(const char* code) {
  return fail(ErrorKind::job_processing, code, "it is not known yet whether this ledger lost its end", {},
              "try again in half a minute");
}

}  // namespace

Service::Service(boost::asio::io_context& io, Config config, base::Clock clock, ServiceHooks hooks,
                 nostr::SecretKey key)
    : io_(io), config_(std::move(config)), clock_(std::move(clock)), hooks_(std::move(hooks)), key_(std::move(key)) {}

Service::~Service() {
  control_socket_.reset();
  pruner_.reset();
  if (connections_) {
    connections_->hang_up();
    connections_->disconnect();
  }
  if (commits_) commits_->stop();
}

Result<std::unique_ptr<Service>> Service::open(boost::asio::io_context& io, Config config, base::Clock clock,
                                               std::string kill_at, bool accept_rollback, ServiceHooks hooks) {
  auto key = nostr::read_key_file(config.identity.key_file, passphrase_source(config.identity));
  if (!key) return tl::unexpected(key.error());
  if (const auto safe = check_play_money(config); !safe) return tl::unexpected(safe.error());
  if (const auto chosen = check_relays(config); !chosen) return tl::unexpected(chosen.error());
  std::unique_ptr<Service> out(new Service(io, std::move(config), std::move(clock), std::move(hooks), std::move(*key)));
  // The ledger comes after what often fails in a new shop, so that no empty ledger is left behind.
  auto opened = out->open_adapters();
  if (opened) opened = out->open_ledger();
  if (!opened) return tl::unexpected(opened.error());
  out->open_relays();
  if (opened = out->open_runtime(std::move(kill_at)); !opened) return tl::unexpected(opened.error());
  out->open_rollback_watch(accept_rollback);
  return out;
}

Result<void> Service::open_adapters() {
  scheduler_ = std::make_unique<net::IoScheduler>(io_, clock_);
  auto opened = open_wallet(io_, *scheduler_, config_, clock_, random_bytes, hooks_.problem);
  if (!opened) return tl::unexpected(opened.error());
  wallet_.link = std::move(opened->link);
  auto supervised = std::make_unique<wallet::SupervisedWallet>(std::move(opened->wallet), needs_of(config_),
                                                               *scheduler_, random_bytes, hooks_.problem);
  supervised_ = supervised.get();
  wallet_.wallet = std::move(supervised);
  if (auto fits = wallet::check_told(*wallet_.wallet, {}, needs_of(config_)); !fits) return fits;
  auto former = open_former_wallets(io_, *scheduler_, config_, clock_, random_bytes);
  if (!former) return tl::unexpected(former.error());
  former_wallets_ = std::move(*former);
  auto payer = open_payer(io_, *scheduler_, config_, clock_, random_bytes);
  if (!payer) return tl::unexpected(payer.error());
  payer_ = std::move(*payer);
  auto ollama = inference::OllamaClient::create(io_, config_.inference.url,
                                                {.connect_ms = config_.inference.connect_timeout_ms,
                                                 .first_token_ms = config_.inference.first_token_timeout_ms,
                                                 .stall_ms = config_.inference.stall_timeout_ms});
  if (!ollama) return tl::unexpected(ollama.error());
  backend_ = std::make_unique<inference::SupervisedBackend>(std::move(*ollama), *scheduler_);
  web_ = std::make_unique<web::WebClient>(io_, web::WebOptions{.allow_private = config_.web.allow_private});
  return {};
}

Result<void> Service::open_ledger() {
  if (const auto folder = base::create_private_folder(config_.paths.data_dir); !folder) return folder;
  auto store = ledger::open_writer(config_.paths.ledger());
  if (!store) return tl::unexpected(store.error());
  // Recovery stands on the views; without this, damage in them would stop us only when it is met.
  if (const auto whole = (*store)->verify_views(); !whole) return whole;
  store_ = std::move(*store);
  projections_ = replay::projections();
  auto opened = ledger::Ledger::open(*store_, replay::pointers(projections_));
  if (!opened) return tl::unexpected(opened.error());
  commits_ = std::make_unique<ledger::GroupCommit>(std::move(*opened));
  checkpoints_ = std::make_unique<Checkpoints>(
      Checkpoints::Ports{.scheduler = *scheduler_,
                         .post = [this](std::function<void()> task) { boost::asio::post(io_, std::move(task)); },
                         .commits = *commits_,
                         .key = key_,
                         .random = nostr::generate_aux,
                         .problem = hooks_.problem});
  return {};
}

void Service::open_relays() {
  connections_ = std::make_unique<RelayConnections>(
      RelayConnections::Ports{.io = io_, .scheduler = *scheduler_, .web = *web_, .store = *store_, .key = key_},
      config_,
      RelayConnections::Handlers{
          .on_request =
              [this](nostr::Received received) {
                runtime_->on_request(received.event, std::move(received.raw), received.relay,
                                     std::move(received.receipt));
              },
          .on_control =
              [this](const nostr::Received& received) { runtime_->on_control(received.event, received.relay); },
          .on_refused = [this](const std::string& reason) { runtime_->on_refused(reason); },
          .on_health =
              [this](const std::string& relay, nostr::RelayState state, const std::string& reason) {
                state == nostr::RelayState::live ? rollback_->connected(relay) : rollback_->disconnected(relay);
                runtime_->readiness_watch().judge();
                hooks_.relay(relay, state, reason);
              },
          .on_notice = hooks_.notice});
}

Result<void> Service::open_runtime(std::string kill_at) {
  ledger_journal_ = std::make_unique<runtime::LedgerJournal>(io_, *commits_, *store_, replay::find_job);
  if (!kill_at.empty()) kill_point_ = std::make_unique<KillPoint>(*ledger_journal_, std::move(kill_at));
  auto recovery = replay::recover(ledger::Reader(*store_), clock_(), config_.selling);
  if (!recovery) return tl::unexpected(recovery.error());
  const auto disk_low = [folder = config_.paths.ledger()] { return core::is_disk_low(base::free_bytes(folder)); };
  std::vector<wallet::Wallet*> former;
  for (const auto& one : former_wallets_) former.push_back(one.wallet.get());
  runtime_ = std::make_unique<runtime::Runtime>(
      runtime::Ports{.journal = kill_point_ ? *kill_point_ : *ledger_journal_,
                     .wallet = *wallet_.wallet,
                     .former_wallets = std::move(former),
                     .payer = payer_.wallet.get(),
                     .payer_account = payer_.account,
                     .backend = *backend_,
                     .relays = connections_->relays(),
                     .web = *web_,
                     .scheduler = *scheduler_,
                     .random = random_bytes,
                     .disk_low = disk_low},
      key_,
      runtime::Options{.own_relays = config_.relays.urls,
                       .networks = {network_of(config_)},
                       .stream = stream_of(config_.partials),
                       .entries = config_.entries,
                       .answer_limit_ms = config_.inference.answer_timeout_ms},
      std::move(*recovery),
      runtime::RuntimeHooks{.fatal = hooks_.fatal,
                            .problem = hooks_.problem,
                            .entry = hooks_.entry,
                            .readiness = readiness_hooks(),
                            .draining = hooks_.draining,
                            .cursors = [this] {
                              auto out = connections_->cursors();
                              std::ranges::move(bookkeeper_->cursors(), std::back_inserter(out));
                              return out;
                            }});
  std::vector<wallet::Wallet*> wallets{wallet_.wallet.get()};
  for (const auto& one : former_wallets_) wallets.push_back(one.wallet.get());
  bookkeeper_ = std::make_unique<Bookkeeper>(
      io_, *scheduler_, *store_, std::move(wallets),
      replay::WalletHabits{.forgets_paid = config_.wallet.forgets_paid, .shared = config_.wallet.shared},
      Bookkeeper::Hooks{
          .problem = hooks_.problem,
          .orphan = [this](const replay::Difference& orphan) { judge_orphan(orphan); },
          .unrecorded = [this](const base::JobId& job,
                               const base::Hash256& hash) { runtime_->invoicing().settle_late(job, hash); }});
  pruner_ = std::make_unique<Pruner>(
      Pruner::Ports{.post = [this](std::function<void()> task) { boost::asio::post(io_, std::move(task)); },
                    .store = *store_,
                    .commits = *commits_,
                    .record = [this](core::PruningOrdered batch) { runtime_->order(std::move(batch)); }});
  return {};
}

// ---- a ledger that lost its end -------------------------------------------------------------------------------------

void Service::open_rollback_watch(bool accept) {
  rollback_ = std::make_unique<runtime::RollbackWatch>(
      runtime::RollbackWatch::Ports{
          .relays = connections_->relays(),
          .scheduler = *scheduler_,
          .journal = *ledger_journal_,
          .reader = ledger::Reader(*store_),
          .accepted = [this] { return replay::accepted_rollback(ledger::Reader(*store_)); },
          .ask_wallet = [this](std::function<void()> done) { bookkeeper_->start(std::move(done)); },
          .sign =
              [this](nostr::Unsigned event) { return nostr::sign(std::move(event), key_, {random_bytes().bytes}); }},
      runtime::RollbackWatch::Options{.us = key_.public_key(),
                                      .own_relays = config_.relays.urls,
                                      .result_kinds = result_kinds(config_.selling.templates),
                                      .accept = accept},
      runtime::RollbackWatch::Hooks{.open =
                                        [this] {
                                          may_open_ = true;
                                          open_if_ready();
                                        },
                                    .release =
                                        [this] {
                                          may_resume_ = true;
                                          go_on();
                                        },
                                    .readable = [this] { go_on(); },
                                    .accepted =
                                        [this](ledger::RollbackAccepted accepted) {
                                          hooks_.problem("the ledger went back in time, and that is accepted: " +
                                                         accepted.evidence);
                                          runtime_->order(core::RollbackConfirmed{std::move(accepted)});
                                        },
                                    .refused = hooks_.fatal});
}

void Service::judge_orphan(const replay::Difference& orphan) {
  const auto judge = [&](const OpenedWallet& wallet) {
    if (!wallet.preimage_of) return;
    const auto job = replay::job_of_lost_invoice(ledger::Reader(*store_), orphan, wallet.preimage_of);
    if (!job) return hooks_.fatal(job.error());
    if (*job)
      rollback_->found({"the wallet was paid for an invoice of job " + (*job)->hex() +
                            ", made with this ledger's secret, that this ledger does not have",
                        orphan.settled_at});
  };
  judge(wallet_);
  for (const OpenedWallet& former : former_wallets_) judge(former);
}

// ---- going online ---------------------------------------------------------------------------------------------------

void Service::start() {
  if (const auto connected = connections_->connect(); !connected) return hooks_.fatal(connected.error());
  rollback_->start();
  probe();
}

// With a wallet that lacks a needed ability, the provider does not start, unless jobs are open: their payments must
// still be seen. With an unreachable wallet it starts, and declines jobs until the wallet answers.
void Service::probe() {
  wallet_.wallet->status([this](const Result<wallet::WalletStatus>& told) {
    if (stopping_) return;
    const bool unable = !told && wallet::is_inability(told.error());
    // What was sold must go on: what is paid is still seen and served.
    if (unable && runtime_->engine().open_jobs() == 0) return hooks_.fatal(told.error());
    runtime_->readiness_watch().hear(told);
    backend_->status([this](const Result<inference::BackendStatus>& status) {
      runtime_->readiness_watch().hear(status);
      probed_ = status;
      open_if_ready();
    });
  });
}

void Service::open_if_ready() {
  if (probed_ && may_open_ && !selling_ && !stopping_) sell(*probed_);
}

void Service::go_on() {
  if (!online_ || !may_resume_ || runtime_->draining() || stopping_) return;
  if (!std::exchange(taken_up_, true)) runtime_->take_up_open_jobs();
  for (const std::string& relay : rollback_->readable()) connections_->read(relay);
}

void Service::sell(const Result<inference::BackendStatus>& status) {
  if (!status && config_.selling.models.empty()) return hooks_.fatal(status.error());
  const std::vector<inference::ModelInfo> models = status ? status->models : std::vector<inference::ModelInfo>();
  auto policy = to_policy(config_, key_.public_key(),
                          {.play_money = wallet_.wallet->play_money(),
                           .unit = wallet_.wallet->unit(),
                           .minimum = wallet_.wallet->minimum()},
                          models);
  if (status) {
    unsold_ = inference::observe_models(config_.selling.models, *status);
    std::erase_if(unsold_, [](const auto& one) { return !one.error || one.error->code != "inference.no_completion"; });
  }
  if (policy.models.empty()) {
    return hooks_.fatal(base::Error{ErrorKind::config, "inference.no_models", "the backend has no model to sell",
                                    config_.inference.url, "pull one, for example `ollama pull llama3.2`"});
  }
  announcer_ = std::make_unique<runtime::Announcer>(
      runtime::Announcer::Ports{
          .relays = connections_->relays(),
          .scheduler = *scheduler_,
          .sign = [this](nostr::Unsigned event) { return nostr::sign(std::move(event), key_, {random_bytes().bytes}); },
          .obstacle =
              [this] {
                return heartbeat_obstacle(online_ && !runtime_->draining(), runtime_->readiness(),
                                          runtime_->engine().policy().payment_mode);
              }},
      announcer_options(config_, policy));
  backend_->prove(policy.models);
  runtime_->start(std::move(policy), SELLCOMPUTE_VERSION);
  selling_ = online_ = true;
  go_on();
  control_ = std::make_unique<Control>(control_actions());
  auto socket =
      ControlSocket::listen(io_, control_socket_path(config_.paths.data_dir),
                            [this](const auto& request, const auto& answer) { control_->handle(request, answer); });
  if (!socket) return hooks_.fatal(socket.error());
  control_socket_ = std::move(*socket);
  connections_->read_infos_regularly();
  if (config_.announce.enabled) announcer_->start();
  checkpoints_->make([this](const Result<std::string>& note) {
    if (note) rollback_->publish(*note);
  });
  checkpoints_->make_regularly([this](std::string note) { rollback_->publish(std::move(note)); });
  hooks_.online();
}

void Service::go_offline(std::string reason, std::function<void()> done) {
  leave(std::move(reason), std::nullopt, std::move(done));
}

void Service::leave(std::string reason, std::optional<std::int64_t> model_limit_ms, std::function<void()> done) {
  leaving_.push_back(std::move(done));
  const bool first = leaving_.size() == 1;
  if (first && announcer_) announcer_->stop();
  runtime_->drain(std::move(reason), model_limit_ms, [this, first] {
    if (first) farewell();
  });
}

void Service::farewell() {
  const auto hang_up = [this] {
    connections_->hang_up();
    // What still waited in the pool is answered first.
    boost::asio::post(io_, [this] {
      connections_->disconnect();
      online_ = false;
      for (const auto& done : std::exchange(leaving_, {})) done();
    });
  };
  checkpoints_->make([this, hang_up](const Result<std::string>& note) {
    rollback_->publish_last(note.value_or(std::string()), hang_up);
  });
}

void Service::stop(std::function<void()> done) {
  stopping_ = true;
  if (!control_) return done();  // it has not been online yet: nothing was begun
  leave("drained", runtime::Drain::kModelLimitMs, std::move(done));
}

void Service::go_online() {
  runtime_->go_online(SELLCOMPUTE_VERSION);
  if (const auto connected = connections_->connect(); !connected) return hooks_.fatal(connected.error());
  online_ = true;
  runtime_->readiness_watch().judge();
  backend_->prove(runtime_->engine().policy().models);
  go_on();
  if (config_.announce.enabled && !announcer_->withdrawn()) announcer_->start();
}

ControlActions::State Service::state() const {
  return {
      .online = online_, .draining = runtime_->draining(), .ending = stopping_, .left = runtime_->last_drain().left()};
}

ControlActions Service::control_actions() {
  return {.state = [this] { return state(); },
          .summary = [this] { return summary(); },
          .go_online = [this] { go_online(); },
          .go_offline = [this](std::string reason,
                               std::function<void()> done) { go_offline(std::move(reason), std::move(done)); },
          .cancel =
              [this](const base::JobId& job) {
                return runtime_->cancel(job, {.by = ledger::CancelledBy::provider, .reason = "told so"});
              },
          .refund =
              [this](const base::JobId& job, const runtime::RefundOrder& order, auto done) {
                if (!may_resume_) return done(rollback_unchecked("refund.rollback_unchecked"));
                runtime_->refund_desk().order(job, order, std::move(done));
              },
          .give_up_refund = [this](const base::JobId& job, const std::string& word,
                                   auto done) { runtime_->refund_desk().give_up(job, word, std::move(done)); },
          .close = [this](const base::JobId& job, const std::string& word,
                          auto done) { runtime_->invoicing().close(job, word, std::move(done)); },
          .retry =
              [this](const base::JobId& job, auto done) {
                if (!may_resume_) return done(rollback_unchecked("retry.rollback_unchecked"));
                runtime_->order(runtime::ResultRetry{job, std::move(done)});
              },
          .may_announce = config_.announce.enabled,
          .announce = [this] { announcer_->start(); },
          .withdraw = [this](auto done) { announcer_->withdraw(std::move(done)); },
          .checkpoint = [this](auto done) { checkpoints_->make(std::move(done)); },
          .prune = [this](std::int64_t older_than_ms,
                          auto done) { pruner_->prune(clock_() - older_than_ms, std::move(done)); }};
}

// ---- being found ----------------------------------------------------------------------------------------------------

runtime::ReadinessWatch::Hooks Service::readiness_hooks() {
  return {.observe =
              [this](core::Observations& seen) {
                seen.backend.which = config_.inference.url;
                std::ranges::copy(unsold_, std::back_inserter(seen.models));
                seen.relays = connections_->observe();
                seen.rollback_checked = rollback_->checked();
              },
          .changed = hooks_.readiness};
}

nlohmann::json Service::summary() const {
  return {{"online", online_ && !runtime_->draining()},
          {"draining", runtime_->last_drain().waiting_for()},
          {"npub", nostr::encode_npub(key_.public_key())},
          {"pubkey", key_.public_key().hex()},
          {"wallet", wallet_.wallet->kind()},
          {"play_money", wallet_.wallet->play_money()},
          {"ready", runtime_->readiness().ready(runtime_->engine().policy().payment_mode)},
          {"stranger_pool_left_msat",
           core::stranger_pool_left(runtime_->engine().shop(), runtime_->engine().policy(), clock_()).value},
          {"payment_mode", ledger::name(runtime_->engine().policy().payment_mode)},
          {"readiness", to_json(runtime_->readiness())},
          {"payments_in_doubt", supervised_->doubts().invoices},
          {"payment_doubt", supervised_->doubts().reason},
          {"open_jobs", runtime_->engine().open_jobs()},
          {"unfinished_jobs", runtime_->engine().unfinished_jobs()},
          {"relays", connections_->summary()},
          {"books", bookkeeper_->summary()},
          {"announcing", announcer_ ? describe_announcing(*announcer_, config_.announce) : nlohmann::json()}};
}

}  // namespace cmd
