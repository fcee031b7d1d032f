#include "cmd/commands.h"

namespace cmd {

std::span<const Command> commands() {
  static const std::vector<Command> all = {
      // First steps.
      demo_command(),
      init_command(),
      status_command(),
      config_command(),
      // Selling.
      serve_command(),
      online_command(),
      offline_command(),
      announce_command(),
      // Looking back.
      jobs_command(),
      earnings_command(),
      replay_command(),
      audit_command(),
      ledger_command(),
      wallet_command(),
      // Tools.
      request_command(),
      event_command(),
      completion_command(),
      complete_command(),
      help_command(),
  };
  return all;
}

}  // namespace cmd
