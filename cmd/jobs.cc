// sellcompute jobs: what was asked of us, and what became of it.
#include <ostream>

#include "cmd/cli/ask_about_job.h"
#include "cmd/cli/clock.h"
#include "cmd/cli/open_ledger.h"
#include "cmd/commands.h"
#include "cmd/jobs_close.h"
#include "cmd/jobs_refund.h"
#include "cmd/jobs_retry.h"
#include "cmd/jobs_tail.h"
#include "cmd/jobs_text.h"
#include "cmd/text/humanize.h"
#include "cmd/text/job_text.h"
#include "cmd/text/when.h"
#include "ledger/fact_json.h"
#include "pipeline/core/model_name.h"
#include "replay/jobs_view.h"
#include "replay/phrases.h"

namespace cmd {
namespace {

using base::Result;

constexpr std::size_t kShownToPeople = 20;  // jobs, without --limit
constexpr std::size_t kMostCounted = 100'000;

Result<core::State> read_state(const std::string& text) {
  if (const auto state = parse_state(text)) return *state;
  std::vector<std::string_view> names;
  for (const core::State state : core::all_states()) names.push_back(core::name(state));
  const auto meant = nearest(text, names);
  std::string all;
  for (const auto one : names) all += (all.empty() ? "" : ", ") + std::string(one);
  return usage_error("there is no state \"" + text + "\"", meant ? "did you mean " + *meant + "?" : "states: " + all);
}

// The name as it was typed, or with the tag that Ollama adds to a name without one.
Result<std::string> find_model(const ledger::Reader& reader, const std::string& text) {
  const auto known = replay::count_jobs(reader, {.model = text}, 1);
  if (!known) return tl::unexpected(known.error());
  const bool has_tag = text.find(':') != std::string::npos;
  return **known > 0 || has_tag ? text : text + std::string(core::kDefaultTag);
}

Result<replay::JobFilter> read_filter(const Arguments& arguments, const ledger::Reader& reader, base::TimeMs now) {
  const bool people = arguments.format() == Format::people;
  replay::JobFilter out{.limit = people ? kShownToPeople : SIZE_MAX};
  if (arguments.has("limit")) out.limit = arguments.options["limit"].as<std::size_t>();
  if (out.limit == 0) return usage_error("--limit 0 shows nothing", "give how many jobs to show");
  if (arguments.has("state")) {
    const auto state = read_state(arguments.text("state"));
    if (!state) return tl::unexpected(state.error());
    out.state = *state;
  }
  if (arguments.has("customer")) {
    const auto customer = find_customer(reader, arguments.text("customer"));
    if (!customer) return tl::unexpected(customer.error());
    out.customer = *customer;
  }
  if (arguments.has("model")) {
    auto model = find_model(reader, arguments.text("model"));
    if (!model) return tl::unexpected(model.error());
    out.model = std::move(*model);
  }
  if (arguments.has("since")) {
    const auto since = parse_when(arguments.text("since"), now);
    if (!since) return tl::unexpected(since.error());
    out.since = *since;
  }
  return out;
}

// Jobs as they are read: there may be more of them than fit into memory.
Result<void> list_for_programs(const ledger::Reader& reader, const replay::JobFilter& filter, base::TimeMs now,
                               Format format, Context& context) {
  Table table = job_table();
  const auto read = replay::for_each_job(reader, filter, [&](const core::Job& job) {
    add_job(table, job, now);
    table.print_part(context.out, format);
    return context.out.good();
  });
  table.print_part(context.out, format);
  return read;
}

// "20 of 202; more with --limit"
Result<std::string> how_many(const ledger::Reader& reader, const replay::JobFilter& filter) {
  const auto all = replay::count_jobs(reader, filter, kMostCounted);
  if (!all) return tl::unexpected(all.error());
  std::string out = grouped(static_cast<std::int64_t>(filter.limit));
  if (!*all)
    out += " shown";
  else
    out += " of " + grouped(static_cast<std::int64_t>(**all)) + (**all == kMostCounted ? " or more" : "");
  return out + "; more with --limit";
}

Result<void> list_for_people(const ledger::Reader& reader, const replay::JobFilter& filter, base::TimeMs now,
                             Context& context) {
  auto one_more = filter;
  if (one_more.limit < SIZE_MAX) ++one_more.limit;
  Table table = job_table();
  std::size_t count = 0;
  const auto read = replay::for_each_job(reader, one_more, [&](const core::Job& job) {
    if (++count <= filter.limit) add_job(table, job, now);
    return true;
  });
  if (!read) return read;
  if (count == 0) {
    context.err << "no such jobs\n";
    return {};
  }
  table.print(context.out, Format::people, context.terminal);
  if (count <= filter.limit) return {};
  const auto text = how_many(reader, filter);
  if (!text) return tl::unexpected(text.error());
  context.out << context.terminal.paint(Colour::dim, *text) << '\n';
  return {};
}

Result<ExitCode> run_list(const Arguments& arguments, Context& context) {
  const auto now = make_clock(context.sources)();
  const auto ledger = open_ledger(context);
  if (!ledger) return tl::unexpected(ledger.error());
  const auto filter = read_filter(arguments, ledger->reader, now);
  if (!filter) return tl::unexpected(filter.error());
  const Format format = arguments.format();
  const auto listed = format == Format::people ? list_for_people(ledger->reader, *filter, now, context)
                                               : list_for_programs(ledger->reader, *filter, now, format, context);
  if (!listed) return tl::unexpected(listed.error());
  return ExitCode::done;
}

void print_life(const std::vector<replay::ReplayStep>& steps, Context& context) {
  Table life({{"ENTRY", ""}, {"TIME", ""}, {"AFTER", "", Align::right}, {"FACT", ""}});
  const auto start = steps.front().entry.header.time;
  for (const auto& step : steps) {
    life.add({{"#" + std::to_string(step.entry.seq), nullptr, Colour::dim},
              {local_time(step.entry.header.time), nullptr, Colour::dim},
              {"+" + took(step.entry.header.time - start), nullptr},
              {replay::phrase(step.entry.fact), nullptr}});
  }
  context.out << '\n';
  life.print(context.out, Format::people, context.terminal);
}

// "kept", or why the texts of a job are not there.
std::string texts_of(const ledger::Reader& reader, const core::Job& job) {
  if (job.declined && job.declined->text_dropped) return "not kept, as the job was declined";
  const auto text = job.request ? reader.text(job.request->request) : base::Result<std::optional<std::string>>();
  if (!text) return "damaged: " + text.error().message;
  return *text ? "kept" : "pruned";
}

Result<ExitCode> run_show(const Arguments& arguments, Context& context) {
  const auto ledger = open_ledger(context);
  if (!ledger) return tl::unexpected(ledger.error());
  const auto id = find_job_id(ledger->reader, arguments.words[0]);
  if (!id) return tl::unexpected(id.error());
  const auto steps = replay::replay_job(ledger->reader, *id);
  if (!steps) return tl::unexpected(steps.error());
  if (steps->empty()) return unknown_job(arguments.words[0]);
  const core::Job& job = steps->back().job;
  std::optional<JobWords> words;
  if (arguments.has("text")) {
    auto read = read_words(context, ledger->reader, job);
    if (!read) return tl::unexpected(read.error());
    words = std::move(*read);
  }
  if (arguments.format() == Format::json) {
    auto object = job_json(job);
    object["texts"] = texts_of(ledger->reader, job);
    if (words) add_words(object, *words);
    object["facts"] = nlohmann::ordered_json::array();
    for (const auto& step : *steps) object["facts"].push_back(ledger::to_json(step.entry));
    context.out << json_line(object) << '\n';
    return ExitCode::done;
  }
  if (words) {
    print_words(context.out, context.terminal, *words);
    return ExitCode::done;
  }
  const std::string texts = texts_of(ledger->reader, job);
  print_job(context.out, context.terminal, job, texts == "kept" ? NamedTexts() : NamedTexts{{"texts", texts}});
  print_life(*steps, context);
  return ExitCode::done;
}

Result<ExitCode> run_cancel(const Arguments& arguments, Context& context) {
  const auto reply = ask_about_job(arguments.words[0], {{"method", "cancel"}}, context);
  if (!reply) return tl::unexpected(reply.error());
  if (context.verbosity != Verbosity::quiet) context.err << printable_lines(reply->value("text", "done")) << '\n';
  return ExitCode::done;
}

void list_options(cxxopts::OptionAdder& add) {
  const auto text = [] { return cxxopts::value<std::string>(); };
  add("state", "only jobs in this state", text(), "STATE");
  add("customer", "only this customer's: npub, hex or a unique prefix", text(), "KEY");
  add("model", "only jobs that this model answers", text(), "NAME");
  add("since", "only jobs requested since then: 7d, yesterday, 21:30, 2026-11-20", text(), "WHEN");
  add("limit", "how many: 20 in the table if not given, all with --json and --csv", cxxopts::value<std::size_t>(), "N");
  add_json_and_csv_options(add);
}

void show_options(cxxopts::OptionAdder& add) {
  add("text", "show the question and its answer instead, decrypted if necessary");
  add_json_option(add);
}

}  // namespace

Command jobs_command() {
  return {.name = "jobs",
          .summary = "Lists, follows and shows jobs; cancels, closes or retries one, or pays its customer back.",
          .examples =
              "  sellcompute jobs list --since 1d\n"
              "  sellcompute jobs show a53c\n"
              "  sellcompute jobs show a53c --text   # question and answer\n",
          .subcommands = {
              {.name = "list",
               .summary = "Lists jobs, newest first.",
               .examples = "  sellcompute jobs list --state 'delivered, unpaid'\n"
                           "  sellcompute jobs list --customer npub1wu7e --since 7d --limit 100\n"
                           "  sellcompute jobs list --json | jq -r 'select(.state == \"declined\") | .remark'\n",
               .notes =
                   "PRICE is what was invoiced, or else quoted; SETTLED is what arrived in the wallet. The reason why\n"
                   "a job is as it is stands last. A narrow terminal leaves columns out; `jobs show` has it all.\n"
                   "Works while `serve` runs.\n",
               .options = list_options,
               .run = run_list},
              {.name = "show",
               .summary = "Shows a job's whole life: times, money, relays, every fact.",
               .examples = "  sellcompute jobs show a53c\n"
                           "  sellcompute jobs show a53c --text         # question and answer\n"
                           "  sellcompute jobs show note1... --json | jq '.facts[].type'\n",
               .words = "ID",
               .notes = "ID is a unique prefix of the job's id (`jobs list` shows one) or of its note, or an nevent.\n",
               .options = show_options,
               .run = run_show},
              tail_command(),
              {.name = "cancel",
               .summary = "Tells a running serve to cancel a job.",
               .examples = "  sellcompute jobs cancel a53c\n",
               .words = "ID",
               .notes = "Serve stops the model and sends the customer a notice. The customer owes nothing; what they\n"
                        "paid is owed back. It is too late once the result is signed.\n",
               .run = run_cancel},
              retry_command(),
              refund_command(),
              close_command(),
          }};
}

}  // namespace cmd
