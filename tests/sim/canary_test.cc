// The simulator's checks check: each bug that is planted is found, and without one nothing is.
#include "pipeline/core/canary.h"

#include <gtest/gtest.h>

#include <iostream>

#include "tests/sim/simulation.h"

namespace sim {
namespace {

constexpr std::uint64_t kSeeds = 200;  // within which each must be found

// The first seed that breaks a promise, with the words for it.
std::optional<Outcome> first_broken(std::uint64_t seeds) {
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Outcome outcome = simulate(seed);
    if (outcome.violation) return outcome;
  }
  return std::nullopt;
}

class Planted : public testing::TestWithParam<core::Canary> {
 public:
  Planted() { core::planted_canary = GetParam(); }
  ~Planted() override { core::planted_canary.reset(); }
};

TEST_P(Planted, IsFound) {
  const auto found = first_broken(kSeeds);
  ASSERT_TRUE(found) << "no seed up to " << kSeeds << " noticed the bug";
  std::cout << "found by seed " << found->seed << ": " << *found->violation << "\n";
}

INSTANTIATE_TEST_SUITE_P(Canaries, Planted,
                         testing::Values(core::Canary::command_before_durable, core::Canary::in_flight_ignored,
                                         core::Canary::settlement_counted_twice, core::Canary::expired_unwatched,
                                         core::Canary::unknown_is_the_end, core::Canary::empty_answer_sold,
                                         core::Canary::age_by_ledger_time, core::Canary::crowded_second_is_last,
                                         core::Canary::pruned_while_open, core::Canary::rollback_unseen,
                                         core::Canary::pause_ignored, core::Canary::inability_ignored,
                                         core::Canary::refused_filter_kept, core::Canary::defaults_forgotten,
                                         core::Canary::drain_without_end),
                         [](const auto& one) {
                           switch (one.param) {
                             case core::Canary::command_before_durable:
                               return "CommandBeforeDurable";
                             case core::Canary::in_flight_ignored:
                               return "InFlightIgnored";
                             case core::Canary::settlement_counted_twice:
                               return "SettlementCountedTwice";
                             case core::Canary::expired_unwatched:
                               return "ExpiredUnwatched";
                             case core::Canary::unknown_is_the_end:
                               return "UnknownIsTheEnd";
                             case core::Canary::empty_answer_sold:
                               return "EmptyAnswerSold";
                             case core::Canary::age_by_ledger_time:
                               return "AgeByLedgerTime";
                             case core::Canary::crowded_second_is_last:
                               return "CrowdedSecondIsLast";
                             case core::Canary::rollback_unseen:
                               return "RollbackUnseen";
                             case core::Canary::pruned_while_open:
                               return "PrunedWhileOpen";
                             case core::Canary::pause_ignored:
                               return "PauseIgnored";
                             case core::Canary::inability_ignored:
                               return "InabilityIgnored";
                             case core::Canary::refused_filter_kept:
                               return "RefusedFilterKept";
                             case core::Canary::defaults_forgotten:
                               return "DefaultsForgotten";
                             case core::Canary::drain_without_end:
                               return "DrainWithoutEnd";
                           }
                           return "";
                         });

TEST(NotPlanted, NothingIsFound) {
  const auto found = first_broken(5);
  EXPECT_FALSE(found) << "seed " << found->seed << ": " << *found->violation;
}

}  // namespace
}  // namespace sim
