// A flood of requests from keys that never pay: those who have paid are served at once, and who pays the invoice that
// is offered, or brings the work that is asked, is served soon after. What is refused costs next to nothing.
#include <gtest/gtest.h>

#include <iostream>

#include "tests/sim/policies.h"
#include "tests/sim/process.h"
#include "tests/sim/referee.h"

namespace sim {
namespace {

using base::kMinuteMs;
constexpr std::int64_t kFloodMs = 10 * kMinuteMs;
constexpr std::size_t kRequests = 50'000;
constexpr std::int64_t kLineMs = 50;  // a token of the model: a job takes some seconds

// Customers by number: what they are, the flood's keys are.
constexpr std::size_t kRegular = 1;
constexpr std::size_t kPaying = 2;
constexpr std::size_t kWorking = 3;
constexpr std::size_t kFirstOfFlood = 10;

class Flood : public testing::TestWithParam<std::size_t> {
 protected:
  Flood() {
    world.line_ms = kLineMs;
    process.start();
    regular = ask({.prompt = "Before the flood: why?", .customer = kRegular});
    pass(world.time.now() + kMinuteMs);
    for (std::size_t i = 0; i < kRequests; ++i) {
      const auto after_ms = static_cast<std::int64_t>(i * kFloodMs / kRequests);
      world.time.after(after_ms, [this, i] {
        world.ask({.prompt = "Flood " + std::to_string(i) + "?",
                   .payer = Payer::never,
                   .customer = kFirstOfFlood + i % GetParam()});
      });
    }
    began = world.time.now();
  }

  base::EventId ask(const Ask& ask) { return world.ask(ask); }
  const core::Job* job(const base::EventId& id) {
    const auto& jobs = world.referee->jobs();
    const auto found = jobs.find(id);
    return found == jobs.end() ? nullptr : &found->second;
  }

  void pass(TimeMs until) {
    while (world.time.now() < until && world.time.step(until)) {
      ASSERT_FALSE(process.failure());
      if (std::exchange(commits, world.disk.commits()) == world.disk.commits()) continue;
      world.referee->catch_up(nullptr);
      for (const base::EventId& id : watched) {
        const core::Job* one = job(id);
        if (one && one->inference_started > 0) started.try_emplace(id, world.time.now());
        if (one && core::paid(*one)) paid.try_emplace(id, world.time.now());
      }
    }
  }

  static core::Policy policy() {
    core::Policy out = policy_of(ledger::PaymentMode::result_first);
    out.queue_limit = 16;
    out.offers_limit = 100;
    out.stranger_pool = {100'000};
    out.invoice_expiry_ms = 15 * kMinuteMs;
    out.error_notices = 100;
    return out;
  }

  World world{14};
  Process process{world, policy(), {}};
  std::uint64_t commits = 0;
  TimeMs began;
  base::EventId regular;
  std::set<base::EventId> watched;
  std::map<base::EventId, TimeMs> started, paid;
};

TEST_P(Flood, LeavesRoomForThoseWhoPaidWhoPayAndWhoBringWork) {
  const std::uint64_t bytes_before = world.disk.bytes();
  pass(began + 3 * kMinuteMs);

  // A customer who has paid before, in the middle of it, once a minute.
  std::map<base::EventId, TimeMs> asked;
  for (int i = 0; i < 3; ++i) {
    const auto id = ask({.prompt = "Regular " + std::to_string(i) + "?", .customer = kRegular});
    asked[id] = world.time.now();
    watched.insert(id);
    pass(world.time.now() + kMinuteMs);
  }
  const std::int64_t one_job_ms = 200 * kLineMs + 1'000;
  for (const auto& [id, at] : asked) {
    ASSERT_TRUE(started.contains(id)) << "a customer who has paid was not served";
    EXPECT_LE(started[id] - at, one_job_ms);
  }

  // A new one with the work that is asked at this moment.
  const std::uint32_t work = core::work_asked(process.engine().shop(), process.engine().policy());
  const auto worked = ask({.prompt = "I worked?", .customer = kWorking, .work_bits = work});
  watched.insert(worked);
  const TimeMs worked_at = world.time.now();
  pass(worked_at + kMinuteMs);
  ASSERT_TRUE(started.contains(worked) || paid.contains(worked)) << work << " bits";

  // A new one who asks until there is an offer, and pays it.
  for (int i = 0; i < 300 && world.time.now() < began + kFloodMs; ++i) {
    const auto id =
        ask({.prompt = "Paying " + std::to_string(i) + "?", .customer = kPaying, .work_bits = i > 0 ? work : 0});
    watched.insert(id);
    pass(world.time.now() + 10'000);
    if (job(id) && job(id)->quote) break;
  }
  pass(began + kFloodMs + kMinuteMs);
  std::size_t served = 0;
  for (const auto& [id, at] : paid) {
    if (world.jobs.at(id).customer != kPaying) continue;
    ASSERT_TRUE(started.contains(id));
    EXPECT_LE(started[id] - at, kMinuteMs);
    ++served;
  }
  EXPECT_GE(served, 1u);

  const std::size_t recorded = world.referee->jobs().size();
  const std::uint64_t per_request = (world.disk.bytes() - bytes_before) / kRequests;
  std::cout << kRequests << " requests of " << GetParam() << " keys in " << kFloodMs / kMinuteMs
            << " minutes: " << recorded << " recorded, " << per_request << " bytes of disk a request, " << work
            << " bits of work asked\n";
  EXPECT_LE(per_request, 200u);
}

INSTANTIATE_TEST_SUITE_P(Keys, Flood, testing::Values(1, 5'000));

}  // namespace
}  // namespace sim
