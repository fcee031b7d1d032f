// sellcompute wallet: the wallet that is paid.
#include <ostream>

#include "cmd/clock.h"
#include "cmd/commands.h"
#include "cmd/humanize.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/sandbox_books.h"

namespace cmd {
namespace {

using ledger::Result;

// The sandbox is the only wallet so far: `wallet.kind` allows no other.
Result<wallet::SandboxBooks> open_books(const Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  wallet::SandboxBooks books(config->wallet.folder);
  if (auto done = books.prepare(); !done) return tl::unexpected(done.error());
  return books;
}

Result<ExitCode> pay(const Arguments& arguments, Context& context) {
  const std::string& bolt11 = arguments.words.front();
  const auto books = open_books(context);
  if (!books) return tl::unexpected(books.error());
  const auto preimage = books->pay(bolt11, make_clock(context.sources)());
  if (!preimage) return tl::unexpected(preimage.error());
  const auto invoice = wallet::decode_bolt11(bolt11);
  if (!invoice) return tl::unexpected(invoice.error());
  const ledger::Msat amount = invoice->amount.value_or(ledger::Msat{});
  if (arguments.format() == Format::people) {
    context.out << "paid " << sats(amount) << " of play money; preimage " << preimage->hex() << '\n';
  } else {
    context.out << json_line({{"amount_msat", amount.value},
                              {"payment_hash", invoice->payment_hash.hex()},
                              {"preimage", preimage->hex()},
                              {"play_money", true}})
                << '\n';
  }
  return ExitCode::done;
}

Result<ExitCode> status(const Arguments& arguments, Context& context) {
  const auto books = open_books(context);
  if (!books) return tl::unexpected(books.error());
  const auto balance = books->balance();
  if (!balance) return tl::unexpected(balance.error());
  if (arguments.format() == Format::people) {
    context.out << "sandbox  balance " << sats(*balance) << " (play money)\n";
  } else {
    context.out << json_line({{"kind", "sandbox"}, {"balance_msat", balance->value}, {"play_money", true}}) << '\n';
  }
  return ExitCode::done;
}

}  // namespace

Command wallet_command() {
  return {
      .name = "wallet",
      .summary = "Shows the wallet; pays the sandbox's invoices, for trying out.",
      .examples =
          "  sellcompute wallet status\n"
          "  sellcompute wallet pay lnbcrt90n1...\n",
      .subcommands = {
          {.name = "pay",
           .summary = "Pays an invoice of the sandbox with play money, as a customer would.",
           .examples = "  sellcompute wallet pay lnbcrt90n1...\n",
           .words = "BOLT11",
           .notes = "Only invoices that this sandbox made; they are found in wallet.folder, also while `serve` runs.\n",
           .options = add_json_option,
           .run = pay},
          {.name = "status",
           .summary = "The wallet and its balance.",
           .examples = "  sellcompute wallet status\n"
                       "  sellcompute wallet status --json | jq .balance_msat\n",
           .options = add_json_option,
           .run = status},
      }};
}

}  // namespace cmd
