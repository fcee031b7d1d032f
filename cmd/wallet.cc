// sellcompute wallet: the wallet that is paid, tried out by hand.
#include <ostream>

#include "cmd/cli/clock.h"
#include "cmd/cli/progress.h"
#include "cmd/cli/random.h"
#include "cmd/commands.h"
#include "cmd/text/fit.h"
#include "cmd/text/humanize.h"
#include "cmd/text/qr.h"
#include "cmd/text/usage_error.h"
#include "cmd/typed_invoice.h"
#include "cmd/wallet_settlements.h"
#include "cmd/wallets/wallet_session.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/sandbox_books.h"

namespace cmd {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;

constexpr std::int64_t kInvoiceExpiryMs = 15 * base::kMinuteMs;
constexpr std::int64_t kLookAgainMs = 1'000;  // where the wallet tells nothing
constexpr std::int64_t kTroubleShownAfterMs = 5'000;
constexpr std::int64_t kLateAnswerMs = base::kMinuteMs;  // a payment in the last second may be reported so much later
constexpr std::int64_t kMaxSat = 100'000'000;

std::string marked(base::Msat amount, bool play_money) {
  return sats(amount) + (play_money ? " of play money" : "");
}

// ---- pay ------------------------------------------------------------------------------------------------------------

Result<ExitCode> run_wallet_pay(const Arguments& arguments, Context& context) {
  const std::string& bolt11 = arguments.words.front();
  const auto invoice = read_typed_invoice(bolt11);
  if (!invoice) return tl::unexpected(invoice.error());
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  wallet::SandboxBooks books(config->wallet.folder);
  if (auto done = books.prepare(); !done) return tl::unexpected(done.error());
  const auto preimage = books.pay(bolt11, make_clock(context.sources)());
  if (!preimage) return tl::unexpected(preimage.error());
  const base::Msat amount = invoice->amount.value_or(base::Msat{});
  if (arguments.format() == Format::people) {
    context.out << (preimage->is_zero() ? "held: " : "paid ") << marked(amount, true)
                << (preimage->is_zero() ? ", until the answer is there" : "; preimage " + preimage->hex()) << '\n';
  } else {
    context.out << json_line({{"amount_msat", amount.value},
                              {"payment_hash", invoice->payment_hash.hex()},
                              {"preimage", preimage->is_zero() ? nlohmann::json() : nlohmann::json(preimage->hex())},
                              {"play_money", true}})
                << '\n';
  }
  return ExitCode::done;
}

// ---- status ---------------------------------------------------------------------------------------------------------

std::string what_it_can(const wallet::Wallet& wallet) {
  const wallet::Abilities abilities = wallet.abilities();
  const std::string repeats =
      abilities.repeats == wallet::Repeats::never ? "made anew" : "found again " + std::string(name(abilities.repeats));
  return "amounts in steps of " + sats(wallet.unit()) + "; an invoice that was interrupted is " + repeats +
         "; payments are " + (abilities.pushes ? "told at once" : "looked for") +
         (abilities.holds ? ", and can be held (escrow)" : "") +
         (abilities.takes_fees ? "; a part of them may be kept as a fee" : "");
}

Result<ExitCode> run_wallet_status(const Arguments& arguments, Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  const auto counter = WalletSession::open(*config, make_clock(context.sources));
  if (!counter) return tl::unexpected(counter.error());
  wallet::Wallet& wallet = (*counter)->wallet();
  const auto said = (*counter)->ask<wallet::WalletStatus>([&](auto done) { wallet.status(done); });
  if (!said) return tl::unexpected(said.error());
  if (const auto fits = wallet::check_told(wallet, *said, needs_of(*config)); !fits)
    return tl::unexpected(fits.error());
  const wallet::Abilities abilities = wallet.abilities();
  if (arguments.format() == Format::people) {
    context.out << wallet.kind();
    if (!said->name.starts_with(wallet.kind())) context.out << " (" << printable(said->name) << ")";
    if (said->balance) context.out << "  balance " << sats(*said->balance);
    context.out << (wallet.play_money() ? " (play money)\n" : "\n")
                << paragraph(what_it_can(wallet), context.terminal.width) << '\n';
  } else {
    nlohmann::json row = {{"kind", wallet.kind()},
                          {"name", said->name},
                          {"play_money", wallet.play_money()},
                          {"unit_msat", wallet.unit().value},
                          {"minimum_msat", wallet.minimum().value},
                          {"repeats", name(abilities.repeats)},
                          {"pushes", abilities.pushes},
                          {"lists", abilities.lists},
                          {"holds", abilities.holds},
                          {"takes_fees", abilities.takes_fees}};
    row["balance_msat"] = said->balance ? nlohmann::json(said->balance->value) : nlohmann::json();
    context.out << json_line(row) << '\n';
  }
  return ExitCode::done;
}

// ---- invoice --------------------------------------------------------------------------------------------------------

Result<base::Msat> parse_sats(const std::string& typed) {
  const auto sat = base::Msat::from_digits(typed);
  if (sat && sat->value > 0 && sat->value <= kMaxSat) return base::Msat{sat->value * 1000};
  return usage_error("\"" + typed + "\" is no amount for an invoice",
                     "give an amount in sat, a whole number from 1 to " + grouped(kMaxSat) + ", like 21");
}

Result<ledger::InvoiceIssued> make(WalletSession& counter, const Config& config, base::Msat amount,
                                   const std::string& memo) {
  wallet::InvoiceOrder order{.amount = amount, .description = memo, .expiry_ms = kInvoiceExpiryMs};
  order.job.bytes = random_bytes().bytes;  // an order of its own, of no job
  const auto made = counter.ask<wallet::MadeInvoice>([&](auto done) { counter.wallet().create_invoice(order, done); });
  if (!made) return tl::unexpected(made.error());
  const auto invoice =
      wallet::check_invoice(made->bolt11, amount, {network_of(config)}, counter.now(), made->payment_hash);
  if (!invoice) return tl::unexpected(invoice.error());
  return ledger::InvoiceIssued{.purpose = order.purpose,
                               .attempt = order.attempt,
                               .wallet = counter.wallet().kind(),
                               .bolt11 = made->bolt11,
                               .payment_hash = invoice->payment_hash,
                               .amount = amount,
                               .expires_at = invoice->expires_at(),
                               .reference = made->reference};
}

// Why the wallet's answer tells nothing about the payment; empty if it does.
std::string trouble(const Result<wallet::LookupAnswer>& said) {
  if (!said) return "the wallet does not say whether the invoice is paid: " + said.error().message;
  return std::holds_alternative<wallet::Unknown>(*said) ? "the wallet does not list this invoice yet" : "";
}

// Tells a trouble once, when it has lasted.
class TroubleNote {
 public:
  explicit TroubleNote(Context& context) : context_(context) {}

  void see(const std::string& text, base::TimeMs now, WaitLine& line) {
    if (text != text_) {
      text_ = text;
      since_ = now;
      told_ = false;
    }
    if (text.empty() || told_ || now - since_ < kTroubleShownAfterMs) return;
    told_ = true;
    line.clear();
    if (context_.verbosity != Verbosity::quiet) context_.err << "note: " << printable(text) << std::endl;
  }

 private:
  Context& context_;
  std::string text_;
  base::TimeMs since_;
  bool told_ = false;
};

bool ends_wait(const Result<wallet::LookupAnswer>& said, const ledger::InvoiceIssued& invoice, base::TimeMs now) {
  if (!said) return now > invoice.expires_at + kLateAnswerMs;
  if (std::holds_alternative<wallet::Unknown>(*said)) return now > invoice.expires_at;
  return std::holds_alternative<ledger::InvoiceSettled>(*said) || std::holds_alternative<wallet::Expired>(*said) ||
         now > invoice.expires_at + kLateAnswerMs;
}

// What the wallet says of the invoice when it is paid or its time is over.
Result<wallet::LookupAnswer> wait(WalletSession& counter, const ledger::InvoiceIssued& invoice, Context& context) {
  WaitLine line(context, make_clock(context.sources));
  TroubleNote note(context);
  bool look = true;
  counter.wallet().on_news([&look](const std::optional<base::Hash256>&) { look = true; });
  for (;;) {
    look = false;
    const auto said = counter.ask<wallet::LookupAnswer>([&](auto done) { counter.wallet().look_up(invoice, done); });
    const base::TimeMs now = counter.now();
    if (ends_wait(said, invoice, now)) {
      counter.wallet().on_news([](const std::optional<base::Hash256>&) {});
      return said;
    }
    note.see(trouble(said), now, line);
    line.show("the payment; the invoice can be paid for " + age(invoice.expires_at - now) + " more");
    counter.run_until([&] { return look; }, kLookAgainMs);
  }
}

void print_made(const ledger::InvoiceIssued& invoice, bool play_money, Format format, Context& context) {
  if (format != Format::people) {
    context.out << json_line({{"bolt11", invoice.bolt11},
                              {"payment_hash", invoice.payment_hash.hex()},
                              {"amount_msat", invoice.amount.value},
                              {"expires_at_ms", invoice.expires_at.ms},
                              {"play_money", play_money}})
                << std::endl;
    return;
  }
  if (context.terminal.interactive) context.out << qr_code(invoice.bolt11, context.terminal.width);
  context.out << invoice.bolt11 << std::endl;
}

Result<ExitCode> print_end(const Result<wallet::LookupAnswer>& end, bool play_money, Format format, Context& context) {
  if (!end) return tl::unexpected(end.error());
  if (std::holds_alternative<wallet::Unknown>(*end)) {
    return fail(ErrorKind::payment, "wallet.unlisted", "the invoice's time is over, and the wallet does not list it",
                {}, "look in the wallet itself whether it was paid, and whether it is the account of the settings");
  }
  const auto* settled = std::get_if<ledger::InvoiceSettled>(&*end);
  if (!settled) {
    return fail(ErrorKind::payment, "wallet.unpaid", "the invoice was not paid in time", {},
                "make another one with `sellcompute wallet invoice`");
  }
  if (format == Format::people) {
    context.out << "settled: " << marked(settled->received, play_money)
                << (settled->fee == base::Msat{} ? "" : ", of which " + sats(settled->fee) + " are fees") << '\n';
  } else {
    context.out << json_line({{"received_msat", settled->received.value},
                              {"fee_msat", settled->fee.value},
                              {"settled_at_ms", settled->settled_at.ms},
                              {"preimage", settled->preimage.is_zero() ? "" : settled->preimage.hex()}})
                << '\n';
  }
  return ExitCode::done;
}

Result<ExitCode> run_wallet_invoice(const Arguments& arguments, Context& context) {
  const auto amount = parse_sats(arguments.words.front());
  if (!amount) return tl::unexpected(amount.error());
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  const auto counter = WalletSession::open(*config, make_clock(context.sources), [&](const std::string& what) {
    context.err << "note: " << printable(what) << '\n';
  });
  if (!counter) return tl::unexpected(counter.error());
  const auto made = make(**counter, *config, *amount, arguments.text("memo"));
  if (!made) return tl::unexpected(made.error());
  const bool play_money = (*counter)->wallet().play_money();
  print_made(*made, play_money, arguments.format(), context);
  if (!arguments.has("wait")) return ExitCode::done;
  return print_end(wait(**counter, *made, context), play_money, arguments.format(), context);
}

}  // namespace

Command wallet_command() {
  return {
      .name = "wallet",
      .summary = "Tests the wallet: shows it, makes an invoice, waits for its payment, lists what was paid.",
      .examples =
          "  sellcompute wallet status\n"
          "  sellcompute wallet invoice 21 --wait\n",
      .subcommands = {
          {.name = "invoice",
           .summary = "Makes an invoice for SATS satoshis; on a terminal, also shows it as a QR code.",
           .examples = "  sellcompute wallet invoice 21\n"
                       "  sellcompute wallet invoice 21 --wait     # until it is paid, or its 15 minutes are over\n",
           .words = "SATS",
           .notes = "The invoice tests whether the wallet can be paid. It belongs to no job and is in no report.\n",
           .uses_settings = true,
           .options =
               [](cxxopts::OptionAdder& add) {
                 add("memo", "the description that the payer reads",
                     cxxopts::value<std::string>()->default_value("sellcompute"), "TEXT");
                 add("wait", "wait until it is paid");
                 add_json_option(add);
               },
           .run = run_wallet_invoice},
          {.name = "pay",
           .summary = "Pays an invoice of the sandbox with play money, as a customer would.",
           .examples = "  sellcompute wallet pay lnbcrt90n1...\n",
           .words = "BOLT11",
           .notes = "Pays only invoices of this sandbox. Finds them in wallet.folder, also while `serve` runs.\n",
           .options = add_json_option,
           .run = run_wallet_pay},
          settlements_command(),
          {.name = "status",
           .summary = "Shows the wallet, its balance, and what it can do.",
           .examples = "  sellcompute wallet status\n"
                       "  sellcompute wallet status --json | jq .balance_msat\n",
           .uses_settings = true,
           .options = add_json_option,
           .run = run_wallet_status},
      }};
}

}  // namespace cmd
