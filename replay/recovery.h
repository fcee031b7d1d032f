// What the engine needs to go on after a stop, read from the views: open jobs, what still counts in the shop's windows,
// credit.
#pragma once

#include "ledger/reader.h"
#include "pipeline/core/engine.h"

namespace replay {

// For each window, reads as far back as the longer one of two policies requires: the policy in force and `next`, which
// is about to be configured. A longer window makes older jobs count again.
base::Result<core::Recovery> recover(const ledger::Reader& reader, base::TimeMs now, const core::Policy& next = {});

}  // namespace replay
