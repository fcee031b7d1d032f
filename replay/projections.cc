#include "replay/projections.h"

#include "replay/customers_view.h"
#include "replay/earnings_view.h"
#include "replay/jobs_view.h"

namespace replay {

std::vector<std::unique_ptr<ledger::Projection>> projections() {
  std::vector<std::unique_ptr<ledger::Projection>> out;
  out.push_back(std::make_unique<JobsView>());
  out.push_back(std::make_unique<CustomersView>());
  out.push_back(std::make_unique<EarningsView>());
  return out;
}

}  // namespace replay
