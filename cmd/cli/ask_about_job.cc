#include "cmd/cli/ask_about_job.h"

#include "cmd/cli/control_socket.h"
#include "cmd/cli/open_ledger.h"

namespace cmd {

base::Result<nlohmann::json> ask_about_job(const std::string& typed, nlohmann::json request, Context& context,
                                           std::chrono::milliseconds patience) {
  const auto paths = find_paths(context.sources);
  if (!paths) return tl::unexpected(paths.error());
  const auto ledger = open_ledger(context);
  if (!ledger) return tl::unexpected(ledger.error());
  const auto id = find_job_id(ledger->reader, typed);
  if (!id) return tl::unexpected(id.error());
  request["job"] = id->hex();
  return ask_running_serve(control_socket_path(paths->data_dir), request, patience);
}

}  // namespace cmd
