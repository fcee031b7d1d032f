// A day in the life of a provider whose relays come and go: nothing is lost, nothing is done twice, nobody waits for
// ever.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/sim/process.h"
#include "tests/sim/referee.h"

namespace sim {
namespace {

constexpr std::int64_t kHourMs = 3'600'000;
constexpr std::int64_t kMinuteMs = 60'000;

core::Policy policy() {
  return {.wallet = "simulated",
          .play_money = true,
          .wallet_unit = {1000},
          .wallet_minimum = {1000},
          .models = {{.name = "llama3.2:latest",
                      .base = {1000},
                      .output_per_1k_tokens = {50'000},
                      .context_tokens = 4096,
                      .max_output_tokens = 200}},
          .payment_mode = ledger::PaymentMode::result_first,
          .slots = 2,
          .queue_limit = 64,
          .credit_percent = 50,
          .credit_window_ms = 30 * core::kDayMs,
          .stranger_pool = {1'000'000},
          .stranger_window_ms = kHourMs,
          .exposure_limit = {10'000'000},
          .invoice_expiry_ms = 20 * kMinuteMs,
          .invoice_grace_ms = kMinuteMs,
          .inference_attempts = 5,
          .inference_retry_ms = 500,
          .invoice_attempts = 5,
          .invoice_retry_ms = 500,
          .delivery_deadline_ms = 2 * kHourMs,
          .request_age_limit_ms = 2 * kHourMs,
          .result_event_limit_bytes = 60 * 1024,
          .serve_broadcast = true,
          .error_notices_per_customer = 5,
          .offers_limit = 100,
          .error_notices = 50};
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
