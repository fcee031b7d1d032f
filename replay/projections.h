// The views of a ledger, as one fixed list: whoever opens it for writing registers exactly these.
#pragma once

#include <memory>
#include <vector>

#include "ledger/projection.h"

namespace replay {

// New instances of every projection, in their order. They hold no state; a ledger is opened with pointers to them and
// must not outlive them.
std::vector<std::unique_ptr<ledger::Projection>> projections();
std::vector<ledger::Projection*> pointers(const std::vector<std::unique_ptr<ledger::Projection>>& owned);

}  // namespace replay
