// sellcompute online, offline: words to a running serve.
#include <filesystem>
#include <ostream>

#include "cmd/cli/control_socket.h"
#include "cmd/commands.h"
#include "cmd/text/fit.h"
#include "cmd/text/humanize.h"

namespace cmd {
namespace {

// On a terminal, tells what a drain waits for; gone with this object.
class DrainLine {
 public:
  DrainLine(Context& context, std::filesystem::path socket)
      : err_(context.err), width_(context.error_terminal.width), socket_(std::move(socket)) {}
  DrainLine(const DrainLine&) = delete;
  DrainLine& operator=(const DrainLine&) = delete;
  ~DrainLine() {
    if (shown_) err_ << "\r\033[K" << std::flush;
  }
  void show() {
    const auto reply = ask_running_serve(socket_, {{"method", "status"}});
    const auto waits_for = reply ? reply->value("/status/draining"_json_pointer, "") : std::string();
    if (waits_for.empty()) return;
    err_ << "\r\033[K" << shortened("waiting for " + waits_for, width_ - 1) << std::flush;
    shown_ = true;
  }

 private:
  std::ostream& err_;
  const int width_;
  const std::filesystem::path socket_;
  bool shown_ = false;
};

base::Result<ExitCode> tell(Context& context, const nlohmann::json& request,
                            std::chrono::milliseconds patience = kQuickAnswer) {
  const auto paths = find_paths(context.sources);
  if (!paths) return tl::unexpected(paths.error());
  const auto socket = control_socket_path(paths->data_dir);
  const auto reply = [&] {
    DrainLine line(context, socket);
    const bool watched = patience > kQuickAnswer && context.error_terminal.interactive;
    return ask_running_serve(socket, request, patience,
                             watched ? std::function<void()>([&line] { line.show(); }) : nullptr);
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
              "What has not been started waits until it is online again. A drain waits for models as long as they\n"
              "take, and then up to 20 s for the wallet and the relays.\n",
          .options = [](cxxopts::OptionAdder& add) { add("drain", "wait until every started job is finished"); },
          .run = run_offline};
}

}  // namespace cmd
