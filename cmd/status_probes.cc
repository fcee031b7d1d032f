#include "cmd/status_probes.h"

#include <boost/asio/io_context.hpp>
#include <chrono>

#include "base/free_space.h"
#include "cmd/cli/command.h"
#include "cmd/cli/random.h"
#include "cmd/config/policy.h"
#include "cmd/text/humanize.h"
#include "cmd/wallets/open_wallet.h"
#include "ledger/reader.h"
#include "ledger/rocksdb_store.h"
#include "pipeline/inference/offered_models.h"
#include "pipeline/inference/ollama_client.h"
#include "pipeline/net/io_scheduler.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/nostr/nip90_request.h"
#include "pipeline/nostr/relay/client.h"
#include "pipeline/wallet/sandbox_books.h"

namespace cmd {
namespace {

using base::Error;
using base::ErrorKind;
using base::Result;
using core::Observation;

// The offers of these settings. Without [[models]] tables they are all models of the server that answer prompts.
std::vector<ledger::ModelOffer> offers_of(const Config& config, const inference::BackendStatus& status) {
  if (!config.selling.models.empty()) return config.selling.models;
  std::vector<ledger::ModelOffer> out;
  for (const auto& model : status.models) {
    if (model.completes) out.push_back({.name = model.name});
  }
  return out;
}

base::TimeMs ledger_time(const Config& config) {
  const auto store = ledger::open_reader(config.paths.ledger());
  if (!store) return {};
  const auto state = ledger::Reader(**store).state();
  return state ? state->time : base::TimeMs{};
}

// Observations stay where they are while their answers come: adapters hold references to them.
class Probes {
 public:
  Probes(const Config& config, const Result<nostr::SecretKey>& key) : config_(config), key_(key) {}

  core::Observations run() {
    seen_.relays.resize(config_.relays.urls.size());
    start_backend();
    start_wallet();
    for (std::size_t i = 0; i < config_.relays.urls.size(); ++i) start_relay(config_.relays.urls[i], seen_.relays[i]);
    if (--waiting_ > 0) io_.run_for(std::chrono::milliseconds(kProbePatienceMs));
    for (auto& client : clients_) client->shut_down();
    seen_.disk_low = core::is_disk_low(base::free_bytes(config_.paths.ledger()));
    seen_.ledger_time = ledger_time(config_);
    seen_.clock = wall_clock();
    return std::move(seen_);
  }

 private:
  // Counts as unanswered until finish().
  void begin(Observation& one, std::string which) {
    ++waiting_;
    one.which = std::move(which);
    one.error = Error{ErrorKind::connection,
                      "status.timed_out",
                      "no answer within " + took(kProbePatienceMs),
                      {},
                      "is it running, and is the address right?"};
  }

  // Only the first answer counts.
  void finish(Observation& one, std::optional<Error> error, std::string note = {}) {
    if (one.latency_ms) return;
    one.error = std::move(error);
    one.note = std::move(note);
    one.latency_ms = wall_clock() - started_;
    if (--waiting_ == 0) io_.stop();
  }

  void start_backend() {
    begin(seen_.backend, config_.inference.url);
    auto backend = inference::OllamaClient::create(io_, config_.inference.url,
                                                   {.connect_ms = config_.inference.connect_timeout_ms});
    if (!backend) return finish(seen_.backend, backend.error());
    backend_ = std::move(*backend);
    backend_->status([this](const Result<inference::BackendStatus>& status) {
      if (!status) return finish(seen_.backend, status.error());
      seen_.models = inference::observe_models(offers_of(config_, *status), *status);
      finish(seen_.backend, {}, inference::list_models(*status));
    });
  }

  void start_wallet() {
    begin(seen_.wallet, config_.wallet.kind);
    if (const auto secret = read_wallet_secret(config_); !secret) return finish(seen_.wallet, secret.error());
    if (const auto safe = check_play_money(config_); !safe) return finish(seen_.wallet, safe.error());
    if (config_.wallet.kind == "sandbox") return read_sandbox();
    auto opened = open_wallet(io_, scheduler_, config_, wall_clock, random_bytes, [](const std::string&) {});
    if (!opened) return finish(seen_.wallet, opened.error());
    wallet_ = std::move(*opened);
    wallet_.wallet->status([this](const Result<wallet::WalletStatus>& status) {
      const auto fits = status ? wallet::check_told(*wallet_.wallet, *status, needs_of(config_))
                               : Result<void>(tl::unexpected(status.error()));
      if (!fits) return finish(seen_.wallet, fits.error());
      finish(seen_.wallet, {}, wallet::describe(*status, *wallet_.wallet));
    });
  }

  // Its books are not begun by a question.
  void read_sandbox() {
    const auto balance = wallet::SandboxBooks(config_.wallet.folder).balance();
    if (!balance) return finish(seen_.wallet, balance.error());
    finish(seen_.wallet, {}, "balance " + sats(*balance) + " (play money)");
  }

  void start_relay(const std::string& text, Observation& one) {
    begin(one, text);
    const auto url = net::parse_relay_url(text);
    if (!url) return finish(one, url.error());
    nostr::RelayLinkHandlers handlers;
    handlers.on_health = [this, &one](nostr::RelayState state, const std::string& reason) {
      if (state == nostr::RelayState::live) finish(one, {}, "answers");
      if (state == nostr::RelayState::offline)
        finish(one, Error{ErrorKind::connection, "relay.unreachable", reason, {}, {}});
    };
    clients_.push_back(std::make_unique<nostr::RelayClient>(
        io_, connector_,
        nostr::RelayClientOptions{
            .url = *url,
            .guarded = false,
            .clock = wall_clock,
            .session = {.random = [] { return 0.5; },
                        .sign_auth = [this](const auto& relay, const auto& challenge,
                                            auto at) { return sign_auth(relay, challenge, at); }}},
        std::move(handlers)));
    clients_.back()->start();
    clients_.back()->subscribe("status", [this] { return std::vector{probe()}; });
  }

  // What every relay takes: it names one kind and, as `serve` does where a relay asks for it, us.
  nostr::Filter probe() const {
    nostr::Filter filter{.kinds = {nostr::kTextRequestKind}, .limit = 1};
    if (key_) filter.tags = {{'p', {key_->public_key().hex()}}};
    return filter;
  }

  std::optional<nostr::Event> sign_auth(const std::string& relay, const std::string& challenge, base::TimeMs at) const {
    if (!key_) return std::nullopt;
    return nostr::auth_event(*key_, relay, challenge, at, {random_bytes().bytes});
  }

  const Config& config_;
  const Result<nostr::SecretKey>& key_;
  const base::TimeMs started_ = wall_clock();
  core::Observations seen_;
  std::size_t waiting_ = 1;  // for run() itself, until everything has been asked
  boost::asio::io_context io_{1};
  net::WebsocketConnector connector_{io_};
  net::IoScheduler scheduler_{io_, wall_clock};
  OpenedWallet wallet_;
  std::unique_ptr<inference::OllamaClient> backend_;
  std::vector<std::unique_ptr<nostr::RelayClient>> clients_;
};

}  // namespace

core::Observations probe_everything(const Config& config, const Result<nostr::SecretKey>& key) {
  return Probes(config, key).run();
}

}  // namespace cmd
