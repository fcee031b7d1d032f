#include "pipeline/runtime/find_job.h"

namespace runtime {
namespace {

constexpr std::int64_t kDiskPauseMs = 50;  // after so long it is asked again whether all is durable

}  // namespace

FoundJob find_job(const Context& context, const core::JobId& id) {
  if (const core::Job* job = context.engine.find(id)) return *job;
  return context.ports.journal.job(id);
}

void find_settled_job(const Context& context, const core::JobId& id, std::function<void(FoundJob)> then) {
  if (context.failed()) {
    return then(base::fail(base::ErrorKind::job_processing, "ledger.failed", "the ledger has failed"));
  }
  if (context.engine.find(id) || context.all_durable()) return then(find_job(context, id));
  context.ports.scheduler.after(kDiskPauseMs,
                                [&context, id, then = std::move(then)] { find_settled_job(context, id, then); });
}

}  // namespace runtime
