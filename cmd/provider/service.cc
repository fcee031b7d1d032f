#include "cmd/provider/service.h"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/secret_file.h"
#include "cmd/cli/passphrase.h"
#include "cmd/cli/random.h"
#include "cmd/config/policy.h"
#include "cmd/provider/announcement.h"
#include "cmd/provider/control.h"
#include "cmd/provider/kill_points.h"
#include "cmd/wallets/open_wallet.h"
#include "ledger/rocksdb_store.h"
#include "pipeline/net/io_scheduler.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip11.h"
#include "pipeline/nostr/nip19.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/nostr/nip90.h"
#include "pipeline/runtime/ledger_journal.h"
#include "replay/jobs_view.h"
#include "replay/projections.h"
#include "replay/recovery.h"

namespace cmd {

using base::ErrorKind;
using base::fail;
using base::Result;

namespace {

constexpr std::int64_t kRelayInfoIntervalMs = 60LL * 60 * 1000;
constexpr std::int64_t kCheckpointIntervalMs = 5LL * 60 * 1000;
constexpr std::uintmax_t kLowDiskBytes = 256ULL * 1024 * 1024;  // below it no new jobs are taken

runtime::Options::Stream stream_of(const std::string& partials) {
  using Stream = runtime::Options::Stream;
  return partials == "never" ? Stream::never : partials == "always" ? Stream::always : Stream::asked;
}

// Where a relay serves its information document (NIP-11): ws becomes http, wss https.
web::WebRequest relay_info_request(const std::string& relay) {
  return {.url = "http" + relay.substr(2), .accept = "application/nostr+json", .own = true};
}

nostr::RelayLimits limits_of(const nostr::RelayInfo& info) {
  nostr::RelayLimits out;
  if (info.max_message_length) out.max_message_length = static_cast<std::size_t>(*info.max_message_length);
  if (info.min_pow_difficulty) out.min_pow_difficulty = static_cast<unsigned>(*info.min_pow_difficulty);
  return out;
}

}  // namespace

// Publishes through whatever pool there is; while offline it says so, and the delivery tries again.
class Service::PoolRelays final : public nostr::Relays {
 public:
  PoolRelays(Service& service) : service_(service) {}
  void publish(const std::string& relay, const std::string& event_json, const base::EventId& id,
               std::function<void(ledger::RelayAnswer)> done) override {
    if (service_.pool_) return service_.pool_->publish(relay, event_json, id, std::move(done));
    service_.scheduler_->after(0, [relay, done = std::move(done), now = service_.clock_()] {
      done({.relay = relay, .message = "we are offline", .at = now});
    });
  }
  void query(const std::string& relay, nostr::Filter filter,
             std::function<void(Result<std::vector<nostr::Event>>)> done) override {
    if (service_.pool_) return service_.pool_->query(relay, std::move(filter), std::move(done));
    service_.scheduler_->after(0, [relay, done = std::move(done)] {
      done(fail(ErrorKind::connection, "relay.query", "not asked: we are offline", relay));
    });
  }
  Result<void> watch(std::vector<nostr::Filter> filters) override {
    if (service_.pool_) return service_.pool_->watch(std::move(filters));
    return fail(ErrorKind::connection, "relay.watch", "not asked: we are offline");
  }
  unsigned required_pow(const std::string& relay) const override {
    return service_.pool_ ? service_.pool_->required_pow(relay) : 0;
  }

 private:
  Service& service_;
};

Service::Service(boost::asio::io_context& io, Config config, base::Clock clock, ServiceHooks hooks,
                 nostr::SecretKey key)
    : io_(io), config_(std::move(config)), clock_(std::move(clock)), hooks_(std::move(hooks)), key_(std::move(key)) {}

Service::~Service() {
  control_.reset();
  if (pool_) pool_->shut_down();
  pool_.reset();
  if (commits_) commits_->stop();
}

Result<std::unique_ptr<Service>> Service::open(boost::asio::io_context& io, Config config, base::Clock clock,
                                               std::string kill_at, ServiceHooks hooks) {
  auto key = nostr::read_key_file(config.identity.key_file, passphrase_source(config.identity));
  if (!key) return tl::unexpected(key.error());
  if (const auto safe = check_play_money(config); !safe) return tl::unexpected(safe.error());
  if (config.relays.urls.empty()) {
    return fail(ErrorKind::config, "config.no_relays", "no relays are configured", {},
                "set relays.urls in " + config.paths.config_file.string());
  }
  std::unique_ptr<Service> out(new Service(io, std::move(config), std::move(clock), std::move(hooks), std::move(*key)));
  auto opened = out->open_ledger();
  if (opened) opened = out->open_adapters();
  if (opened) opened = out->open_runtime(std::move(kill_at));
  if (!opened) return tl::unexpected(opened.error());
  return out;
}

Result<void> Service::open_ledger() {
  if (const auto folder = base::create_private_folder(config_.paths.data_dir); !folder) return folder;
  auto store = ledger::open_writer(config_.paths.ledger());
  if (!store) return tl::unexpected(store.error());
  store_ = std::move(*store);
  projections_ = replay::projections();
  auto opened = ledger::Ledger::open(*store_, replay::pointers(projections_));
  if (!opened) return tl::unexpected(opened.error());
  commits_ = std::make_unique<ledger::GroupCommit>(std::move(*opened));
  return {};
}

Result<void> Service::open_adapters() {
  scheduler_ = std::make_unique<net::IoScheduler>(io_, clock_);
  auto opened = open_wallet(io_, *scheduler_, config_, clock_, random_bytes);
  if (!opened) return tl::unexpected(opened.error());
  wallet_ = std::move(*opened);
  if (const auto able = check_escrow(); !able) return able;
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
  backend_ = std::move(*ollama);
  web_ = std::make_unique<web::WebClient>(io_, web::WebOptions{.allow_private = config_.web.allow_private});
  relays_ = std::make_unique<PoolRelays>(*this);
  return {};
}

Result<void> Service::open_runtime(std::string kill_at) {
  ledger_journal_ = std::make_unique<runtime::LedgerJournal>(io_, *commits_, *store_, replay::find_job);
  if (!kill_at.empty()) kill_point_ = std::make_unique<KillPoint>(*ledger_journal_, std::move(kill_at));
  auto recovery = replay::recover(ledger::Reader(*store_), clock_(), config_.selling);
  if (!recovery) return tl::unexpected(recovery.error());
  const auto disk_low = [folder = config_.paths.ledger()] {
    std::error_code error;
    const auto space = std::filesystem::space(folder, error);
    return !error && space.available < kLowDiskBytes;
  };
  std::vector<wallet::Wallet*> former;
  for (const auto& one : former_wallets_) former.push_back(one.wallet.get());
  runtime_ = std::make_unique<runtime::Runtime>(
      runtime::Ports{.journal = kill_point_ ? *kill_point_ : *ledger_journal_,
                     .wallet = *wallet_.wallet,
                     .former_wallets = std::move(former),
                     .payer = payer_.wallet.get(),
                     .payer_account = payer_.account,
                     .backend = *backend_,
                     .relays = *relays_,
                     .web = *web_,
                     .scheduler = *scheduler_,
                     .random = random_bytes,
                     .disk_low = disk_low},
      key_,
      runtime::Options{
          .own_relays = config_.relays.urls, .networks = {network_of(config_)}, .stream = stream_of(config_.partials)},
      std::move(*recovery),
      runtime::RuntimeHooks{.fatal = hooks_.fatal, .problem = hooks_.problem, .entry = hooks_.entry, .cursors = [this] {
                              return cursors();
                            }});
  std::vector<wallet::Wallet*> wallets{wallet_.wallet.get()};
  for (const auto& one : former_wallets_) wallets.push_back(one.wallet.get());
  bookkeeper_ = std::make_unique<Bookkeeper>(io_, *scheduler_, *store_, std::move(wallets), hooks_.problem);
  return {};
}

Result<void> Service::check_escrow() const {
  const bool escrow = config_.selling.payment_mode == ledger::PaymentMode::escrow;
  if (!escrow || wallet_.wallet->abilities().holds) return {};
  return fail(ErrorKind::config, "config.escrow", "the wallet " + wallet_.wallet->kind() + " cannot hold payments",
              "selling.payment_mode", "sell with payment_first or result_first, or with lnd, nwc or spark");
}

void Service::start() {
  const auto ask_backend = [this] {
    backend_->status([this](const Result<inference::BackendStatus>& status) { sell(status); });
  };
  if (config_.selling.payment_mode != ledger::PaymentMode::escrow) return ask_backend();
  // Some wallets tell what they can do with their first answer.
  wallet_.wallet->status([this, ask_backend](const Result<wallet::WalletStatus>&) {
    const auto able = check_escrow();
    able ? ask_backend() : hooks_.fatal(able.error());
  });
}

void Service::sell(const Result<inference::BackendStatus>& status) {
  if (!status && config_.selling.models.empty()) return hooks_.fatal(status.error());
  const std::vector<inference::ModelInfo> models = status ? status->models : std::vector<inference::ModelInfo>();
  auto policy = to_policy(config_, key_.public_key(),
                          {.play_money = wallet_.wallet->play_money(),
                           .unit = wallet_.wallet->unit(),
                           .minimum = wallet_.wallet->minimum()},
                          models);
  if (policy.models.empty()) {
    return hooks_.fatal(base::Error{ErrorKind::config, "inference.no_models", "the backend has no model to sell",
                                    config_.inference.url, "pull one, for example `ollama pull llama3.2`"});
  }
  open_announcer(policy);
  runtime_->start(std::move(policy), SELLCOMPUTE_VERSION);
  if (const auto connected = connect_relays(); !connected) return hooks_.fatal(connected.error());
  auto control = ControlSocket::listen(io_, control_socket_path(config_.paths.data_dir),
                                       [this](const auto& request, auto answer) { on_control(request, answer); });
  if (!control) return hooks_.fatal(control.error());
  control_ = std::move(*control);
  online_ = true;
  read_relay_infos_regularly();
  if (config_.announce.enabled) announcer_->start();
  checkpoint_regularly();
  bookkeeper_->start();
  hooks_.online();
}

Result<void> Service::connect_relays() {
  nostr::PoolOptions options{
      .relays = config_.relays.urls,
      .wanted = {nostr::request_filter(key_.public_key(), config_.selling.serve_broadcast,
                                       nostr::served_kinds(config_.selling.templates))},
      .allow_private = config_.relays.allow_private,
      .clock = clock_,
      .random = random_fraction,
      .sign_auth = [this](const std::string& url, const std::string& challenge, base::TimeMs now) {
        return std::optional(nostr::auth_event(key_, url, challenge, now, {random_bytes().bytes}));
      }};
  options.limits.max_age_ms =
      config_.relays.max_absence_ms + options.limits.overlap_ms;  // a sender's clock may be late
  auto pool = nostr::RelayPool::make(
      io_, std::move(options),
      {.on_event = [this](nostr::Received received) { on_received(std::move(received)); },
       .on_control = [this](const nostr::Received& received) { runtime_->on_control(received.event, received.relay); },
       .on_refused = [this](const std::string&,
                            nostr::Refusal why) { runtime_->on_refused(std::string(nostr::name(why))); },
       .on_health =
           [this](const std::string& relay, nostr::RelayState state, const std::string& reason) {
             if (std::ranges::find(config_.relays.urls, relay) != config_.relays.urls.end())
               hooks_.relay(relay, state, reason);
           },
       .on_notice = [](const std::string&, const std::string&) {}});
  if (!pool) return tl::unexpected(pool.error());
  std::map<std::string, base::TimeMs> known;
  for (const std::string& relay : config_.relays.urls) {
    const auto cursor = ledger::Reader(*store_).cursor(relay);
    if (!cursor) return tl::unexpected(cursor.error());
    if (*cursor) known[relay] = **cursor;
  }
  pool_ = std::move(*pool);
  pool_->start(known);
  read_relay_infos();
  return {};
}

// What our relays say of their limits. One that serves no document has none that we know.
void Service::read_relay_infos() {
  for (const std::string& relay : config_.relays.urls) {
    web_->fetch(relay_info_request(relay), [this, relay](const web::Answer& document) {
      const auto info = document.and_then([](const std::string& text) { return nostr::parse_relay_info(text); });
      if (info && pool_) pool_->set_limits(relay, limits_of(*info));
    });
  }
}

void Service::read_relay_infos_regularly() {
  scheduler_->after(kRelayInfoIntervalMs, [this] {
    read_relay_infos();
    read_relay_infos_regularly();
  });
}

void Service::on_received(nostr::Received received) {
  runtime_->on_request(received.event, std::move(received.raw), received.relay, std::move(received.receipt));
}

std::vector<std::pair<std::string, base::TimeMs>> Service::cursors() const {
  std::vector<std::pair<std::string, base::TimeMs>> out;
  if (!pool_) return out;
  for (const std::string& relay : config_.relays.urls) {
    if (const auto cursor = pool_->cursor(relay)) out.emplace_back(relay, *cursor);
  }
  return out;
}

void Service::go_offline(std::string reason, std::function<void()> done) {
  if (announcer_) announcer_->stop();
  runtime_->drain(std::move(reason), [this, done = std::move(done)] {
    if (pool_) pool_->shut_down();
    // What still waited in the pool is answered first.
    make_checkpoint([this, done] {
      pool_.reset();
      online_ = false;
      done();
    });
  });
}

void Service::stop(std::function<void()> done) {
  stopping_ = true;
  go_offline("drained", std::move(done));
}

void Service::go_online() {
  runtime_->go_online(SELLCOMPUTE_VERSION);
  if (const auto connected = connect_relays(); !connected) return hooks_.fatal(connected.error());
  online_ = true;
  if (config_.announce.enabled && !announcer_->withdrawn()) announcer_->start();
}

void Service::on_control(const nlohmann::json& request, const ControlSocket::Answer& answer) {
  const std::string method = request.value("method", "");
  if (method == "status") return answer({{"ok", true}, {"status", summary()}});
  if (method == "online") {
    if (stopping_) return answer({{"ok", false}, {"error", "it is ending"}});
    if (online_ && runtime_->draining())
      return answer({{"ok", false}, {"error", "still finishing started jobs; try again"}});
    if (online_) return answer({{"ok", true}, {"text", "already online"}});
    go_online();
    return answer({{"ok", true}, {"text", "online"}});
  }
  if (method == "offline") {
    if (!online_) return answer({{"ok", true}, {"text", "already offline"}});
    const bool wait = request.value("drain", false);
    go_offline("told so", [answer, wait] {
      if (wait) answer({{"ok", true}, {"text", "offline; every started job is finished"}});
    });
    if (!wait) answer({{"ok", true}, {"text", "offline for new jobs; started ones finish"}});
    return;
  }
  if (method == "cancel") return answer(cancel(request.value("job", "")));
  if (method == "refund") return answer_refund(*runtime_, request, answer);
  if (method == "announce") return announce(answer);
  if (method == "withdraw") {
    return announcer_->withdraw([answer](const std::vector<runtime::Visibility>& report) {
      answer({{"ok", true}, {"relays", to_json(report)}});
    });
  }
  answer({{"ok", false}, {"error", "unknown method \"" + method + "\""}});
}

nlohmann::json Service::cancel(const std::string& job) {
  const auto id = base::JobId::from_hex(job);
  if (id && runtime_->cancel(*id, {.by = ledger::CancelledBy::provider, .reason = "told so"}))
    return {{"ok", true}, {"text", "cancelled; the customer is told"}};
  return {{"ok", false}, {"error", "it is too late: the job has ended, or its result is signed"}};
}

// ---- being found ----------------------------------------------------------------------------------------------------

void Service::open_announcer(const ledger::ProviderConfigured& policy) {
  announcer_ = std::make_unique<runtime::Announcer>(
      runtime::Announcer::Ports{
          .relays = *relays_,
          .scheduler = *scheduler_,
          .sign = [this](nostr::Unsigned event) { return nostr::sign(std::move(event), key_, {random_bytes().bytes}); },
          .check_health = [this](auto done) { check_health(std::move(done)); }},
      announcer_options(config_, policy));
}

// Asks anew: what the runtime knows may be a quarter of a minute old, or nothing yet.
void Service::check_health(std::function<void(std::string trouble)> done) {
  backend_->status([this, done = std::move(done)](const Result<inference::BackendStatus>& backend) {
    if (!backend) return done("the backend does not answer: " + backend.error().message);
    wallet_.wallet->status([this, done](const Result<wallet::WalletStatus>& wallet) {
      if (!wallet) return done("the wallet does not answer: " + wallet.error().message);
      done(online_ && !runtime_->draining() ? "" : "we take no jobs now");
    });
  });
}

void Service::announce(const ControlSocket::Answer& answer) {
  if (!config_.announce.enabled)
    return answer({{"ok", false}, {"error", "the settings say not to: set announce.enabled = true"}});
  if (!online_ || runtime_->draining())
    return answer({{"ok", false}, {"error", "we are offline: `sellcompute online` announces too"}});
  announcer_->start();
  answer({{"ok", true}, {"text", "announcing; `sellcompute status` shows where it is seen"}});
}

void Service::checkpoint_regularly() {
  scheduler_->after(kCheckpointIntervalMs, [this] {
    make_checkpoint([] {});
    checkpoint_regularly();
  });
}

// A write that failed is told here, and ends the process with the next append.
void Service::make_checkpoint(std::function<void()> then) {
  const auto sign = [this](const base::Hash256& digest) {
    return nostr::generate_aux().map([&](const auto& aux) { return key_.sign(digest.view(), aux); });
  };
  const auto made = [this, then = std::move(then)](Result<void> result) {
    boost::asio::post(io_, [this, then, result = std::move(result)] {
      if (!result) hooks_.problem("no checkpoint was made: " + result.error().describe());
      then();
    });
  };
  ledger::make_checkpoint(*commits_, clock_(), key_.public_key(), sign, made);
}

nlohmann::json Service::summary() const {
  nlohmann::json relays = nlohmann::json::array();
  if (pool_) {
    for (const auto& relay : pool_->health()) {
      relays.push_back({{"url", relay.url},
                        {"own", relay.own},
                        {"live", relay.state == nostr::RelayState::live},
                        {"state", nostr::name(relay.state)},
                        {"reason", relay.reason}});
    }
  }
  return {{"online", online_ && !runtime_->draining()},
          {"npub", nostr::encode_npub(key_.public_key())},
          {"pubkey", key_.public_key().hex()},
          {"wallet", wallet_.wallet->kind()},
          {"play_money", wallet_.wallet->play_money()},
          {"healthy", runtime_->healthy()},
          {"open_jobs", runtime_->engine().open_jobs()},
          {"relays", std::move(relays)},
          {"books", bookkeeper_->summary()},
          {"announcing", announcer_ ? describe_announcing(*announcer_, config_.announce) : nlohmann::json()}};
}

}  // namespace cmd
