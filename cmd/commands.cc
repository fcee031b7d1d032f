#include "cmd/commands.h"

namespace cmd {

std::span<const Command> commands() {
  static const std::vector<Command> all = {
      init_command(),   status_command(), config_command(),     ledger_command(),
      wallet_command(), event_command(),  completion_command(),
  };
  return all;
}

}  // namespace cmd
