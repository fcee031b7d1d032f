// The ledger as the runtime needs it. All callbacks come on the runtime's own thread, never inside the call that asked.
// ledger_journal.h is the real one; the simulator has one over a simulated disk.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "ledger/entry.h"
#include "pipeline/core/job.h"

namespace runtime {

class Journal {
 public:
  virtual ~Journal() = default;
  // `done` is called when the group is durable or has failed, in the order of the calls.
  virtual void append(ledger::Group group, std::function<void(base::Result<void>)> done) = 0;
  // A text that is durable; nothing when it was pruned.
  virtual base::Result<std::optional<std::string>> text(const base::TextRef& ref) = 0;
  // A job as the durable entries make it, open or closed; nothing when the ledger has none of that id.
  virtual base::Result<std::optional<core::Job>> job(const base::JobId& id) = 0;
};

}  // namespace runtime
