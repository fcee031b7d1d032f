// sellcompute status: is everything there that selling needs? All checks run at once, each within kPatienceMs.
#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <chrono>
#include <filesystem>
#include <ostream>

#include "cmd/cli/control_socket.h"
#include "cmd/cli/passphrase.h"
#include "cmd/commands.h"
#include "cmd/config/policy.h"
#include "cmd/text/humanize.h"
#include "cmd/text/when.h"
#include "cmd/wallets/open_wallet.h"
#include "ledger/reader.h"
#include "ledger/rocksdb_store.h"
#include "ledger/views.h"
#include "pipeline/inference/ollama_client.h"
#include "pipeline/net/io_scheduler.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip19.h"
#include "pipeline/nostr/nip42.h"
#include "pipeline/nostr/relay/client.h"
#include "pipeline/wallet/sandbox_books.h"
#include "replay/projections.h"

namespace cmd {
namespace {

using base::ErrorKind;
using base::Result;

constexpr std::int64_t kPatienceMs = 10'000;

// One line of the report.
struct Check {
  std::string what;   // "relays"
  std::string which;  // "wss://relay.one"
  std::optional<base::Error> error;
  std::optional<std::int64_t> latency_ms;
  std::string note;
};

Check passed(std::string what, std::string which, std::string note) {
  return {std::move(what), std::move(which), std::nullopt, std::nullopt, std::move(note)};
}

Check failed(std::string what, std::string which, base::Error error) {
  return {std::move(what), std::move(which), std::move(error), std::nullopt, {}};
}

base::Error unreachable(std::string code, std::string message, std::string hint) {
  return {ErrorKind::connection, std::move(code), std::move(message), {}, std::move(hint)};
}

// ---- what is on this machine ----------------------------------------------------------------------------------------

Check check_identity(const Result<nostr::SecretKey>& key) {
  if (!key) return failed("identity", "", key.error());
  return passed("identity", nostr::encode_npub(key->public_key()), "key file ok");
}

Check check_wallet(const Config& config) {
  if (const auto secret = read_wallet_secret(config); !secret)
    return failed("wallet", config.wallet.kind, secret.error());
  if (auto done = check_play_money(config); !done) return failed("wallet", config.wallet.kind, done.error());
  if (config.wallet.kind != "sandbox") return passed("wallet", config.wallet.kind, "");
  const auto started = wall_clock();
  const auto balance = std::filesystem::exists(config.wallet.folder)
                           ? wallet::SandboxBooks(config.wallet.folder).balance()
                           : Result<base::Msat>(base::Msat{});
  if (!balance) return failed("wallet", config.wallet.kind, balance.error());
  Check check = passed("wallet", config.wallet.kind, "balance " + sats(*balance) + " (play money)");
  check.latency_ms = wall_clock() - started;
  return check;
}

Check check_ledger(const Config& config) {
  const auto store = ledger::open_reader(config.paths.ledger());
  if (!store && store.error().code == "ledger.absent") return passed("ledger", "", "none yet: `serve` begins one");
  if (!store) return failed("ledger", "", store.error());
  const ledger::Reader reader(**store);
  const auto state = reader.state();
  if (!state) return failed("ledger", "", state.error());
  const auto projections = replay::projections();
  auto views = ledger::check_views(*state, replay::pointers(projections));
  if (views) views = (*store)->verify_views();
  if (!views) return failed("ledger", "", views.error());
  const auto checkpoint = reader.last_checkpoint();
  if (!checkpoint) return failed("ledger", "", checkpoint.error());
  if (const auto warning = ahead_of_clock(state->time, wall_clock()); !warning.empty()) {
    return failed("ledger", grouped(static_cast<std::int64_t>(state->size)) + " entries",
                  {ErrorKind::invocation, "ledger.in_future", warning, {}, {}});
  }
  std::string note = state->size == 0 ? "" : "last entry " + age(wall_clock() - state->time) + " ago, ";
  note += *checkpoint ? "checkpoint over " + grouped(static_cast<std::int64_t>((*checkpoint)->size)) : "no checkpoint";
  return passed("ledger", grouped(static_cast<std::int64_t>(state->size)) + " entries", note);
}

// What a `serve` on this data folder says of itself.
Result<nlohmann::json> ask_serve(const Config& config) {
  return ask_running_serve(control_socket_path(config.paths.data_dir), {{"method", "status"}})
      .map([](const nlohmann::json& reply) { return reply.value("status", nlohmann::json()); });
}

Check check_selling(const Result<nlohmann::json>& serve) {
  if (!serve && serve.error().code == "control.not_running")
    return passed("selling", "offline", "type `sellcompute serve`");
  if (!serve) return failed("selling", "", serve.error());
  const auto& status = *serve;
  const bool online = status.value("online", false);
  if (const std::string trouble = status.value("wallet_trouble", ""); !trouble.empty())
    return failed("selling", "closed",
                  {ErrorKind::payment, "wallet.unable", "no jobs are accepted: " + trouble, {}, {}});
  return passed(
      "selling", online ? "online" : "paused",
      std::to_string(status.value("open_jobs", 0)) + " open jobs" + (online ? "" : "; `sellcompute online` goes on"));
}

// Whether they were paid, the wallet does not say in a way that can be believed.
std::vector<Check> check_payments(const nlohmann::json& serve) {
  const auto doubtful = serve.value("payments_in_doubt", 0LL);
  if (doubtful == 0) return {};
  return {failed("payments", "",
                 {ErrorKind::payment,
                  "status.payments",
                  "whether " + grouped(doubtful) + (doubtful == 1 ? " invoice was" : " invoices were") +
                      " paid is not known: " + serve.value("payment_doubt", ""),
                  {},
                  "the log names each"})};
}

// The wallet's own list beside the ledger.
std::vector<Check> check_books(const nlohmann::json& serve) {
  const auto& books = serve.contains("books") ? serve["books"] : nlohmann::json();
  if (!books.is_object()) return {};
  const std::string when = "compared " + age(wall_clock() - base::TimeMs{books.value("looked_at_ms", 0LL)}) + " ago";
  const std::string trouble = books.value("trouble", "");
  if (!trouble.empty()) return {passed("books", "", "not compared with the wallet: " + trouble)};
  const auto differences = books.value("differences", 0LL);
  if (differences == 0) {
    return {passed("books", "",
                   "the wallet lists the same " + grouped(books.value("matched", 0LL)) + " payments, " + when)};
  }
  return {failed("books", "",
                 {ErrorKind::payment,
                  "status.books",
                  "the wallet and the ledger differ in " + grouped(differences) +
                      (differences == 1 ? " payment, " : " payments, ") + when,
                  {},
                  "`sellcompute audit --wallet` names them"})};
}

// One relay that should show our announcement.
Check check_visibility(const nlohmann::json& site) {
  const std::string relay = site.value("relay", "");
  const std::string trouble = site.value("trouble", "");
  if (!trouble.empty()) {
    return failed("announced", relay,
                  {ErrorKind::invocation, "announce.missing", trouble, {}, "it is tried again; `serve` need not stop"});
  }
  if (!site.value("visible", false)) return passed("announced", relay, "not seen there yet");
  const base::TimeMs looked_at{site["looked_at_ms"].get<std::int64_t>()};
  return passed("announced", relay, "seen there " + age(wall_clock() - looked_at) + " ago");
}

Check check_heartbeat(const nlohmann::json& announcing) {
  const std::string trouble = announcing.value("heartbeat_trouble", "");
  const auto& at = announcing["heartbeat_at_ms"];
  const std::string last =
      at.is_number() ? "last " + age(wall_clock() - base::TimeMs{at.get<std::int64_t>()}) + " ago" : "none yet";
  return passed("heartbeat", "", last + (trouble.empty() ? "" : "; " + trouble));
}

// What a running `serve` has to say of the relays that it reads.
std::vector<Check> check_intake(const nlohmann::json& serve) {
  std::vector<Check> checks;
  for (const auto& relay : serve.value("relays", nlohmann::json::array())) {
    const std::string reason = relay.value("reason", "");
    const std::string notice = relay.value("last_notice", "");
    if (!relay.value("own", false) || (reason.empty() && notice.empty())) continue;
    const std::string note = relay.value("state", "") + (reason.empty() ? "" : ": " + reason) +
                             (notice.empty() ? "" : "; its last notice: " + notice);
    checks.push_back(passed("intake", relay.value("url", ""), note));
  }
  return checks;
}

// Where and how a running `serve` is visible.
std::vector<Check> check_announcing(const nlohmann::json& serve) {
  const auto& announcing = serve.contains("announcing") ? serve["announcing"] : nlohmann::json();
  if (!announcing.is_object() || !serve.value("online", false)) return {};
  if (!announcing.value("enabled", false)) return {passed("announced", "no", "announce.enabled is false")};
  if (announcing.value("withdrawn", false))
    return {passed("announced", "withdrawn", "`sellcompute announce` undoes it")};
  std::vector<Check> checks;
  for (const auto& site : announcing["relays"]) checks.push_back(check_visibility(site));
  checks.push_back(check_heartbeat(announcing));
  return checks;
}

// ---- what answers over the network ----------------------------------------------------------------------------------

base::Error cannot_answer(const std::string& model) {
  return {ErrorKind::config,
          "inference.no_completion",
          "its model `" + model + "` cannot answer prompts: it makes embeddings only, and is not sold",
          {},
          "take it out of the config file"};
}

// The models by name; those that are configured but not there, or cannot answer, are what fails.
void judge_models(const inference::BackendStatus& status, const Config& config, Check& check) {
  for (const auto& model : status.models) {
    check.note += (check.note.empty() ? "" : ", ") + model.name;
    if (!model.completes) {
      check.note += " (embeddings only, not sold)";
    } else if (model.loaded) {
      check.note += " (loaded)";
    }
  }
  for (const ledger::ModelOffer& offer : config.selling.models) {
    const auto model = std::ranges::find_if(status.models, [&](const auto& one) { return is_of(offer, one); });
    if (model != status.models.end() && model->completes) continue;
    if (model != status.models.end()) {
      check.error = cannot_answer(offer.name);
      return;
    }
    check.error = base::Error{ErrorKind::config,
                              "inference.unknown_model",
                              "it has no model `" + offer.name + "`",
                              {},
                              "`ollama pull " + offer.name + "`, or take it out of the config file"};
    return;
  }
  if (std::ranges::any_of(status.models, &inference::ModelInfo::completes)) return;
  check.error = base::Error{
      ErrorKind::config, "inference.no_models", "it has no model that answers prompts", {}, "`ollama pull llama3.2`"};
}

// The checks that wait for answers, each with its line in the report.
class NetworkChecks {
 public:
  NetworkChecks(const Config& config, const Result<nostr::SecretKey>& key) : config_(config), key_(key) {}

  std::vector<Check> run() {
    checks_.reserve(config_.relays.urls.size() + 2);
    start_inference();
    if (config_.wallet.kind != "sandbox" && std::filesystem::exists(config_.wallet.secret_file)) start_wallet();
    for (const std::string& url : config_.relays.urls) start_relay(url);
    if (waiting_ > 0) io_.run_for(std::chrono::milliseconds(kPatienceMs));
    for (auto& client : clients_) client->shut_down();
    return std::move(checks_);
  }

 private:
  // A line that counts as unanswered until `finish`.
  std::size_t begin(std::string what, std::string which) {
    ++waiting_;
    done_.push_back(false);
    checks_.push_back(failed(std::move(what), std::move(which),
                             unreachable("status.timed_out", "no answer within " + took(kPatienceMs),
                                         "is it running, and is the address right?")));
    return checks_.size() - 1;
  }

  // Only the first answer counts.
  void finish(std::size_t line, std::optional<base::Error> error) {
    if (done_[line]) return;
    done_[line] = true;
    checks_[line].error = std::move(error);
    checks_[line].latency_ms = wall_clock() - started_;
    if (--waiting_ == 0) io_.stop();
  }

  void start_inference() {
    const std::size_t line = begin("inference", config_.inference.url);
    auto backend = inference::OllamaClient::create(io_, config_.inference.url,
                                                   {.connect_ms = config_.inference.connect_timeout_ms});
    if (!backend) return finish(line, backend.error());
    backend_ = std::move(*backend);
    backend_->status([this, line](const Result<inference::BackendStatus>& status) {
      finish(line, status ? std::nullopt : std::optional(status.error()));
      if (status) judge_models(*status, config_, checks_[line]);
    });
  }

  void start_wallet() {
    const std::size_t line = begin("wallet", config_.wallet.kind);
    auto opened = open_wallet(io_, scheduler_, config_, wall_clock, random_, [](const std::string&) {});
    if (!opened) return finish(line, opened.error());
    wallet_ = std::move(*opened);
    wallet_.wallet->status([this, line](const Result<wallet::WalletStatus>& status) {
      const auto fits = status ? wallet::check_told(*wallet_.wallet, *status, needs_of(config_))
                               : Result<void>(tl::unexpected(status.error()));
      finish(line, fits ? std::nullopt : std::optional(fits.error()));
      if (!fits) return;
      checks_[line].note = printable(status->name);
      if (status->balance) checks_[line].note += ", balance " + sats(*status->balance);
      if (wallet_.wallet->play_money()) checks_[line].note += " (play money)";
    });
  }

  void start_relay(const std::string& text) {
    const std::size_t line = begin("relays", text);
    const auto url = net::parse_relay_url(text);
    if (!url) return finish(line, url.error());
    nostr::RelayLinkHandlers handlers;
    handlers.on_health = [this, line](nostr::RelayState state, const std::string& reason) {
      if (state == nostr::RelayState::live) {
        checks_[line].note = "answers";
        finish(line, std::nullopt);
      }
      if (state == nostr::RelayState::offline) finish(line, unreachable("relay.unreachable", reason, ""));
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
    clients_.back()->subscribe("status", [] { return std::vector<nostr::Filter>{{.kinds = {5050}, .limit = 1}}; });
  }

  // NIP-42, so that a relay that wants to know us is not taken for a broken one.
  std::optional<nostr::Event> sign_auth(const std::string& relay, const std::string& challenge, base::TimeMs at) const {
    const auto aux = nostr::generate_aux();
    if (!key_ || !aux) return std::nullopt;
    return nostr::auth_event(*key_, relay, challenge, at, *aux);
  }

  const Config& config_;
  const Result<nostr::SecretKey>& key_;
  const base::TimeMs started_ = wall_clock();
  std::vector<Check> checks_;
  std::vector<bool> done_;
  std::size_t waiting_ = 0;
  boost::asio::io_context io_{1};
  net::WebsocketConnector connector_{io_};
  net::IoScheduler scheduler_{io_, wall_clock};
  const base::Random random_ = [] { return base::Salt{nostr::generate_aux().value().bytes}; };
  OpenedWallet wallet_;
  std::unique_ptr<inference::OllamaClient> backend_;
  std::vector<std::unique_ptr<nostr::RelayClient>> clients_;
};

// ---- the report -----------------------------------------------------------------------------------------------------

std::vector<Check> check_all(const Config& config) {
  const auto key = nostr::read_key_file(config.identity.key_file, passphrase_source(config.identity));
  std::vector<Check> checks = {check_identity(key)};
  Check wallet = check_wallet(config);
  // Of another than the sandbox what is on this machine is only half of it: the network says the rest.
  if (wallet.error || config.wallet.kind == "sandbox") checks.push_back(std::move(wallet));
  std::ranges::move(NetworkChecks(config, key).run(), std::back_inserter(checks));
  if (config.relays.urls.empty()) {
    checks.push_back(failed(
        "relays", "none",
        {ErrorKind::config, "config.no_relays", "no relay is configured", {}, "set relays.urls in the config file"}));
  }
  checks.push_back(check_ledger(config));
  const auto serve = ask_serve(config);
  checks.push_back(check_selling(serve));
  if (serve) std::ranges::move(check_payments(*serve), std::back_inserter(checks));
  if (serve) std::ranges::move(check_books(*serve), std::back_inserter(checks));
  if (serve && !serve->value("rollback_checked", true)) {
    checks.push_back(passed("rollback", "", "not checked yet: none of our relays has told what it has of this ledger"));
  }
  if (serve) std::ranges::move(check_intake(*serve), std::back_inserter(checks));
  if (serve) std::ranges::move(check_announcing(*serve), std::back_inserter(checks));
  return checks;
}

// Something unreachable outweighs the rest: it is what a script waits for.
ExitCode code_of(const std::vector<Check>& checks) {
  ExitCode code = ExitCode::done;
  for (const Check& check : checks) {
    if (!check.error) continue;
    const ExitCode its = exit_code_of(*check.error);
    if (its == ExitCode::unreachable) return its;
    if (code == ExitCode::done) code = its;
  }
  return code;
}

// A key is told by its ends; whoever needs the whole of it asks for --json.
std::string shown(const std::string& which) {
  constexpr std::size_t kStart = 7, kEnd = 3;
  if (!which.starts_with("npub1")) return which;
  return which.substr(0, kStart) + "…" + which.substr(which.size() - kEnd);
}

void print(const std::vector<Check>& checks, Format format, Context& context) {
  Table table({{"", "what"}, {"", "which"}, {"", "ok"}, {"", "latency_ms", Align::right}, {"", "note"}});
  std::string before;
  for (const Check& check : checks) {
    const bool ok = !check.error;
    const std::string note = ok ? check.note : check.error->describe();
    table.add({{check.what == before ? "" : check.what, check.what},
               {shown(check.which), check.which},
               {ok ? "ok" : "FAIL", ok, ok ? Colour::green : Colour::red},
               check.latency_ms ? Cell(took(*check.latency_ms), *check.latency_ms) : Cell("", nullptr),
               note});
    before = check.what;
  }
  table.print(context.out, format, context.terminal);
}

Result<ExitCode> run_status(const Arguments& arguments, Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  const bool show_progress = context.error_terminal.interactive && context.verbosity != Verbosity::quiet;
  if (show_progress) context.err << "asking wallet, backend and relays ...\r" << std::flush;
  const auto checks = check_all(*config);
  if (show_progress) context.err << "\x1b[K" << std::flush;
  print(checks, arguments.format(), context);
  return code_of(checks);
}

}  // namespace

Command status_command() {
  return {.name = "status",
          .summary = "Checks key, wallet, backend and models, relays and ledger, and where a running serve is seen.",
          .examples =
              "  sellcompute status\n"
              "  sellcompute status --json | jq -r 'select(.ok | not) | .note'\n",
          .notes =
              "Exit code 3 if something needed is unreachable, 1 if a relay does not show the announcement that it "
              "should.\n",
          .uses_settings = true,
          .options = add_json_option,
          .run = run_status};
}

}  // namespace cmd
