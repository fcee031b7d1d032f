// What `jobs` asks a running serve about one job.
#pragma once

#include <nlohmann/json.hpp>

#include "cmd/cli/command.h"
#include "cmd/cli/control_socket.h"

namespace cmd {

// Sends `request` with the whole id of the job that `typed` means (a prefix, note or nevent) as its member "job". Fails
// as find_job_id() and ask_running_serve() do.
base::Result<nlohmann::json> ask_about_job(const std::string& typed, nlohmann::json request, Context& context,
                                           std::chrono::milliseconds patience = kQuickAnswer);

}  // namespace cmd
