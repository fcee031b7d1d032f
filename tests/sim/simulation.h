// One seed's world: a provider sells to customers while everything that can go wrong does, then all is well again and
// everything must come to its end. The referee watches each step.
#pragma once

#include <optional>
#include <string>

#include "tests/sim/world.h"

namespace sim {

struct Outcome {
  std::uint64_t seed = 0;
  std::size_t requests = 0;
  std::size_t sales = 0;  // settled payments
  std::size_t entries = 0;
  std::uint64_t steps = 0;
  std::uint64_t deaths = 0;
  MishapCounts mishaps{};
  std::optional<std::string> violation;  // which promise was broken, and when
};

// The same seed gives the same outcome. `disk`, if given, receives what the ledger's disk holds at the end.
Outcome simulate(std::uint64_t seed, SimDisk* disk = nullptr);

}  // namespace sim
