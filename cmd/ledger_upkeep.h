// The subcommands of `ledger` that write to it: checkpoint and prune (ledger_upkeep.cc).
#pragma once

#include "cmd/cli/command.h"

namespace cmd {

Command checkpoint_command();
Command prune_command();

}  // namespace cmd
