// sellcompute online, offline: words to a running serve.
#include <ostream>

#include "cmd/cli/clock.h"
#include "cmd/cli/control_socket.h"
#include "cmd/cli/progress.h"
#include "cmd/commands.h"
#include "cmd/text/humanize.h"

namespace cmd {
namespace {

base::Result<ExitCode> tell(Context& context, const nlohmann::json& request,
                            std::chrono::milliseconds patience = kQuickAnswer) {
  const auto paths = find_paths(context.sources);
  if (!paths) return tl::unexpected(paths.error());
  const auto socket = control_socket_path(paths->data_dir);
  const auto reply = [&] {
    WaitLine line(context, make_clock(context.sources));
    const std::function<void()> show_drain = [&line, &socket] {
      const auto status = ask_running_serve(socket, {{"method", "status"}});
      const auto waits_for = status ? status->value("/status/draining"_json_pointer, "") : std::string();
      if (!waits_for.empty()) line.show(waits_for);
    };
    const bool watched = patience > kQuickAnswer && context.error_terminal.interactive;
    return ask_running_serve(socket, request, patience, watched ? show_drain : nullptr);
  }();
  if (!reply) return tl::unexpected(reply.error());
  if (context.verbosity != Verbosity::quiet) context.err << printable_lines(reply->value("text", "done")) << '\n';
  return ExitCode::done;
}

base::Result<ExitCode> run_online(const Arguments&, Context& context) {
  return tell(context, {{"method", "online"}});
}

base::Result<ExitCode> run_offline(const Arguments& arguments, Context& context) {
  const bool drain = arguments.has("drain");
  if (drain) return tell(context, {{"method", "offline"}, {"drain", true}}, kLongAnswer);
  return tell(context, {{"method", "offline"}, {"drain", false}});
}

}  // namespace

Command online_command() {
  return {.name = "online",
          .summary = "Tells a running serve to take jobs again.",
          .examples = "  sellcompute online\n",
          .run = run_online};
}

Command offline_command() {
  return {.name = "offline",
          .summary = "Tells a running serve to take no new jobs; invoices stay watched.",
          .examples =
              "  sellcompute offline\n"
              "  sellcompute offline --drain   # and wait until every started job is finished\n",
          .notes =
              "Jobs that have not been started wait until serve is online again. --drain waits for running models as\n"
              "long as they take, and then up to 20 s for the wallet and the relays.\n",
          .options = [](cxxopts::OptionAdder& add) { add("drain", "wait until every started job is finished"); },
          .run = run_offline};
}

}  // namespace cmd
