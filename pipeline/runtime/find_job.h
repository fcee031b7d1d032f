// A job wherever it is: in the engine while it is open, else in the ledger.
#pragma once

#include "pipeline/runtime/context.h"

namespace runtime {

using FoundJob = base::Result<std::optional<core::Job>>;

// Returns the job as the engine holds it, or else as the ledger has it; nothing: there is no such job. Errors: the
// journal's.
FoundJob find_job(const Context& context, const core::JobId& id);

// Calls `then` once with the job as all facts so far make it. Use it before you change a job: for one that the engine
// does not hold, it waits until no fact is on its way to the disk. Fails with "ledger.failed" once the ledger has
// failed.
void find_settled_job(const Context& context, const core::JobId& id, std::function<void(FoundJob)> then);

}  // namespace runtime
