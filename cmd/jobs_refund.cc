#include "cmd/jobs_refund.h"

#include <ostream>

#include "base/secret_file.h"
#include "cmd/cli/ask_about_job.h"
#include "cmd/text/humanize.h"
#include "cmd/typed_invoice.h"

namespace cmd {
namespace {

using base::Msat;
using base::Result;
using nlohmann::json;

constexpr std::size_t kMaxEventBytes = 32 * 1024;
constexpr std::int64_t kMaxFeeSat = 100'000'000;
constexpr std::size_t kMaxWordBytes = 300;
constexpr auto kPaymentTime = std::chrono::minutes(10);  // that the wallet may take to pay

Result<std::string> read_event(const std::string& file) {
  const auto text = base::read_public_file(file);
  if (!text) return text;
  if (text->size() <= kMaxEventBytes) return text;
  return usage_error("\"" + file + "\" is too large to be a customer's event", "give one event as JSON");
}

Result<json> read_word(const Arguments& arguments) {
  const std::string word = arguments.text("not-paid");
  if (word.empty() || word.size() > kMaxWordBytes) {
    return usage_error("--not-paid is empty or too long", "say in a few words what you saw in the wallet");
  }
  if (arguments.has("invoice") || arguments.has("event")) {
    return usage_error("--not-paid pays nothing", "leave --invoice and --event out, and pay back afterwards");
  }
  return json{{"method", "refund"}, {"not_paid", word}};
}

Result<json> read_order(const Arguments& arguments) {
  if (arguments.has("not-paid")) return read_word(arguments);
  json out = {{"method", "refund"}};
  if (arguments.has("invoice") == arguments.has("event")) {
    return usage_error("say which invoice of the customer to pay",
                       "give --invoice BOLT11 or --event FILE, one of them");
  }
  if (arguments.has("invoice")) {
    const auto invoice = read_typed_invoice(arguments.text("invoice"));
    if (!invoice) return tl::unexpected(invoice.error());
    out["bolt11"] = arguments.text("invoice");
  } else {
    const auto event = read_event(arguments.text("event"));
    if (!event) return tl::unexpected(event.error());
    out["event"] = *event;
  }
  if (arguments.has("max-fee")) {
    const auto sat = Msat::from_digits(arguments.text("max-fee"));
    if (!sat || sat->value > kMaxFeeSat)
      return usage_error("--max-fee cannot be " + arguments.text("max-fee"), "give an amount in sat, like 5");
    out["fee_limit_msat"] = sat->value * 1000;
  }
  return out;
}

Result<ExitCode> run_jobs_refund(const Arguments& arguments, Context& context) {
  auto order = read_order(arguments);
  if (!order) return tl::unexpected(order.error());
  const auto reply = ask_about_job(arguments.words[0], std::move(*order), context, kPaymentTime);
  if (!reply) return tl::unexpected(reply.error());
  context.out << printable_lines(reply->value("text", "done")) << '\n';
  return ExitCode::done;
}

}  // namespace

Command refund_command() {
  return {.name = "refund",
          .summary = "Pays a customer back what is owed for a job.",
          .examples =
              "  sellcompute jobs list --state refund_owed\n"
              "  sellcompute jobs refund a53c --invoice lnbc90n1...\n"
              "  sellcompute jobs refund a53c --event invoice.json --max-fee 3\n"
              "  sellcompute jobs refund a53c --not-paid \"Electrum shows it as failed\"\n",
          .words = "ID",
          .notes =
              "The invoice is the customer's, for exactly what is owed. Instead of the invoice you can give an event:\n"
              "it must be signed with the key that requested the job, name the job in an e tag, and have the invoice\n"
              "in a bolt11 tag or as its content.\n"
              "A running serve pays, with wallet.refund_credential_file; nothing is ever paid twice. Without\n"
              "--max-fee, the fee limit is 1 % of the amount or 10 sat, whichever is more.\n"
              "Some wallets cannot report for certain that a payment failed; such a payment stays under way. When the\n"
              "wallet shows that it was not paid, and the customer's invoice has expired, end it with --not-paid.\n",
          .options =
              [](cxxopts::OptionAdder& add) {
                const auto text = [] { return cxxopts::value<std::string>(); };
                add("invoice", "the customer's invoice", text(), "BOLT11");
                add("event", "a file with the customer's signed event that has the invoice", text(), "FILE");
                add("not-paid", "end an attempt that stays under way: what you saw in the wallet", text(), "WORDS");
                add("max-fee", "the highest fee for the payment, in satoshis", text(), "SATS");
              },
          .run = run_jobs_refund};
}

}  // namespace cmd
