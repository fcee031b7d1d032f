#include "cmd/jobs_close.h"

#include <ostream>

#include "cmd/cli/ask_about_job.h"
#include "cmd/text/humanize.h"

namespace cmd {
namespace {

using base::Result;
using nlohmann::json;

constexpr std::size_t kMaxReasonBytes = 300;
constexpr auto kWalletTime = std::chrono::minutes(2);  // that the wallets may take to answer

Result<json> read_reason(const Arguments& arguments) {
  if (arguments.has("never-paid") == arguments.has("paid-elsewhere")) {
    return usage_error("say what became of the payment", "give --never-paid WHY or --paid-elsewhere WHY, one of them");
  }
  const bool never_paid = arguments.has("never-paid");
  const std::string word = arguments.text(never_paid ? "never-paid" : "paid-elsewhere");
  if (word.empty() || word.size() > kMaxReasonBytes) {
    return usage_error("the reason is empty or too long",
                       "say in a few words, of at most " + std::to_string(kMaxReasonBytes) + " bytes, what you know");
  }
  return json{{"method", "close"}, {never_paid ? "never_paid" : "paid_elsewhere", word}};
}

Result<ExitCode> run_jobs_close(const Arguments& arguments, Context& context) {
  auto order = read_reason(arguments);
  if (!order) return tl::unexpected(order.error());
  const auto reply = ask_about_job(arguments.words[0], std::move(*order), context, kWalletTime);
  if (!reply) return tl::unexpected(reply.error());
  if (context.verbosity != Verbosity::quiet) context.err << printable_lines(reply->value("text", "done")) << '\n';
  return ExitCode::done;
}

}  // namespace

Command close_command() {
  return {.name = "close",
          .summary = "Ends a job whose invoice no wallet knows any more; a running serve does it.",
          .examples =
              "  sellcompute jobs close a53c --never-paid \"the old node is gone, and had received nothing\"\n"
              "  sellcompute jobs close a53c --paid-elsewhere \"handed over in cash\"\n",
          .words = "ID",
          .notes =
              "Serve asks the wallet once more, and then watches the invoice no longer. The invoice must have\n"
              "expired, and no other one is made for this job. Nothing counts as earned, and nothing is held\n"
              "against the customer. The ledger keeps your words. If the wallet reports a payment after all, it\n"
              "counts.\n",
          .options =
              [](cxxopts::OptionAdder& add) {
                const auto text = [] { return cxxopts::value<std::string>(); };
                add("never-paid", "nobody paid it: how you know", text(), "WHY");
                add("paid-elsewhere", "the customer paid in another way: which", text(), "WHY");
              },
          .run = run_jobs_close};
}

}  // namespace cmd
