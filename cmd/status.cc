// sellcompute status: is everything there that selling needs? A running `serve` is asked what it lives; without one,
// everything is probed (status_probes.h).
#include <algorithm>
#include <ostream>

#include "base/secret_file.h"
#include "cmd/cli/control_socket.h"
#include "cmd/cli/passphrase.h"
#include "cmd/cli/readiness_report.h"
#include "cmd/commands.h"
#include "cmd/config/policy.h"
#include "cmd/status_probes.h"
#include "cmd/text/humanize.h"
#include "ledger/reader.h"
#include "ledger/rocksdb_store.h"
#include "ledger/views.h"
#include "pipeline/core/rules.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip19.h"
#include "replay/jobs_view.h"
#include "replay/projections.h"

namespace cmd {
namespace {

using base::Error;
using base::ErrorKind;
using base::Result;
using core::Condition;
using ledger::PaymentMode;

StatusLine passed(std::string what, std::string which, std::string note) {
  return {.what = std::move(what), .which = std::move(which), .note = std::move(note)};
}

StatusLine failed(std::string what, std::string which, Error error) {
  return {.what = std::move(what), .which = std::move(which), .error = std::move(error)};
}

StatusLine warned(std::string what, std::string which, Error warning) {
  return {.what = std::move(what), .which = std::move(which), .warning = std::move(warning)};
}

// ---- what is on this machine ----------------------------------------------------------------------------------------

StatusLine check_identity(const Result<nostr::SecretKey>& key) {
  if (!key) return failed("identity", "", key.error());
  return passed("identity", nostr::encode_npub(key->public_key()), "key file ok");
}

constexpr std::size_t kMostSummed = 1'000;  // jobs; a sum over more is not worth the wait

// What the operator owes to customers.
Result<std::vector<StatusLine>> check_owed(const ledger::Reader& reader) {
  const auto jobs = replay::list_jobs(reader, {.state = core::State::refund_owed, .limit = kMostSummed});
  if (!jobs) return tl::unexpected(jobs.error());
  if (jobs->empty()) return std::vector<StatusLine>{};
  base::Msat owed;
  for (const core::Job& job : *jobs) owed += core::still_owed(job);
  const bool all = jobs->size() < kMostSummed;
  return std::vector{
      warned("refunds", "",
             {ErrorKind::payment,
              "status.refunds",
              (all ? "" : "at least ") + sats(owed) + " is owed back for " + counted(jobs->size(), "job"),
              {},
              "`sellcompute jobs list --state refund_owed` names them, `jobs refund` pays back"})};
}

// Jobs that the provider began, and that nobody works on now. `goes_on` is the command that continues them.
Result<std::vector<StatusLine>> check_unfinished(const ledger::Reader& reader, const std::string& goes_on) {
  std::size_t count = 0;
  bool all = true;
  base::Msat received;
  for (const core::State state : core::all_states()) {
    if (!core::is_unfinished(state)) continue;
    const auto jobs = replay::list_jobs(reader, {.state = state, .limit = kMostSummed});
    if (!jobs) return tl::unexpected(jobs.error());
    count += jobs->size();
    all = all && jobs->size() < kMostSummed;
    for (const core::Job& job : *jobs) {
      const core::Invoice* held = core::held(job);
      received += core::settled_amount(job) + (held ? held->issued.amount : base::Msat{});
    }
  }
  if (count == 0) return std::vector<StatusLine>{};
  const std::string them = count == 1 ? "it" : "them";
  const std::string paid = received == base::Msat{} ? "" : "; " + sats(received) + " was paid for " + them;
  return std::vector{warned("jobs", "",
                            {ErrorKind::job_processing,
                             "status.unfinished",
                             (all ? "" : "at least ") + counted(count, "job is", "jobs are") + " unfinished" + paid,
                             {},
                             "`" + goes_on + "` continues " + them})};
}

// `goes_on` as check_unfinished(); empty: somebody works on them.
std::vector<StatusLine> check_ledger(const Config& config, const std::string& goes_on) {
  const auto store = ledger::open_reader(config.paths.ledger());
  if (!store && store.error().code == "ledger.absent") return {passed("ledger", "", "none yet: `serve` begins one")};
  if (!store) return {failed("ledger", "", store.error())};
  const ledger::Reader reader(**store);
  const auto state = reader.state();
  if (!state) return {failed("ledger", "", state.error())};
  const auto projections = replay::projections();
  auto views = ledger::check_views(*state, replay::pointers(projections));
  if (views) views = (*store)->verify_views();
  if (!views) return {failed("ledger", "", views.error())};
  const auto checkpoint = reader.last_checkpoint();
  if (!checkpoint) return {failed("ledger", "", checkpoint.error())};
  std::string note = state->size == 0 ? "" : "last entry " + age(wall_clock() - state->time) + " ago, ";
  note += *checkpoint ? "checkpoint over " + grouped(static_cast<std::int64_t>((*checkpoint)->size)) : "no checkpoint";
  std::vector<StatusLine> out{passed("ledger", grouped(static_cast<std::int64_t>(state->size)) + " entries", note)};
  auto owed = check_owed(reader);
  if (!owed) return {failed("ledger", "", owed.error())};
  std::ranges::move(*owed, std::back_inserter(out));
  if (goes_on.empty()) return out;
  auto unfinished = check_unfinished(reader, goes_on);
  if (!unfinished) return {failed("ledger", "", unfinished.error())};
  std::ranges::move(*unfinished, std::back_inserter(out));
  return out;
}

// ---- what a running serve tells -------------------------------------------------------------------------------------

Result<nlohmann::json> ask_serve(const Config& config) {
  return ask_running_serve(control_socket_path(config.paths.data_dir), {{"method", "status"}})
      .map([](const nlohmann::json& reply) { return reply.value("status", nlohmann::json()); });
}

bool is_online(const Result<nlohmann::json>& serve) {
  return serve && serve->value("online", false);
}

bool is_running(const Result<nlohmann::json>& serve) {
  return serve || serve.error().code != "control.not_running";
}

// The command that continues the jobs; empty: they are being worked on.
std::string command_that_goes_on(const Result<nlohmann::json>& serve) {
  if (!is_running(serve)) return "sellcompute serve";
  const bool rests = serve && !is_online(serve) && serve->value("draining", "").empty();
  return rests ? "sellcompute online" : "";
}

// "2 jobs in progress, 5 more await their payment"
std::string jobs_at_work(const nlohmann::json& serve) {
  const auto unfinished = serve.value("unfinished_jobs", std::uint64_t{0});
  const auto open = std::max(unfinished, serve.value("open_jobs", std::uint64_t{0}));
  const std::string watched = open == unfinished ? "" : ", " + counted(open - unfinished, "invoice") + " watched";
  return counted(unfinished, "job") + " in progress" + watched;
}

PaymentMode mode_of(const nlohmann::json& serve) {
  return ledger::enum_named<PaymentMode>(serve.value("payment_mode", "")).value_or(PaymentMode::unspecified);
}

// Why a new customer may have to pay first although the shop bills afterwards.
std::string pool_words(const nlohmann::json& serve) {
  if (mode_of(serve) != PaymentMode::result_first) return "";
  const base::Msat left{serve.value("stranger_pool_left_msat", std::int64_t{0})};
  if (left == base::Msat{}) return "; the strangers' pool is used up: new customers pay first";
  return "; strangers' pool: " + sats(left) + " left";
}

StatusLine check_selling(const Result<nlohmann::json>& serve, const core::Readiness& readiness) {
  if (!is_running(serve)) return passed("selling", "offline", "`sellcompute serve` is not running; asked just now");
  if (!serve) return failed("selling", "", serve.error());
  const std::string jobs = jobs_at_work(*serve);
  if (const std::string draining = serve->value("draining", ""); !draining.empty())
    return passed("selling", "going offline", jobs + "; waits for " + draining);
  if (!is_online(serve)) return passed("selling", "offline", jobs + "; asked just now; `sellcompute online` goes on");
  const Condition* obstacle = readiness.obstacle(mode_of(*serve));
  if (!obstacle) return passed("selling", "online", jobs + pool_words(*serve));
  Error why = *obstacle->seen.error;
  why.message = "no jobs are accepted: " + obstacle_words(readiness, mode_of(*serve));
  return failed("selling", "not ready", why);
}

// Whether they were paid, the wallet does not say in a way that can be believed.
std::vector<StatusLine> check_payments(const nlohmann::json& serve) {
  const auto doubtful = serve.value("payments_in_doubt", 0ULL);
  if (doubtful == 0) return {};
  return {failed("payments", "",
                 {ErrorKind::payment,
                  "status.payments",
                  "whether " + counted(doubtful, "invoice was", "invoices were") +
                      " paid is not known: " + serve.value("payment_doubt", ""),
                  {},
                  "the log names each"})};
}

// The wallet's own list beside the ledger.
std::vector<StatusLine> check_books(const nlohmann::json& serve) {
  const auto& books = serve.contains("books") ? serve["books"] : nlohmann::json();
  if (!books.is_object()) return {};
  const std::string when = "compared " + age(wall_clock() - base::TimeMs{books.value("looked_at_ms", 0LL)}) + " ago";
  const std::string trouble = books.value("trouble", "");
  if (!trouble.empty()) return {passed("books", "", "not compared with the wallet: " + trouble)};
  const auto differences = books.value("differences", 0ULL);
  const auto matched = books.value("matched", 0ULL);
  if (differences == 0 && matched == 0)
    return {passed("books", "", "neither wallet nor ledger has a payment, " + when)};
  if (differences == 0)
    return {passed("books", "", "the wallet lists the same " + counted(matched, "payment") + ", " + when)};
  return {failed("books", "",
                 {ErrorKind::payment,
                  "status.books",
                  "the wallet and the ledger differ in " + counted(differences, "payment") + ", " + when,
                  {},
                  "`sellcompute audit --wallet` names them"})};
}

// One relay that should show our announcement.
StatusLine check_visibility(const nlohmann::json& site) {
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

// `obstacle`: why none is sent as things are now; empty: nothing.
StatusLine check_heartbeat(const nlohmann::json& announcing, const std::string& obstacle) {
  const auto& at = announcing["heartbeat_at_ms"];
  const std::string last =
      at.is_number() ? "last " + age(wall_clock() - base::TimeMs{at.get<std::int64_t>()}) + " ago" : "none yet";
  const std::string trouble = obstacle.empty() ? announcing.value("heartbeat_trouble", "") : obstacle;
  if (trouble.empty()) return passed("heartbeat", "", last);
  return warned("heartbeat", "", {ErrorKind::invocation, "status.heartbeat", "none is sent: " + trouble, last, {}});
}

// Where and how a running `serve` is visible.
std::vector<StatusLine> check_announcing(const nlohmann::json& serve, const core::Readiness& readiness) {
  const auto& announcing = serve.contains("announcing") ? serve["announcing"] : nlohmann::json();
  if (!announcing.is_object() || !serve.value("online", false)) return {};
  if (!announcing.value("enabled", false)) return {passed("announced", "no", "announce.enabled is false")};
  if (announcing.value("withdrawn", false))
    return {passed("announced", "withdrawn", "`sellcompute announce` undoes it")};
  std::vector<StatusLine> checks;
  for (const auto& site : announcing["relays"]) checks.push_back(check_visibility(site));
  checks.push_back(check_heartbeat(announcing, obstacle_words(readiness, mode_of(serve))));
  return checks;
}

// ---- the report -----------------------------------------------------------------------------------------------------

// Before `init`, every other line would only say the same.
bool is_set_up(const Config& config) {
  return !base::is_absent(config.paths.config_file) || !base::is_absent(config.identity.key_file) ||
         !base::is_absent(config.paths.ledger());
}

std::vector<StatusLine> check_all(const Config& config) {
  if (!is_set_up(config)) {
    return {failed("setup", "",
                   {ErrorKind::config,
                    "status.not_set_up",
                    "nothing is set up yet",
                    {},
                    "`sellcompute init` writes a config file and a key"})};
  }
  const auto key = nostr::read_key_file(config.identity.key_file, passphrase_source(config.identity));
  const auto serve = ask_serve(config);
  const core::Readiness readiness = is_online(serve) ? readiness_from_json(serve->value("readiness", nlohmann::json()))
                                                     : core::judge(probe_everything(config, key));
  std::vector<StatusLine> lines{check_identity(key)};
  std::ranges::move(status_lines(readiness), std::back_inserter(lines));
  if (const auto chosen = check_relays(config); !chosen) lines.push_back(failed("relays", "none", chosen.error()));
  std::ranges::move(check_ledger(config, command_that_goes_on(serve)), std::back_inserter(lines));
  lines.push_back(check_selling(serve, readiness));
  if (!serve) return lines;
  std::ranges::move(check_payments(*serve), std::back_inserter(lines));
  std::ranges::move(check_books(*serve), std::back_inserter(lines));
  std::ranges::move(check_announcing(*serve, readiness), std::back_inserter(lines));
  return lines;
}

// A key is told by its ends; whoever needs the whole of it asks for --json.
std::string shown(const std::string& which) {
  constexpr std::size_t kStart = 7, kEnd = 3;
  if (!which.starts_with("npub1")) return which;
  return which.substr(0, kStart) + "…" + which.substr(which.size() - kEnd);
}

Cell verdict(const StatusLine& line) {
  if (line.error) return {"FAIL", false, Colour::red};
  if (line.warning) return {"WARN", true, Colour::yellow};
  return {"ok", true, Colour::green};
}

// How fast it answered, and when that was.
std::string asked_words(const StatusLine& line) {
  std::string out = line.latency_ms ? took(*line.latency_ms) : "";
  if (line.observed_at) out += (out.empty() ? "" : ", ") + age(wall_clock() - *line.observed_at) + " ago";
  return out.empty() ? "" : " (" + out + ")";
}

std::string note_of(const StatusLine& line) {
  const base::Error* trouble = line.error ? &*line.error : line.warning ? &*line.warning : nullptr;
  return (trouble ? trouble->describe() : line.note) + asked_words(line);
}

void print(const std::vector<StatusLine>& lines, Format format, Context& context) {
  Table table({{"", "what"}, {"", "which"}, {"", "ok"}, {"", "latency_ms", Align::right}, {"", "note"}});
  std::string before;
  for (const StatusLine& line : lines) {
    table.add({{line.what == before ? "" : line.what, line.what},
               {shown(line.which), line.which},
               verdict(line),
               line.latency_ms ? Cell("", *line.latency_ms) : Cell("", nullptr),
               note_of(line)});
    before = line.what;
  }
  table.print(context.out, format, context.terminal);
}

Result<ExitCode> run_status(const Arguments& arguments, Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  const bool show_progress = context.error_terminal.interactive && context.verbosity != Verbosity::quiet;
  if (show_progress) context.err << "asking wallet, backend and relays ...\r" << std::flush;
  const auto lines = check_all(*config);
  if (show_progress) context.err << "\x1b[K" << std::flush;
  print(lines, arguments.format(), context);
  return exit_code_of(lines);
}

}  // namespace

Command status_command() {
  return {.name = "status",
          .summary = "Reports whether everything that selling needs works: key, wallet, models, relays, ledger.",
          .examples =
              "  sellcompute status\n"
              "  sellcompute status --json | jq -r 'select(.ok | not) | .note'\n",
          .notes =
              "While `serve` is online, the command prints what `serve` observes. Otherwise it asks wallet, model "
              "server and relays itself, and waits up to 10 s for each. It makes no invoice and runs no model.\n"
              "\n"
              "Exit code 3 if something needed is unreachable, 1 if a relay does not show the announcement that it "
              "should. Warnings (WARN) do not change the exit code.\n",
          .uses_settings = true,
          .options = add_json_option,
          .run = run_status};
}

}  // namespace cmd
