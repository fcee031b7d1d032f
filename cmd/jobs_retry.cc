#include "cmd/jobs_retry.h"

#include <ostream>

#include "cmd/cli/ask_about_job.h"

namespace cmd {
namespace {

using base::Result;

Result<ExitCode> run_jobs_retry(const Arguments& arguments, Context& context) {
  const auto reply = ask_about_job(arguments.words[0], {{"method", "retry"}}, context);
  if (!reply) return tl::unexpected(reply.error());
  if (context.verbosity != Verbosity::quiet) context.err << printable_lines(reply->value("text", "done")) << '\n';
  return ExitCode::done;
}

}  // namespace

Command retry_command() {
  return {.name = "retry",
          .summary = "Tells a running serve to publish a result again that no relay took.",
          .examples =
              "  sellcompute jobs list --state undelivered\n"
              "  sellcompute jobs retry a53c\n",
          .words = "ID",
          .notes =
              "The customer gets the result that was signed, byte for byte; no other one is ever made. It goes to\n"
              "the relays that are configured now and to the customer's, for selling.delivery_deadline. Its\n"
              "invoice may have expired meanwhile: no other one takes its place. A payment that is owed back\n"
              "stays owed; once it was paid back, or while it is, nothing is published.\n",
          .run = run_jobs_retry};
}

}  // namespace cmd
