// `jobs tail`: follows the ledger, one line per fact about a job.
#pragma once

#include "cmd/cli/command.h"

namespace cmd {

Command tail_command();

}  // namespace cmd
