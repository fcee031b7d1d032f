// What the engine needs to go on after a stop, read from the views: open jobs, what still counts in the shop's windows,
// credit.
#pragma once

#include "ledger/reader.h"
#include "pipeline/core/engine.h"

namespace replay {

// Windows reach back as far as the longer of the policy in force and the `next` one, which is about to be configured:
// what counted for too little before can count again.
base::Result<core::Recovery> recover(const ledger::Reader& reader, base::TimeMs now, const core::Policy& next = {});

}  // namespace replay
