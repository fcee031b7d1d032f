// sellcompute ledger: what happened, for other programs. What it writes: ledger_upkeep.cc.
#include <algorithm>
#include <limits>
#include <map>
#include <ostream>
#include <set>

#include "cmd/cli/open_ledger.h"
#include "cmd/commands.h"
#include "cmd/ledger_upkeep.h"
#include "cmd/text/humanize.h"
#include "ledger/fact_json.h"
#include "ledger/schema.h"

namespace cmd {
namespace {

using base::Result;
using base::Seq;

// ---- export ---------------------------------------------------------------------------------------------------------

// Which entries; `job_prefix` is one of job_prefix(), empty for all.
struct Selection {
  Seq from = 0;
  Seq until = std::numeric_limits<Seq>::max();
  std::string job_prefix;

  bool has(const ledger::Entry& entry) const {
    return job_prefix.empty() || (!entry.header.job.is_zero() && begins_with(entry.header.job, job_prefix));
  }
};

Result<Selection> selection_of(const Arguments& arguments) {
  Selection selection;
  if (arguments.has("from")) selection.from = arguments.options["from"].as<Seq>();
  if (arguments.has("until")) selection.until = arguments.options["until"].as<Seq>();
  if (selection.from >= selection.until)
    return usage_error("--until is not after --from", "--from is the first entry, --until the one to stop before");
  if (!arguments.has("job")) return selection;
  auto prefix = job_prefix(arguments.text("job"));
  if (!prefix) return tl::unexpected(prefix.error());
  selection.job_prefix = std::move(*prefix);
  return selection;
}

// seq, time, type, job (null for facts about the shop), facts: and the numbers from which the header can be made again.
nlohmann::ordered_json export_row(const ledger::Entry& entry) {
  const ledger::Header& header = entry.header;
  return {{"seq", entry.seq},
          {"time", utc_time(header.time)},
          {"time_ms", header.time.ms},
          {"type", ledger::type_name(header.type)},
          {"job", header.job.is_zero() ? nlohmann::ordered_json(nullptr) : nlohmann::ordered_json(header.job.hex())},
          {"facts", ledger::to_json(entry.fact)},
          {"facts_sha256", header.facts_sha256.hex()}};
}

Result<ExitCode> export_entries(const Arguments& arguments, Context& context) {
  const auto selection = selection_of(arguments);
  if (!selection) return tl::unexpected(selection.error());
  const auto ledger = open_ledger(context, Views::not_needed);
  if (!ledger) return tl::unexpected(ledger.error());
  const auto read = ledger->reader.for_each(selection->from, selection->until, [&](const ledger::Entry& entry) {
    if (selection->has(entry)) context.out << json_line(export_row(entry)) << '\n';
    return context.out.good();
  });
  if (!read) return tl::unexpected(read.error());
  return ExitCode::done;
}

// ---- stats ----------------------------------------------------------------------------------------------------------

struct Stats {
  Seq entries = 0;
  std::set<base::JobId> jobs;
  std::map<std::uint32_t, std::int64_t> by_type;
  base::TimeMs first, last;
  base::Hash256 root;
  std::uintmax_t disk_bytes = 0;
  std::optional<Seq> checkpoint_size;
};

std::uintmax_t bytes_in(const std::filesystem::path& folder) {
  std::uintmax_t sum = 0;
  std::error_code error;
  for (const auto& file : std::filesystem::recursive_directory_iterator(folder, error)) {
    const auto size = file.is_regular_file(error) ? file.file_size(error) : 0;
    if (!error) sum += size;
  }
  return sum;
}

Result<Stats> read_stats(const ledger::Reader& reader) {
  Stats stats;
  const auto state = reader.state();
  if (!state) return tl::unexpected(state.error());
  stats.root = state->root;
  const auto read = reader.for_each(0, state->size, [&](const ledger::Entry& entry) {
    if (stats.entries++ == 0) stats.first = entry.header.time;
    stats.last = entry.header.time;
    ++stats.by_type[entry.header.type];
    if (!entry.header.job.is_zero()) stats.jobs.insert(entry.header.job);
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  const auto checkpoint = reader.last_checkpoint();
  if (!checkpoint) return tl::unexpected(checkpoint.error());
  if (*checkpoint) stats.checkpoint_size = (*checkpoint)->size;
  return stats;
}

void print_stats_for_programs(const Stats& stats, Context& context) {
  nlohmann::ordered_json types = nlohmann::ordered_json::object();
  for (const auto& [type, count] : stats.by_type) types[std::string(ledger::type_name(type))] = count;
  const bool any = stats.entries > 0;
  const auto time = [&](base::TimeMs at) { return any ? nlohmann::ordered_json(utc_time(at)) : nullptr; };
  const nlohmann::ordered_json object = {
      {"entries", stats.entries},
      {"jobs", stats.jobs.size()},
      {"first", time(stats.first)},
      {"last", time(stats.last)},
      {"root", stats.root.hex()},
      {"checkpoint_entries",
       stats.checkpoint_size ? nlohmann::ordered_json(*stats.checkpoint_size) : nlohmann::ordered_json(nullptr)},
      {"disk_bytes", stats.disk_bytes},
      {"types", types}};
  context.out << json_line(object) << '\n';
}

void print_stats_for_people(const Stats& stats, Context& context) {
  const auto number = [](auto count) { return grouped(static_cast<std::int64_t>(count)); };
  Table table({{"", "what"}, {"", "value", Align::right}});
  table.add({"entries", number(stats.entries)});
  for (const auto& [type, count] : stats.by_type) {
    table.add({"  " + std::string(ledger::type_name(type)), number(count)});
  }
  table.add({"jobs", number(stats.jobs.size())});
  table.add({"KiB on disk", number(stats.disk_bytes / 1'024)});
  table.print(context.out, Format::people, context.terminal);
  if (stats.entries > 0) {
    context.out << "from        " << utc_time(stats.first) << "\nuntil       " << utc_time(stats.last) << '\n';
  }
  context.out << "root        " << stats.root.hex() << "\ncheckpoint  "
              << (stats.checkpoint_size ? "over " + counted(*stats.checkpoint_size, "entry", "entries") : "none")
              << '\n';
}

Result<ExitCode> print_stats(const Arguments& arguments, Context& context) {
  const auto ledger = open_ledger(context, Views::not_needed);
  if (!ledger) return tl::unexpected(ledger.error());
  auto stats = read_stats(ledger->reader);
  if (!stats) return tl::unexpected(stats.error());
  stats->disk_bytes = bytes_in(find_paths(context.sources)->ledger());
  arguments.format() == Format::people ? print_stats_for_people(*stats, context)
                                       : print_stats_for_programs(*stats, context);
  return ExitCode::done;
}

// ---- schema ---------------------------------------------------------------------------------------------------------

Result<ExitCode> print_schema(const Arguments&, Context& context) {
  context.out << ledger::proto_schema();
  return ExitCode::done;
}

}  // namespace

Command ledger_command() {
  return {
      .name = "ledger",
      .summary = "Exports the ledger, counts what is in it, signs checkpoints, removes old texts.",
      .examples =
          "  sellcompute ledger export | jq -r .type | sort | uniq -c\n"
          "  sellcompute ledger stats\n"
          "  sellcompute ledger schema > ledger.proto\n"
          "  sellcompute ledger checkpoint --out checkpoint.txt\n"
          "  sellcompute ledger prune --older-than 90d\n",
      .subcommands = {
          {.name = "export",
           .summary = "Prints the entries, one JSON object a line: seq, time, type, job, facts.",
           .examples = "  sellcompute ledger export > ledger.ndjson\n"
                       "  sellcompute ledger export --job a53c9389\n"
                       "  sellcompute ledger export --from 1200 --until 1300 | jq .facts\n",
           .notes = "Works beside a running `serve`. Prompts and results are not in it: facts refer to them by hash.\n",
           .options =
               [](cxxopts::OptionAdder& add) {
                 add("from", "the first entry, counted from 0", cxxopts::value<Seq>(), "SEQ");
                 add("until", "the entry to stop before", cxxopts::value<Seq>(), "SEQ");
                 add("job", "only this job: its id, a prefix of it, or a note", cxxopts::value<std::string>(), "ID");
               },
           .run = export_entries},
          {.name = "stats",
           .summary = "Counts the entries per type, the jobs, and the bytes on disk.",
           .examples = "  sellcompute ledger stats\n"
                       "  sellcompute ledger stats --json | jq .types\n",
           .options = add_json_option,
           .run = print_stats},
          {.name = "schema",
           .summary = "Prints the protobuf schema of the ledger's facts.",
           .examples = "  sellcompute ledger schema > ledger.proto\n",
           .run = print_schema},
          checkpoint_command(),
          prune_command(),
      }};
}

}  // namespace cmd
