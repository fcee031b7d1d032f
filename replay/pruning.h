// Removes texts to save space: selects them and records their removal.
#pragma once

#include <functional>

#include "ledger/reader.h"
#include "pipeline/core/engine.h"

namespace replay {

inline constexpr std::size_t kPruningBatchTexts = 1'000;  // least size of a batch, except the last: no job is split

// Nothing has happened to the job since `before`, nothing is due for it now or later, and no money is owed for it.
bool prunable(const core::Job& job, base::TimeMs before);

// Hands the texts of all prunable jobs to `take`, batch by batch, with the fact that records each; passes over texts
// that are gone already. `take` makes one batch durable: its error ends the pruning. Returns what was taken in all.
// Errors: those of `take`, and the reader's when a text is damaged or lost.
using PruningTaker = std::function<base::Result<void>(core::PruningOrdered)>;
base::Result<ledger::TextsPruned> prune(const ledger::Reader& reader, base::TimeMs before, const PruningTaker& take);

}  // namespace replay
