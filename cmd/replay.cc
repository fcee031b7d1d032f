// sellcompute replay: one job step by step, as it was at any time; and views made again.
#include <charconv>
#include <chrono>
#include <ostream>

#include "cmd/cli/clock.h"
#include "cmd/cli/open_ledger.h"
#include "cmd/cli/progress.h"
#include "cmd/commands.h"
#include "cmd/text/humanize.h"
#include "cmd/text/job_text.h"
#include "cmd/text/when.h"
#include "ledger/fact_json.h"
#include "ledger/views.h"
#include "replay/jobs_view.h"
#include "replay/phrases.h"
#include "replay/projections.h"

namespace cmd {
namespace {

using base::Result;
using nlohmann::ordered_json;
using replay::ReplayStep;

constexpr int kIndent = 7;  // of what stands below a step

// A position ("1201", "#1201"), a time since the job began ("+1.2 s") or a moment. What `jobs show` prints is rounded
// down: all that it prints like this is meant.
Result<replay::Until> parse_until(const std::string& text, base::TimeMs start, base::TimeMs now) {
  constexpr base::Seq kMostPosition = 999'999'999'999;  // longer numbers are milliseconds since 1970
  constexpr std::int64_t kSecondMs = 1'000;
  const std::string digits = text.substr(text.starts_with('#') ? 1 : 0);
  base::Seq seq = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), seq);
  if (error == std::errc() && end == digits.data() + digits.size() && seq <= kMostPosition) return seq;
  if (const auto later = text.starts_with('+') ? parse_took_ms(text.substr(1)) : std::nullopt) return start + *later;
  const auto when = parse_when(text, now);
  if (!when) return tl::unexpected(when.error());
  return when->ms % kSecondMs == 0 ? *when + (kSecondMs - 1) : *when;
}

Result<replay::Until> read_until(const Arguments& arguments, const ledger::Reader& reader, const base::JobId& id,
                                 Context& context) {
  if (!arguments.has("at")) return replay::Until();
  const auto job = replay::find_job(reader, id);
  if (!job) return tl::unexpected(job.error());
  return parse_until(arguments.text("at"), *job ? (*job)->requested_at : base::TimeMs{}, make_clock(context.sources)());
}

std::string to_do_text(const ReplayStep& step) {
  std::string out;
  for (const auto& due : step.due) out += (out.empty() ? "" : "; ") + replay::describe(due, step.job.updated_at);
  return out.empty() ? "nothing" : out;
}

// What a decision stood on is shown below it.
std::string basis_text(const ledger::Fact& event) {
  if (const auto* e = std::get_if<ledger::JobQuoted>(&event)) return replay::phrase(e->basis);
  if (const auto* e = std::get_if<ledger::JobDeclined>(&event)) return replay::phrase(e->basis);
  return {};
}

// The first step's time, then how much later each other one is.
std::string when_text(const ReplayStep& step, std::optional<base::TimeMs> start) {
  const base::TimeMs time = step.entry.header.time;
  return start ? "+" + took(time - *start) : local_time(time);
}

void print_step(const ReplayStep& step, std::optional<base::TimeMs> start, Context& context) {
  const Terminal& terminal = context.terminal;
  const std::string type(ledger::type_name(ledger::type_of(step.entry.fact)));
  const std::string position = "#" + std::to_string(step.entry.seq);
  const std::string when = "  " + when_text(step, start) + "  ";
  const std::string what = printable(replay::phrase(step.entry.fact));
  const bool fits = display_width(position + when + type + "  " + what) <= terminal.width;
  const std::string margin(kIndent, ' ');
  context.out << terminal.paint(Colour::dim, position) << when << terminal.paint(Colour::bold, type)
              << (fits ? "  " + what : "\n" + margin + paragraph(what, terminal.width, kIndent)) << '\n';
  const auto line = [&](const std::string& name, const std::string& text) {
    if (text.empty()) return;
    const int indent = kIndent + display_width(name);
    context.out << margin << terminal.paint(Colour::dim, name) << paragraph(printable(text), terminal.width, indent)
                << '\n';
  };
  const auto state = core::state(step.job);
  line("basis: ", basis_text(step.entry.fact));
  line("state: ", state_text(state));
  line("to do: ", to_do_text(step));
}

ordered_json step_json(const ReplayStep& step) {
  ordered_json out = ledger::to_json(step.entry);
  out["state"] = core::name(core::state(step.job));
  out["due"] = ordered_json::array();
  for (const auto& one : step.due) {
    out["due"].push_back({{"stage", one.stage},
                          {"work", core::describe(one.due)},
                          {"wake_at_ms", one.due.wake_at ? ordered_json(one.due.wake_at->ms) : ordered_json(nullptr)}});
  }
  return out;
}

// With --at: the job as it was then, and what was due.
void print_state(const ReplayStep& step, Format format, Context& context) {
  if (format == Format::json) {
    auto object = job_json(step.job);
    object["seq"] = step.entry.seq;
    object["due"] = step_json(step)["due"];
    context.out << json_line(object) << '\n';
    return;
  }
  print_job(context.out, context.terminal, step.job, {{"to do", to_do_text(step)}});
}

Result<ExitCode> replay_one(const Arguments& arguments, Context& context) {
  const auto ledger = open_ledger(context);
  if (!ledger) return tl::unexpected(ledger.error());
  const auto id = find_job_id(ledger->reader, arguments.text("job"));
  if (!id) return tl::unexpected(id.error());
  const auto until = read_until(arguments, ledger->reader, *id, context);
  if (!until) return tl::unexpected(until.error());
  const auto steps = replay::replay_job(ledger->reader, *id, *until);
  if (!steps) return tl::unexpected(steps.error());
  if (steps->empty() && arguments.has("at"))
    return base::fail(base::ErrorKind::invocation, "job.not_yet", "the job did not exist yet", arguments.text("at"),
                      "leave out --at to see when it began");
  if (steps->empty()) return unknown_job(arguments.text("job"));
  if (arguments.has("at")) {
    print_state(steps->back(), arguments.format(), context);
    return ExitCode::done;
  }
  std::optional<base::TimeMs> start;
  for (const ReplayStep& step : *steps) {
    if (arguments.format() == Format::json)
      context.out << json_line(step_json(step)) << '\n';
    else
      print_step(step, start, context);
    start = steps->front().entry.header.time;
  }
  return ExitCode::done;
}

Result<ExitCode> rebuild_views(Context& context) {
  const auto folder = find_paths(context.sources)->ledger();
  // First, as they may be too damaged to be opened.
  if (const auto discarded = ledger::discard_views(folder); !discarded) return tl::unexpected(discarded.error());
  const auto store = ledger::open_writer(folder);
  if (!store) return tl::unexpected(store.error());
  const auto size = ledger::Reader(**store).size();
  if (!size) return tl::unexpected(size.error());
  const auto start = std::chrono::steady_clock::now();
  const auto projections = replay::projections();
  const auto rebuilt = [&] {
    ReadProgress progress(**store, *size, 1, context);
    return ledger::rebuild_views(progress, replay::pointers(projections));
  }();
  if (!rebuilt) return tl::unexpected(rebuilt.error());
  const auto spent = std::chrono::steady_clock::now() - start;
  if (context.verbosity != Verbosity::quiet) {
    context.err << counted(projections.size(), "view") << " of " << counted(*size, "entry", "entries")
                << " made again in " << took(std::chrono::duration_cast<std::chrono::milliseconds>(spent).count())
                << '\n';
  }
  return ExitCode::done;
}

Result<ExitCode> run_replay(const Arguments& arguments, Context& context) {
  const bool rebuild = arguments.has("rebuild-views");
  if (rebuild == arguments.has("job")) return usage_error("say what to replay", "one of --job ID and --rebuild-views");
  if (rebuild && arguments.has("at")) return usage_error("--at belongs to --job", "leave it out");
  return rebuild ? rebuild_views(context) : replay_one(arguments, context);
}

void replay_options(cxxopts::OptionAdder& add) {
  const auto text = [] { return cxxopts::value<std::string>(); };
  add("job", "the job: a unique prefix of its id, a note or nevent", text(), "ID");
  add("at", "the job as it was then: #1201, +1.2 s, 21:30, \"2026-11-20 13:00:05\", 5 min ago", text(), "WHEN");
  add("rebuild-views", "make lists and reports again from the entries");
  add_json_option(add);
}

}  // namespace

Command replay_command() {
  return {.name = "replay",
          .summary = "Shows a job step by step: each fact, the job's state after it, and what was to do.",
          .examples =
              "  sellcompute replay --job a53c\n"
              "  sellcompute replay --job a53c --at '#1207'            # as it was after that entry\n"
              "  sellcompute replay --job a53c --at 2026-11-20T12:00:05Z\n"
              "  sellcompute replay --rebuild-views                   # while `serve` is stopped\n",
          .notes =
              "The code of `serve` computes every state again from the ledger's facts. --rebuild-views loses no "
              "data.\n",
          .options = replay_options,
          .run = run_replay};
}

}  // namespace cmd
