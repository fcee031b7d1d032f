// A ledger on a simulated disk with every view of the program, and what a shop wrote into it.
#pragma once

#include <gtest/gtest.h>

#include "ledger/ledger.h"
#include "ledger/reader.h"
#include "replay/projections.h"
#include "tests/support/sim_disk.h"
#include "tests/unit/pipeline/core/engine_driver.h"

namespace replay {

using base::kHourMs;

struct ShopLedger {
  sim::SimDisk disk;
  std::vector<std::unique_ptr<ledger::Projection>> views = projections();
  std::unique_ptr<ledger::Ledger> ledger = ledger::Ledger::open(disk, pointers(views)).value();
  ledger::Reader reader{disk};

  // Each entry in a commit of its own.
  void write(const std::vector<ledger::NewEntry>& entries) {
    for (const auto& entry : entries) {
      const ledger::Group group{.entries = {entry}, .cursors = {}};
      const auto done = ledger->append(std::span(&group, 1));
      ASSERT_TRUE(done) << done.error().describe();
    }
  }
  void write(base::TimeMs time, base::JobId job, ledger::Fact fact) {
    write({{.time = time, .job = job, .fact = std::move(fact), .texts = {}}});
  }
};

}  // namespace replay
