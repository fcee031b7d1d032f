// A day in the life of a provider whose relays come and go: nothing is lost, nothing is done twice, nobody waits for
// ever.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/sim/policies.h"
#include "tests/sim/process.h"
#include "tests/sim/referee.h"

namespace sim {
namespace {

using base::kMinuteMs;

// Invoices and answers outlive the outages, and there is room for all who ask.
core::Policy policy() {
  core::Policy out = policy_of(ledger::PaymentMode::result_first);
  out.slots = 2;
  out.queue_limit = 64;
  out.offers_limit = 100;
  out.credit_percent = 50;
  out.invoice_expiry_ms = 20 * kMinuteMs;
  out.invoice_grace_ms = kMinuteMs;
  out.delivery_deadline_ms = 2 * kHourMs;
  out.request_age_limit_ms = 2 * kHourMs;
  return out;
}

// Each relay is up for a while, down for up to an hour, and so on; now and then all of them are down.
void plan_outages(World& world, SimRelay& relay, Dice& dice, TimeMs end) {
  TimeMs at = world.time.now();
  for (;;) {
    at = at + dice.between(kMinuteMs, 2 * kHourMs);
    if (at >= end) return;
    const std::int64_t outage_ms = dice.between(kMinuteMs, kHourMs);
    world.time.at(at, [&relay] { relay.go_down(); });
    world.time.at(at + outage_ms, [&relay] { relay.come_up(); });
    at = at + outage_ms;
  }
}

// A request every minute or so, to a relay that is up at that moment, or by a customer who waits until one is.
void plan_requests(World& world, Dice& dice, TimeMs end) {
  std::size_t number = 0;
  for (TimeMs at = world.time.now() + 1'000; at < end; at = at + dice.between(1'000, 2 * kMinuteMs)) {
    Ask ask{.prompt = "Question " + std::to_string(++number) + ": why?",
            .customer = dice.below(20),
            .first_relay = dice.below(8),
            .relays = dice.chance(0.5) ? SIZE_MAX : 1};
    if (dice.chance(0.2)) ask.encryption = ledger::Encryption::nip44;
    world.time.at(at, [&world, ask] { world.ask(ask); });
  }
}

TEST(Day, TwentyFourHoursOfRelaysThatComeAndGoLoseNothing) {
  World world(24, {}, 3);
  Dice dice(24);
  const TimeMs evening = world.time.now() + 24 * kHourMs;
  for (const auto& relay : world.relays) plan_outages(world, *relay, dice, evening);
  plan_requests(world, dice, evening);
  Process process(world, policy());
  process.start();
  try {
    std::uint64_t commits = 0;
    const TimeMs end = evening + 4 * kHourMs;  // until the last invoice has expired
    while (world.time.step(end)) {
      ASSERT_FALSE(process.failure());
      if (std::exchange(commits, world.disk.commits()) != world.disk.commits()) {
        world.referee->catch_up(process.settled_engine());
      }
    }
    world.referee->check_end(/*clock_was_wrong=*/false);
  } catch (const Violation& violation) {
    FAIL() << violation.what();
  }
  std::cout << world.jobs.size() << " requests, " << world.referee->sales() << " sales in 24 hours over "
            << world.relays.size() << " relays that come and go\n";
  EXPECT_GT(world.jobs.size(), 1'000U);
  EXPECT_EQ(world.referee->sales(), world.jobs.size()) << "each served and paid once";
}

}  // namespace
}  // namespace sim
