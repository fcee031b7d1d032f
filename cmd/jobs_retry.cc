#include "cmd/jobs_retry.h"

#include <ostream>

#include "cmd/cli/ask_about_job.h"
#include "cmd/text/humanize.h"

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
              "Serve publishes the signed result again, byte for byte; no other result is ever made. It sends it to\n"
              "the relays that are configured now and to the customer's, until selling.delivery_deadline has passed.\n"
              "The invoice in it may have expired meanwhile, and is not replaced. A payment that is owed back stays\n"
              "owed. If it was paid back, or is being paid back, serve refuses.\n",
          .run = run_jobs_retry};
}

}  // namespace cmd
