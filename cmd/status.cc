// sellcompute status: is everything there that selling needs? A running `serve` is asked what it lives; without one,
// everything is probed (status_probes.h).
#include <algorithm>
#include <ostream>

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

// What the operator owes to customers. A sum over many jobs is not worth a long wait.
Result<std::vector<StatusLine>> check_owed(const ledger::Reader& reader) {
  constexpr std::size_t kMostSummed = 1'000;
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

std::vector<StatusLine> check_ledger(const Config& config) {
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

StatusLine check_selling(const Result<nlohmann::json>& serve, const core::Readiness& readiness) {
  if (!serve && serve.error().code == "control.not_running")
    return passed("selling", "offline", "probed; `sellcompute serve` is not running");
  if (!serve) return failed("selling", "", serve.error());
  const std::string open = counted(serve->value("open_jobs", std::uint64_t{0}), "open job");
  if (const std::string draining = serve->value("draining", ""); !draining.empty())
    return passed("selling", "going offline", open + "; waits for " + draining);
  if (!is_online(serve)) return passed("selling", "offline", open + "; probed; `sellcompute online` goes on");
  const auto mode = ledger::enum_named<ledger::PaymentMode>(serve->value("payment_mode", ""));
  const auto known_mode = mode.value_or(ledger::PaymentMode::unspecified);
  const auto* obstacle = readiness.obstacle(known_mode);
  if (!obstacle) return passed("selling", "online", open);
  Error why = *obstacle->seen.error;
  why.message = "no jobs are accepted: " + obstacle_words(readiness, known_mode);
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
  if (differences == 0) {
    return {passed("books", "",
                   "the wallet lists the same " + counted(books.value("matched", 0ULL), "payment") + ", " + when)};
  }
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

StatusLine check_heartbeat(const nlohmann::json& announcing) {
  const std::string trouble = announcing.value("heartbeat_trouble", "");
  const auto& at = announcing["heartbeat_at_ms"];
  const std::string last =
      at.is_number() ? "last " + age(wall_clock() - base::TimeMs{at.get<std::int64_t>()}) + " ago" : "none yet";
  return passed("heartbeat", "", last + (trouble.empty() ? "" : "; " + trouble));
}

// Where and how a running `serve` is visible.
std::vector<StatusLine> check_announcing(const nlohmann::json& serve) {
  const auto& announcing = serve.contains("announcing") ? serve["announcing"] : nlohmann::json();
  if (!announcing.is_object() || !serve.value("online", false)) return {};
  if (!announcing.value("enabled", false)) return {passed("announced", "no", "announce.enabled is false")};
  if (announcing.value("withdrawn", false))
    return {passed("announced", "withdrawn", "`sellcompute announce` undoes it")};
  std::vector<StatusLine> checks;
  for (const auto& site : announcing["relays"]) checks.push_back(check_visibility(site));
  checks.push_back(check_heartbeat(announcing));
  return checks;
}

// ---- the report -----------------------------------------------------------------------------------------------------

std::vector<StatusLine> check_all(const Config& config) {
  const auto key = nostr::read_key_file(config.identity.key_file, passphrase_source(config.identity));
  const auto serve = ask_serve(config);
  const core::Readiness readiness = is_online(serve) ? readiness_from_json(serve->value("readiness", nlohmann::json()))
                                                     : core::judge(probe_everything(config, key));
  std::vector<StatusLine> lines{check_identity(key)};
  std::ranges::move(status_lines(readiness), std::back_inserter(lines));
  if (const auto chosen = check_relays(config); !chosen) lines.push_back(failed("relays", "none", chosen.error()));
  std::ranges::move(check_ledger(config), std::back_inserter(lines));
  lines.push_back(check_selling(serve, readiness));
  if (!serve) return lines;
  std::ranges::move(check_payments(*serve), std::back_inserter(lines));
  std::ranges::move(check_books(*serve), std::back_inserter(lines));
  std::ranges::move(check_announcing(*serve), std::back_inserter(lines));
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

std::string note_of(const StatusLine& line) {
  if (line.error) return line.error->describe();
  return line.warning ? line.warning->describe() : line.note;
}

void print(const std::vector<StatusLine>& lines, Format format, Context& context) {
  Table table({{"", "what"}, {"", "which"}, {"", "ok"}, {"", "latency_ms", Align::right}, {"", "note"}});
  std::string before;
  for (const StatusLine& line : lines) {
    table.add({{line.what == before ? "" : line.what, line.what},
               {shown(line.which), line.which},
               verdict(line),
               line.latency_ms ? Cell(took(*line.latency_ms), *line.latency_ms) : Cell("", nullptr),
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
