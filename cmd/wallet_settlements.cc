#include "cmd/wallet_settlements.h"

#include <algorithm>
#include <map>
#include <ostream>
#include <set>

#include "cmd/cli/clock.h"
#include "cmd/cli/open_ledger.h"
#include "cmd/text/fit.h"
#include "cmd/text/humanize.h"
#include "cmd/text/when.h"
#include "cmd/wallets/wallet_session.h"

namespace cmd {
namespace {

using base::Result;
using base::TimeMs;
using nlohmann::ordered_json;
using Listed = std::vector<wallet::PaidInvoice>;

constexpr std::int64_t kListPatienceMs = 30 * base::kMinuteMs;  // for all pages of a wallet

Result<Listed> list(WalletSession& counter, wallet::Wallet& wallet, TimeMs since) {
  return counter.ask<Listed>([&](auto done) { wallet.list_paid({.since = since}, done); }, kListPatienceMs);
}

// Of the wallets used before, one that does not list is named, and its kind is left out.
Result<replay::WalletLists> list_all(const Config& config, Context& context) {
  const auto counter = WalletSession::open(config, make_clock(context.sources));
  if (!counter) return tl::unexpected(counter.error());
  if (const auto opened = (*counter)->open_former(config); !opened) return tl::unexpected(opened.error());
  replay::WalletLists out;
  std::set<std::string> left_out;
  for (wallet::Wallet* wallet : (*counter)->wallets()) {
    const auto listed = list(**counter, *wallet, {});
    if (!listed && wallet->kind() != (*counter)->wallet().kind()) {
      context.err << "not compared: the " << wallet->kind()
                  << " wallet used before: " << printable(listed.error().message) << '\n';
      left_out.insert(wallet->kind());
      continue;
    }
    if (!listed) return tl::unexpected(listed.error());
    std::ranges::copy(*listed, std::back_inserter(out[wallet->kind()]));
  }
  for (const auto& kind : left_out) out.erase(kind);
  return out;
}

// Which job each of our invoices was for; none before the first start.
Result<std::map<base::Hash256, base::JobId>> jobs_by_hash(Context& context) {
  std::map<base::Hash256, base::JobId> out;
  const auto ledger = open_ledger(context);
  if (!ledger && ledger.error().code == "ledger.absent") return out;
  if (!ledger) return tl::unexpected(ledger.error());
  const auto size = ledger->reader.size();
  if (!size) return tl::unexpected(size.error());
  const auto read = ledger->reader.for_each(0, *size, [&](const ledger::Entry& entry) {
    const auto* issued = std::get_if<ledger::InvoiceIssued>(&entry.fact);
    if (issued) out.emplace(issued->payment_hash, entry.header.job);
    return true;
  });
  if (!read) return tl::unexpected(read.error());
  return out;
}

base::Msat sum_of(const std::vector<wallet::PaidInvoice>& paid) {
  base::Msat sum;
  for (const auto& one : paid) sum += one.received;
  return sum;
}

Result<ExitCode> run_settlements(const Arguments& arguments, Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  const auto since = parse_when(arguments.text("since"), make_clock(context.sources)());
  if (!since) return tl::unexpected(since.error());
  const auto counter = WalletSession::open(*config, make_clock(context.sources));
  if (!counter) return tl::unexpected(counter.error());
  auto listed = list(**counter, (*counter)->wallet(), *since);
  if (!listed) return tl::unexpected(listed.error());
  const auto jobs = jobs_by_hash(context);
  if (!jobs) return tl::unexpected(jobs.error());
  std::ranges::sort(*listed, std::greater<>(), &wallet::PaidInvoice::settled_at);
  Table table({{"WHEN", "settled_at_ms", Align::left, Fit::whole},
               {"AMOUNT", "received_msat", Align::right},
               {"JOB", "job", Align::left, Fit::whole},
               {"DESCRIPTION", "description", Align::left, Fit::cut},
               {"", "payment_hash"}});
  for (const auto& one : *listed) {
    const auto job = jobs->find(one.payment_hash);
    const std::string id = job == jobs->end() ? "" : job->second.hex();
    table.add({{local_time(one.settled_at), one.settled_at.ms},
               {sats(one.received), one.received.value},
               {id.empty() ? "–" : short_id(id), id.empty() ? ordered_json(nullptr) : ordered_json(id)},
               one.description,
               {"", one.payment_hash.hex()}});
  }
  if (listed->empty() && arguments.format() == Format::people) {
    context.err << "nothing was paid into this wallet since " << local_time(*since) << '\n';
    return ExitCode::done;
  }
  table.print(context.out, arguments.format(), context.terminal);
  if (arguments.format() == Format::people) {
    const std::string sum = counted(listed->size(), "payment") + ", " + sats(sum_of(*listed)) + ", since " +
                            local_time(*since) + "; earlier ones with --since";
    context.out << context.terminal.paint(Colour::dim, paragraph(sum, context.terminal.width)) << '\n';
  }
  return ExitCode::done;
}

}  // namespace

Result<replay::Reconciliation> reconcile_with_wallet(const ledger::Reader& reader, Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  const auto listed = list_all(*config, context);
  if (!listed) return tl::unexpected(listed.error());
  return replay::reconcile(reader, *listed, {.until = {INT64_MAX}},
                           {.forgets_paid = config->wallet.forgets_paid, .shared = config->wallet.shared});
}

void print(const replay::Reconciliation& books, Context& context) {
  std::string text = "the wallet and the ledger have " + counted(books.matched, "settlement") + " in common, " +
                     sats(books.matched_amount);
  if (books.others > 0)
    text += "; besides, " + sats(books.others_amount) + " were paid into the wallet for something else";
  if (books.forgotten > 0) {
    text += "; " + counted(books.forgotten, "settlement") + ", " + sats(books.forgotten_amount) +
            ", the wallet no longer lists";
  }
  context.out << paragraph(text, context.terminal.width) << '\n';
  Table table({{"", ""}, {"", ""}});
  for (const auto& one : books.differences) {
    const std::string about =
        one.job.is_zero() ? "payment hash " + short_id(one.payment_hash.hex()) : "job " + short_id(one.job.hex());
    table.add({{about, nullptr, Colour::red}, {replay::phrase(one), nullptr}});
  }
  table.print(context.out, Format::people, context.terminal);
}

ordered_json to_json(const replay::Reconciliation& books) {
  ordered_json out{{"matched", books.matched},
                   {"matched_msat", books.matched_amount.value},
                   {"others", books.others},
                   {"others_msat", books.others_amount.value},
                   {"forgotten", books.forgotten},
                   {"forgotten_msat", books.forgotten_amount.value},
                   {"differences", ordered_json::array()}};
  for (const auto& one : books.differences) {
    out["differences"].push_back({{"kind", replay::name(one.kind)},
                                  {"payment_hash", one.payment_hash.hex()},
                                  {"job", one.job.is_zero() ? ordered_json(nullptr) : ordered_json(one.job.hex())},
                                  {"in_ledger_msat", one.in_ledger.value},
                                  {"in_wallet_msat", one.in_wallet.value}});
  }
  return out;
}

Command settlements_command() {
  return {.name = "settlements",
          .summary = "Lists what the wallet itself says was paid into it, and which jobs it was for.",
          .examples =
              "  sellcompute wallet settlements --since 1d\n"
              "  sellcompute wallet settlements --csv > paid.csv\n",
          .notes = "`sellcompute audit --wallet` compares it with the ledger.\n",
          .uses_settings = true,
          .options =
              [](cxxopts::OptionAdder& add) {
                add("since", "from then on: 7d, yesterday, 2026-11-20",
                    cxxopts::value<std::string>()->default_value("7d"), "WHEN");
                add_json_and_csv_options(add);
              },
          .run = run_settlements};
}

}  // namespace cmd
