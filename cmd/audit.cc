// sellcompute audit: whether what the ledger says can be believed.
#include <fstream>
#include <ostream>

#include "base/temporary_folder.h"
#include "cmd/cli/open_ledger.h"
#include "cmd/cli/progress.h"
#include "cmd/commands.h"
#include "cmd/text/fit.h"
#include "cmd/text/humanize.h"
#include "cmd/text/lines.h"
#include "cmd/wallet_settlements.h"
#include "ledger/checkpoint.h"
#include "replay/auditor.h"

namespace cmd {
namespace {

using base::Result;
using nlohmann::ordered_json;
using replay::Audit;

constexpr int kPasses = 3;  // over the entries: their bytes, their views, each job's

Result<std::optional<std::string>> read_held(const Arguments& arguments) {
  if (!arguments.has("against")) return std::nullopt;
  const std::string path = arguments.text("against");
  std::ifstream file(path, std::ios::binary);
  std::string text(ledger::kMaxCheckpointBytes + 1, '\0');
  if (!file) return usage_error("the checkpoint cannot be read", "is this the file: " + path + "?");
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (const auto good = whole(file, "the checkpoint " + path); !good) return tl::unexpected(good.error());
  return text;
}

bool is_damage(const base::Error& error) {
  return error.code == "ledger.damaged" || error.code == "ledger.views_damaged";
}

void add_finding(Audit& audit, const base::Error& error) {
  const auto check = error.code == "ledger.views_damaged" ? replay::Check::views : replay::Check::bytes;
  audit.findings.push_back({check, error.context, error.message});
}

Result<Audit> run_audit(Context& context, const std::optional<std::string>& held) {
  const auto ledger = open_ledger(context);
  if (!ledger) return tl::unexpected(ledger.error());
  const auto folder = base::TemporaryFolder::make("audit");
  if (!folder) return tl::unexpected(folder.error());
  const auto scratch = ledger::open_writer(folder->path() / "views");
  if (!scratch) return tl::unexpected(scratch.error());
  const auto size = ledger->reader.size();
  if (!size) return tl::unexpected(size.error());
  const ReadProgress progress(*ledger->store, *size, kPasses, context);
  auto audit = replay::audit(progress, **scratch, held);
  if (!audit) return audit;
  // What the audit did not need to read may be damaged too.
  if (const auto whole = ledger->store->verify_files(); !whole) add_finding(*audit, whole.error());
  return audit;
}

void print_people(const Audit& audit, const std::optional<replay::Reconciliation>& books, bool against,
                  Context& context) {
  Table table({{"", ""}, {"", ""}});
  const auto add = [&](const char* name, std::string text) {
    table.add({{name, nullptr, Colour::dim}, {std::move(text), nullptr}});
  };
  add("entries", grouped(static_cast<std::int64_t>(audit.size)) + ", root " + short_id(audit.root.hex()) + "…");
  add("checkpoints", audit.checkpoints == 0
                         ? "none of our own yet"
                         : grouped(static_cast<std::int64_t>(audit.checkpoints)) + " of our own, the last over " +
                               counted(audit.checkpointed, "entry", "entries"));
  if (audit.whole) {
    add("jobs", counted(audit.jobs, "job") + ", " + counted(audit.invoices, "invoice") + ", " +
                    counted(audit.notices, "signed answer"));
    if (audit.pruned_texts > 0) {
      add("texts",
          counted(audit.pruned_texts, "is", "are") + " pruned: of those answers only the signatures were checked");
    }
  }
  table.print(context.out, Format::people, context.terminal);

  Table findings({{"", ""}, {"", ""}, {"", ""}});
  for (const auto& one : audit.findings) {
    findings.add({{one.position, nullptr, Colour::red},
                  {std::string(replay::name(one.check)), nullptr, Colour::dim},
                  {one.what, nullptr}});
  }
  if (!audit.findings.empty()) context.out << '\n';
  findings.print(context.out, Format::people, context.terminal);
  const auto say = [&](std::string_view text) { context.out << paragraph(text, context.terminal.width) << '\n'; };
  if (!audit.whole) say("views, money and signatures were not checked: the bytes must be whole first");
  if (books) print(*books, context);
  if (audit.findings.empty() && (!books || books->differences.empty())) {
    context.out << context.terminal.paint(Colour::green, "nothing is wrong") << '\n';
    if (!against) {
      say("only a checkpoint that somebody else keeps can show that the end of the ledger was not cut off:");
      context.out << "  sellcompute ledger checkpoint --out FILE   # signs one\n"
                     "  sellcompute audit --against FILE           # compares\n";
    }
  }
}

ordered_json audit_json(const Audit& audit) {
  ordered_json out{{"entries", audit.size},
                   {"root", audit.root.hex()},
                   {"checkpoints", audit.checkpoints},
                   {"checkpointed", audit.checkpointed},
                   {"whole", audit.whole},
                   {"jobs", audit.jobs},
                   {"invoices", audit.invoices},
                   {"notices", audit.notices},
                   {"pruned_texts", audit.pruned_texts},
                   {"findings", ordered_json::array()}};
  for (const auto& one : audit.findings) {
    out["findings"].push_back({{"check", replay::name(one.check)}, {"position", one.position}, {"what", one.what}});
  }
  return out;
}

// Exit code 4, also where the store itself is too damaged to be read to its end.
tl::unexpected<base::Error> wrong(base::Error error) {
  error.code = "audit.wrong";
  return tl::unexpected(std::move(error));
}

Result<std::optional<replay::Reconciliation>> ask_wallet(const Arguments& arguments, Context& context) {
  if (!arguments.has("wallet")) return std::nullopt;
  const auto ledger = open_ledger(context);
  if (!ledger) return tl::unexpected(ledger.error());
  auto books = reconcile_with_wallet(ledger->reader, context);
  if (!books) return tl::unexpected(books.error());
  return std::optional(std::move(*books));
}

// The first thing that is wrong, the ledger's own before the wallet's.
Result<ExitCode> verdict(const Audit& audit, const std::optional<replay::Reconciliation>& books) {
  if (!audit.findings.empty()) {
    const auto& first = audit.findings.front();
    return wrong({base::ErrorKind::invocation,
                  {},
                  "the audit found something wrong, first: " + first.what,
                  first.position,
                  std::string(replay::remedy(first.check))});
  }
  if (!books || books->differences.empty()) return ExitCode::done;
  const auto& first = books->differences.front();
  const bool late = first.kind == replay::Difference::Kind::not_recorded;
  return wrong({base::ErrorKind::invocation,
                {},
                "the ledger and the wallet differ, first: " + replay::phrase(first),
                "payment hash " + first.payment_hash.hex(),
                late ? "start `sellcompute serve`: it asks the wallet about every open invoice"
                     : "was another wallet configured, or was the wallet restored?"});
}

Result<ExitCode> run_audit(const Arguments& arguments, Context& context) {
  const auto held = read_held(arguments);
  if (!held) return tl::unexpected(held.error());
  auto audit = run_audit(context, *held);
  if (!audit && is_damage(audit.error())) return wrong(audit.error());
  if (!audit) return tl::unexpected(audit.error());
  const auto books = ask_wallet(arguments, context);
  if (!books) return tl::unexpected(books.error());
  if (arguments.format() == Format::json) {
    auto object = audit_json(*audit);
    if (*books) object["wallet"] = to_json(**books);
    context.out << json_line(object) << '\n';
  } else {
    print_people(*audit, *books, held->has_value(), context);
  }
  return verdict(*audit, *books);
}

}  // namespace

Command audit_command() {
  return {.name = "audit",
          .summary = "Checks that nothing in the ledger was altered and that every figure follows from it.",
          .examples =
              "  sellcompute audit\n"
              "  sellcompute audit --against checkpoint.txt    # one that somebody else kept\n"
              "  sellcompute audit --wallet                    # also compares with the wallet's own list\n"
              "  sellcompute audit --json | jq .findings\n",
          .notes =
              "Checks every entry's bytes, the Merkle tree, checkpoints, views, the rules of money, invoices, "
              "preimages,\nand the signatures of requests and answers. If something is "
              "wrong, it prints the first bad position\nand ends with exit code 4. Works while `serve` runs; "
              "entries that are appended meanwhile are left to\nthe next audit.\n",
          .options =
              [](cxxopts::OptionAdder& add) {
                add("against", "a signed checkpoint that was kept elsewhere", cxxopts::value<std::string>(), "FILE");
                add("wallet", "compare with what the wallet itself lists as paid into it");
                add_json_option(add);
              },
          .run = run_audit};
}

}  // namespace cmd
