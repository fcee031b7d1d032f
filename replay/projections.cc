#include "replay/projections.h"

#include "replay/earnings_view.h"
#include "replay/jobs_view.h"

namespace replay {

std::vector<std::unique_ptr<ledger::Projection>> projections() {
  std::vector<std::unique_ptr<ledger::Projection>> out;
  out.push_back(std::make_unique<JobsView>());
  out.push_back(std::make_unique<EarningsView>());
  return out;
}

std::vector<ledger::Projection*> pointers(const std::vector<std::unique_ptr<ledger::Projection>>& owned) {
  std::vector<ledger::Projection*> out;
  out.reserve(owned.size());
  for (const auto& one : owned) out.push_back(one.get());
  return out;
}

}  // namespace replay
