// sellcompute earnings: what was earned, as the wallet tells it, and what is open.
#include <algorithm>
#include <ostream>

#include "cmd/cli/clock.h"
#include "cmd/cli/open_ledger.h"
#include "cmd/commands.h"
#include "cmd/text/humanize.h"
#include "cmd/text/journal.h"
#include "cmd/text/when.h"
#include "pipeline/core/model_name.h"
#include "pipeline/nostr/nip19.h"
#include "replay/earnings_report.h"

namespace cmd {
namespace {

using base::Msat;
using base::Result;
using nlohmann::ordered_json;
using replay::Figures;
using replay::GroupBy;
using replay::Money;

constexpr int kBarColumns = 12;

std::string capitals(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
  return out;
}

Result<GroupBy> parse_grouping(const std::string& text) {
  std::vector<std::string_view> names;
  for (const GroupBy by : replay::all_groupings()) {
    if (replay::name(by) == text) return by;
    names.push_back(replay::name(by));
  }
  const auto meant = nearest(text, names);
  return usage_error("earnings cannot be grouped by \"" + text + "\"",
                     meant ? "did you mean " + *meant + "?" : "it is day, week, month, model, customer or wallet");
}

Result<Money> chosen_money(const Arguments& arguments, const ledger::Reader& reader) {
  if (!arguments.has("money")) return replay::money_in_force(reader);
  const std::string text = arguments.text("money");
  if (text == "real") return Money::real;
  if (text == "play") return Money::play;
  return usage_error("there is no money \"" + text + "\"", "it is real or play");
}

Result<replay::ReportQuery> read_query(const Arguments& arguments, const ledger::Reader& reader, base::TimeMs now) {
  const auto by = parse_grouping(arguments.text("by"));
  if (!by) return tl::unexpected(by.error());
  const auto money = chosen_money(arguments, reader);
  if (!money) return tl::unexpected(money.error());
  replay::ReportQuery out{.by = *by, .money = *money, .since = {}, .until = {}, .utc_offset = local_utc_offset};
  const auto read_moment = [&](const std::string& option, std::optional<base::TimeMs>& moment) -> Result<void> {
    if (!arguments.has(option)) return {};
    const auto when = parse_when(arguments.text(option), now);
    if (!when) return tl::unexpected(when.error());
    moment = *when;
    return {};
  };
  if (auto done = read_moment("since", out.since); !done) return tl::unexpected(done.error());
  if (auto done = read_moment("until", out.until); !done) return tl::unexpected(done.error());
  if (out.since && out.until && *out.since >= *out.until)
    return usage_error("--until is not later than --since", "--since is the earlier moment, --until the later one");
  return out;
}

// ---- for programs ---------------------------------------------------------------------------------------------------

ordered_json value_of(Msat amount) {
  return amount.value;
}
ordered_json value_of(std::uint64_t count) {
  return count;
}

// The members of the field list under their names there.
ordered_json figures_json(const Figures& figures) {
  ordered_json out = ordered_json::object();
  std::apply([&](const auto&... field) { ((out[std::string(field.name)] = value_of(figures.*field.member)), ...); },
             Figures::fields());
  return out;
}

std::string money_name(Money money) {
  return money == Money::play ? "play" : "real";
}

ordered_json moment_json(const std::optional<base::TimeMs>& moment) {
  return moment ? ordered_json(moment->ms) : ordered_json(nullptr);
}

ordered_json report_json(const replay::Report& report, const replay::ReportQuery& query) {
  ordered_json out{{"by", replay::name(query.by)},         {"money", money_name(query.money)},
                   {"since_ms", moment_json(query.since)}, {"until_ms", moment_json(query.until)},
                   {"rows", ordered_json::array()},        {"total", figures_json(report.total)}};
  for (const auto& row : report.rows) {
    ordered_json object{{std::string(replay::name(query.by)), row.key}};
    object.update(figures_json(row.figures));
    out["rows"].push_back(std::move(object));
  }
  return out;
}

void print_csv(const replay::Report& report, const replay::ReportQuery& query, Context& context) {
  std::vector<Column> columns{{"", std::string(replay::name(query.by))}};
  const ordered_json no_figures = figures_json({});
  for (const auto& [key, value] : no_figures.items()) columns.push_back({"", key});
  Table table(columns);
  for (const auto& row : report.rows) {
    std::vector<Cell> cells{row.key};
    const ordered_json figures = figures_json(row.figures);
    for (const auto& [key, value] : figures.items()) cells.emplace_back("", value);
    table.add(std::move(cells));
  }
  table.print(context.out, Format::csv, context.terminal);
}

// ---- for people -----------------------------------------------------------------------------------------------------

std::string key_text(const std::string& key, GroupBy by) {
  if (key.empty()) return "–";
  if (by == GroupBy::model) return std::string(core::short_model_name(key));
  if (by != GroupBy::customer) return key;
  const auto customer = base::PublicKey::from_hex(key);
  return customer ? short_npub(nostr::encode_npub(*customer)) : key;
}

Cell amount(Msat amount, Colour colour = Colour::plain) {
  return {amount == Msat{} ? "–" : sats(amount), nullptr, amount == Msat{} ? Colour::dim : colour};
}

std::vector<Cell> row(const std::string& name, const Figures& figures, const std::string& picture) {
  return {name,
          grouped(static_cast<std::int64_t>(figures.jobs)),
          amount(figures.quoted),
          amount(figures.invoiced),
          amount(figures.settled, Colour::green),
          amount(figures.delivered_unpaid),
          amount(figures.unpaid, Colour::yellow),
          amount(figures.paid_undelivered, Colour::yellow),
          amount(figures.owed_back, Colour::red),
          amount(figures.refunded),
          {picture, nullptr}};
}

std::vector<Cell> total_row(const Figures& total) {
  std::vector<Cell> cells = row("total", total, "");
  for (Cell& cell : cells) cell.colour = Colour::bold;
  return cells;
}

void print_table(const replay::Report& report, const replay::ReportQuery& query, Context& context) {
  Msat most;
  for (const auto& one : report.rows) most = std::max(most, one.figures.settled);
  const auto right = [](const char* title, int worth) { return Column{title, "", Align::right, Fit::whole, worth}; };
  Table table({{capitals(replay::name(query.by)), "", Align::left, Fit::cut},
               right("JOBS", 6),
               right("QUOTED", 2),
               right("INVOICED", 3),
               right("SETTLED", kEssential),
               right("NOT YET PAID", 4),
               right("NEVER PAID", 7),
               right("UNDELIVERED", 8),
               right("OWED BACK", kEssential),
               right("REFUNDED", 5),
               {"", "", Align::left, Fit::whole, 1}});
  for (const auto& [key, figures] : report.rows) {
    const bool picture = context.terminal.interactive;
    table.add(
        row(key_text(key, query.by), figures, picture ? bar(figures.settled.value, most.value, kBarColumns) : ""));
  }
  if (report.rows.size() > 1) table.add(total_row(report.total));
  table.print(context.out, Format::people, context.terminal);
}

// What the columns that have amounts mean, and how they belong together, where a reader would add them up.
void print_meaning(const Figures& total, Context& context) {
  Table table({{"", ""}, {"", ""}});
  const auto add = [&table](const char* name, const std::string& meaning) {
    table.add({{name, nullptr, Colour::dim}, {meaning, nullptr, Colour::dim}});
  };
  if (total.declined > 0) add("JOBS", grouped(static_cast<std::int64_t>(total.declined)) + " of them declined");
  if (total.quoted > Msat{}) add("QUOTED", "the most that the jobs could cost, before they were run");
  if (total.invoiced != total.settled + total.delivered_unpaid + total.unpaid) {
    add("INVOICED",
        "differs from SETTLED, NOT YET PAID and NEVER PAID together: it counts when an invoice is made, "
        "also for a job that is not delivered; SETTLED counts when money arrives");
  }
  if (total.delivered_unpaid > Msat{}) add("NOT YET PAID", "delivered, and the invoice can still be paid");
  if (total.unpaid > Msat{}) add("NEVER PAID", "delivered, and no payment for the invoice came in time");
  if (total.paid_undelivered > Msat{}) add("UNDELIVERED", "part of SETTLED: paid, and not delivered yet");
  if (total.owed_back > Msat{}) add("OWED BACK", "part of SETTLED: must be paid back");
  if (total.refunded > Msat{}) add("REFUNDED", "paid back; it stays in SETTLED");
  table.print(context.out, Format::people, context.terminal);
}

std::string or_nothing(Msat amount) {
  return amount == Msat{} ? "nothing" : sats(amount);
}

std::string summary(const Figures& total, Money money) {
  std::string out = "what arrived in the wallet: " + or_nothing(total.settled);
  if (money == Money::play) out += " of play money";
  if (total.sales > 0) {
    out += " in " + counted(total.sales, "sale");
  }
  out += "; " + or_nothing(total.delivered_unpaid) + " delivered and not yet paid";
  if (total.unpaid > Msat{}) out += "; " + sats(total.unpaid) + " delivered and never paid";
  if (total.paid_undelivered > Msat{}) out += "; " + sats(total.paid_undelivered) + " paid and not delivered";
  if (total.refunded > Msat{}) out += "; " + sats(total.refunded) + " paid back";
  return out + "; " + or_nothing(total.owed_back) + " owed back";
}

Result<ExitCode> run_journal(const Arguments& arguments, const ledger::Reader& reader, const replay::ReportQuery& query,
                             Context& context) {
  for (const std::string other : {"by", "json", "csv"}) {
    if (arguments.has(other)) return usage_error("--journal is not for --" + other, "give one of them");
  }
  const auto payments = replay::payments(reader, query);
  if (!payments) return tl::unexpected(payments.error());
  print_journal(context.out, *payments, query.money);
  return ExitCode::done;
}

// Money of the other kind is never added, but it is not hidden either.
Result<void> mention_other_money(const ledger::Reader& reader, replay::ReportQuery query, Context& context) {
  query.money = query.money == Money::real ? Money::play : Money::real;
  const auto other = replay::report(reader, query);
  if (!other) return tl::unexpected(other.error());
  if (other->total == Figures{}) return {};
  const std::string name = money_name(query.money);
  const std::string text =
      "not counted here: " + or_nothing(other->total.settled) + " of " + name + " money (--money " + name + ")";
  context.out << paragraph(text, context.terminal.width) << '\n';
  return {};
}

Result<ExitCode> run_report(const Arguments& arguments, Context& context) {
  const auto ledger = open_ledger(context);
  if (!ledger) return tl::unexpected(ledger.error());
  const auto query = read_query(arguments, ledger->reader, make_clock(context.sources)());
  if (!query) return tl::unexpected(query.error());
  if (arguments.has("journal")) return run_journal(arguments, ledger->reader, *query, context);
  const auto report = replay::report(ledger->reader, *query);
  if (!report) return tl::unexpected(report.error());
  if (arguments.format() == Format::csv) {
    print_csv(*report, *query, context);
    return ExitCode::done;
  }
  if (arguments.format() == Format::json) {
    context.out << json_line(report_json(*report, *query)) << '\n';
    return ExitCode::done;
  }
  if (!report->rows.empty()) print_table(*report, *query, context);
  if (!report->rows.empty() && context.terminal.interactive) print_meaning(report->total, context);
  context.out << paragraph(summary(report->total, query->money), context.terminal.width) << '\n';
  if (auto done = mention_other_money(ledger->reader, *query, context); !done) return tl::unexpected(done.error());
  return ExitCode::done;
}

void report_options(cxxopts::OptionAdder& add) {
  const auto text = [] { return cxxopts::value<std::string>(); };
  add("by", "day, week, month, model, customer or wallet", text()->default_value("day"), "WHAT");
  add("since", "from then on: 7d, yesterday, 2026-11-20", text(), "WHEN");
  add("until", "up to then: 1d, today, 2026-11-27", text(), "WHEN");
  add("money", "real or play; default: the kind of money of the configured wallet", text(), "KIND");
  add("journal", "every payment and refund, as a journal for hledger");
  add_json_and_csv_options(add);
}

}  // namespace

Command earnings_command() {
  return {
      .name = "earnings",
      .summary = "Reports what was earned: only what the wallet reports as received.",
      .examples = "  sellcompute earnings report --by week\n",
      .subcommands = {
          {.name = "report",
           .summary = "Adds up quotes, invoices and settlements by day, week, month, model, customer or wallet.",
           .examples = "  sellcompute earnings report --by day --since 7d\n"
                       "  sellcompute earnings report --by model --since 2026-11-01 --until 2026-12-01\n"
                       "  sellcompute earnings report --json | jq .total.settled_msat\n"
                       "  sellcompute earnings report --journal --since 2026-01-01 > sales.journal\n",
           .notes =
               "SETTLED is what arrived in the wallet, in the period in which it arrived; REFUNDED is what was paid\n"
               "back, likewise. QUOTED is the most that the jobs could cost. INVOICED counts when the first invoice\n"
               "of a job was made. NOT YET PAID was delivered, and its invoice can still be paid. NEVER PAID was\n"
               "delivered, and its invoice is over. UNDELIVERED was paid, and is not delivered yet. OWED BACK was\n"
               "paid, and must be paid back. These four count in the period of the job's request, and disappear\n"
               "when they are resolved. UNDELIVERED, OWED BACK and REFUNDED are parts of SETTLED.\n"
               "INVOICED is more than SETTLED, NOT YET PAID and NEVER PAID together where a job ended before its\n"
               "delivery, and differs in a period where an invoice was paid in another one.\n"
               "Days are those of your time zone (TZ); times are exact to 15 minutes. Play money is never added to\n"
               "real money.\n",
           .options = report_options,
           .run = run_report},
      }};
}

}  // namespace cmd
