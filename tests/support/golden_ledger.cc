#include "tests/support/golden_ledger.h"

#include <stdexcept>

#include "ledger/ledger.h"
#include "tests/support/sample_ledger.h"
#include "tests/support/sim_disk.h"

namespace sim {

Golden golden_ledger() {
  SimDisk disk;
  SampleView view;
  auto ledger = ledger::Ledger::open(disk, {&view});
  for (const std::size_t count : {1U, 11U, 100U, 148U}) {
    const ledger::Group group = sample_group((*ledger)->size(), count);
    if (!(*ledger)->append({&group, 1})) throw std::logic_error("the simulated disk refused the golden ledger");
  }
  return {disk.dump(), (*ledger)->root()};
}

}  // namespace sim
