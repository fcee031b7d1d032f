// What the engine needs to go on after a stop, read from the views: open jobs, what still counts in the shop's windows,
// credit.
#pragma once

#include "ledger/reader.h"
#include "pipeline/core/engine.h"

namespace replay {

ledger::Result<core::Recovery> recover(const ledger::Reader& reader, ledger::TimeMs now);

}  // namespace replay
