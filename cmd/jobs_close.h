// `jobs close`: ends the watching of a job's open invoices, by the operator's word, through a running serve.
#pragma once

#include "cmd/cli/command.h"

namespace cmd {

Command close_command();

}  // namespace cmd
