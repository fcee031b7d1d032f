// sellcompute: sells AI inference on Nostr, paid over Lightning.
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "cmd/cli/file_limit.h"
#include "cmd/cli/program.h"
#include "cmd/commands.h"

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a log or a relay that nobody reads any more must not end a running shop
  std::ios::sync_with_stdio(false);
  std::cin.tie(nullptr);
  cmd::raise_file_limit();  // readers open every table file of the ledger
  cmd::Context context{.in = std::cin, .out = std::cout, .err = std::cerr};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view variable = *entry;
    const std::size_t equals = variable.find('=');
    if (equals == std::string_view::npos) continue;
    context.sources.environment.emplace(variable.substr(0, equals), variable.substr(equals + 1));
  }
  const std::vector<std::string> arguments(argv + 1, argv + argc);
  return static_cast<int>(cmd::run_program(cmd::commands(), arguments, context));
}
