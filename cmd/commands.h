// The table of subcommands.
#pragma once

#include <span>

#include "cmd/cli/command.h"

namespace cmd {

// All of them, in the order of the help.
std::span<const Command> commands();

// One file each, except that online.cc has both `online` and `offline`.
Command announce_command();
Command audit_command();
Command complete_command();
Command completion_command();
Command config_command();
Command demo_command();
Command earnings_command();
Command event_command();
Command help_command();
Command init_command();
Command jobs_command();
Command ledger_command();
Command offline_command();
Command online_command();
Command replay_command();
Command request_command();
Command serve_command();
Command status_command();
Command wallet_command();

}  // namespace cmd
