// `jobs refund`: pays a customer back through a running serve.
#pragma once

#include "cmd/cli/command.h"

namespace cmd {

Command refund_command();

}  // namespace cmd
