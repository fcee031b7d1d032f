// `jobs retry`: publishes a result again that no relay took, through a running serve.
#pragma once

#include "cmd/cli/command.h"

namespace cmd {

Command retry_command();

}  // namespace cmd
