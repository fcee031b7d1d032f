#include "cmd/ledger_upkeep.h"

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <ostream>

#include "cmd/cli/clock.h"
#include "cmd/cli/control_socket.h"
#include "cmd/cli/open_ledger.h"
#include "cmd/cli/passphrase.h"
#include "cmd/text/humanize.h"
#include "cmd/text/usage_error.h"
#include "ledger/group_commit.h"
#include "pipeline/nostr/key_file.h"
#include "replay/jobs_view.h"
#include "replay/projections.h"
#include "replay/pruning.h"

namespace cmd {
namespace {

using base::Result;
using nlohmann::json;

// The ledger, held for writing while no `serve` runs.
struct HeldLedger {
  std::unique_ptr<ledger::RocksDbStore> store;
  std::vector<std::unique_ptr<ledger::Projection>> projections;
  std::unique_ptr<ledger::Ledger> ledger;
};

Result<HeldLedger> hold_ledger(const Context& context) {
  // A reader first: opening for writing would make a ledger where there is none.
  if (const auto there = open_ledger(context); !there) return tl::unexpected(there.error());
  auto store = ledger::open_writer(find_paths(context.sources)->ledger());
  if (!store) return tl::unexpected(store.error());
  HeldLedger out{std::move(*store), replay::projections(), nullptr};
  auto ledger = ledger::Ledger::open(*out.store, replay::pointers(out.projections));
  if (!ledger) return tl::unexpected(ledger.error());
  out.ledger = std::move(*ledger);
  return out;
}

// What a running `serve` answers; nothing when none runs.
Result<std::optional<json>> ask_if_running(const Context& context, const json& request,
                                           std::chrono::milliseconds patience) {
  const auto paths = find_paths(context.sources);
  if (!paths) return tl::unexpected(paths.error());
  auto reply = ask_running_serve(control_socket_path(paths->data_dir), request, patience);
  if (reply) return std::optional(std::move(*reply));
  if (reply.error().code == "control.not_running") return std::optional<json>();
  return tl::unexpected(reply.error());
}

void tell_signed(const Context& context, const std::string& path) {
  if (context.verbosity == Verbosity::quiet) return;
  context.err << paragraph("signed, in " + printable(path) +
                               ": keep it where this machine's owner cannot change it, and check with",
                           context.error_terminal.width)
              << "\n  sellcompute audit --against " << printable(path) << '\n';
}

// ---- checkpoint -----------------------------------------------------------------------------------------------------

Result<std::string> sign_here(const Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  const auto held = hold_ledger(context);
  if (!held) return tl::unexpected(held.error());
  const auto policy = replay::policy_in_force(ledger::Reader(*held->store));
  if (!policy) return tl::unexpected(policy.error());
  if (!*policy)
    return base::fail(base::ErrorKind::invocation, "checkpoint.empty", "the ledger has nothing to sign yet");
  const auto key = nostr::read_key_file(config->identity.key_file, passphrase_source(config->identity));
  if (!key) return tl::unexpected(key.error());
  if (key->public_key() != (*policy)->provider) {
    return base::fail(base::ErrorKind::config, "checkpoint.other_key", "the ledger was kept with another key",
                      config->identity.key_file.string(), "sign with the key that `serve` used last");
  }
  const auto sign = [&](const base::Hash256& digest) {
    return nostr::generate_aux().map([&](const auto& aux) { return key->sign(digest.view(), aux); });
  };
  return ledger::make_checkpoint(*held->ledger, make_clock(context.sources)(), key->public_key(), sign);
}

Result<ExitCode> run_checkpoint(const Arguments& arguments, Context& context) {
  const auto reply = ask_if_running(context, {{"method", "checkpoint"}}, kQuickAnswer);
  if (!reply) return tl::unexpected(reply.error());
  const auto note = *reply ? Result<std::string>((**reply).value("note", "")) : sign_here(context);
  if (!note) return tl::unexpected(note.error());
  if (!arguments.has("out")) {
    context.out << *note;
    return ExitCode::done;
  }
  const std::string path = arguments.text("out");
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << *note;
  file.close();
  if (!file) return usage_error("the checkpoint cannot be written to " + path, "is the folder there, and writable?");
  tell_signed(context, path);
  return ExitCode::done;
}

// ---- prune ----------------------------------------------------------------------------------------------------------

Result<ledger::TextsPruned> prune_here(const Context& context, std::int64_t older_than_ms) {
  const auto held = hold_ledger(context);
  if (!held) return tl::unexpected(held.error());
  const base::TimeMs now = make_clock(context.sources)();
  const auto take = [&](core::PruningOrdered batch) {
    const ledger::Group group{.entries = {{.time = std::max(now, held->ledger->last_time()),
                                           .fact = std::move(batch.pruned),
                                           .gone = std::move(batch.texts)}}};
    return held->ledger->append({&group, 1});
  };
  auto pruned = replay::prune(ledger::Reader(*held->store), now - older_than_ms, take);
  if (!pruned) return pruned;
  // Also when nothing was left to prune: an earlier attempt may have ended before this.
  if (const auto freed = held->store->reclaim(ledger::Family::texts); !freed) return tl::unexpected(freed.error());
  return pruned;
}

ledger::TextsPruned pruned_by_serve(const json& reply) {
  return {.jobs = reply.value("jobs", std::uint64_t{0}),
          .texts = reply.value("texts", std::uint64_t{0}),
          .bytes = reply.value("bytes", std::uint64_t{0})};
}

std::string in_words(const ledger::TextsPruned& pruned) {
  return counted(pruned.texts, "text") + " of " + counted(pruned.jobs, "ended job") + ", " +
         counted(pruned.bytes, "byte");
}

Result<ExitCode> run_prune(const Arguments& arguments, Context& context) {
  if (!arguments.has("older-than")) return usage_error("say how old the texts must be", "for example --older-than 90d");
  const auto older_than_ms = parse_typed_duration_ms(arguments.text("older-than"));
  if (!older_than_ms)
    return usage_error("\"" + arguments.text("older-than") + "\" is no duration", "give it with its unit: 90d, 12 h");
  const auto reply = ask_if_running(context, {{"method", "prune"}, {"older_than_ms", *older_than_ms}}, kLongAnswer);
  if (!reply) return tl::unexpected(reply.error());
  const auto pruned =
      *reply ? Result<ledger::TextsPruned>(pruned_by_serve(**reply)) : prune_here(context, *older_than_ms);
  if (!pruned) return tl::unexpected(pruned.error());
  if (arguments.format() == Format::json) {
    context.out << json_line({{"jobs", pruned->jobs}, {"texts", pruned->texts}, {"bytes", pruned->bytes}}) << '\n';
    return ExitCode::done;
  }
  context.out << (pruned->texts == 0 ? "no job that old has texts left" : "pruned " + in_words(*pruned)) << '\n';
  return ExitCode::done;
}

}  // namespace

Command checkpoint_command() {
  return {.name = "checkpoint",
          .summary = "Signs a checkpoint over the ledger, for somebody else to keep.",
          .examples =
              "  sellcompute ledger checkpoint --out checkpoint.txt\n"
              "  sellcompute ledger checkpoint | ssh backup.example 'cat > checkpoint.txt'\n"
              "  sellcompute audit --against checkpoint.txt    # later: was anything before it changed?\n",
          .notes = "A running `serve` signs it; without one, this command does, with the provider's key.\n",
          .options =
              [](cxxopts::OptionAdder& add) {
                add("out", "write it to this file instead of standard output", cxxopts::value<std::string>(), "FILE");
              },
          .run = run_checkpoint};
}

Command prune_command() {
  return {.name = "prune",
          .summary = "Removes the prompts and answers of old jobs; facts, proofs and reports stay whole.",
          .examples = "  sellcompute ledger prune --older-than 90d\n",
          .notes =
              "A job keeps its texts if anything has happened to it within that time, while money is owed for it, or\n"
              "while an invoice or notice of it is open. Removed texts cannot be restored; the ledger records the\n"
              "removal. A running `serve` removes the texts; without one, this command does.\n",
          .options =
              [](cxxopts::OptionAdder& add) {
                add("older-than", "how long ago the job must have ended", cxxopts::value<std::string>(), "DURATION");
                add_json_option(add);
              },
          .run = run_prune};
}

}  // namespace cmd
