// sellcompute help: the same as --help, for those who type it first.
#include "cmd/cli/program.h"
#include "cmd/commands.h"

namespace cmd {
namespace {

base::Result<ExitCode> run_help(const Arguments& arguments, Context& context) {
  if (auto done = print_help(context, commands(), arguments.words); !done) return tl::unexpected(done.error());
  return ExitCode::done;
}

}  // namespace

Command help_command() {
  return {.name = "help",
          .summary = "Shows the help of the program, or of one command.",
          .examples =
              "  sellcompute help\n"
              "  sellcompute help jobs list\n",
          .words = "[COMMAND]...",
          .run = run_help};
}

}  // namespace cmd
