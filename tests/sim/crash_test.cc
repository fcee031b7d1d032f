// The second promise, shown: a process that dies at any append, before or after it is durable, loses nothing and does
// nothing twice. Each scenario is run once to count its commits, then twice again for each of them.
#include <gtest/gtest.h>

#include <iostream>

#include "ledger/verify.h"
#include "tests/sim/process.h"

namespace sim {
namespace {

using core::State;
using ledger::PaymentMode;

core::Policy policy_of(PaymentMode mode) {
  return {.wallet = "simulated",
          .play_money = true,
          .wallet_unit = {1000},
          .wallet_minimum = {1000},
          .models = {{.name = "llama3.2:latest",
                      .base = {1000},
                      .output_per_1k_tokens = {50'000},
                      .context_tokens = 4096,
                      .max_output_tokens = 200}},
          .payment_mode = mode,
          .slots = 1,
          .queue_limit = 8,
          .credit_percent = 20,
          .credit_window_ms = 30 * core::kDayMs,
          .stranger_pool = {1'000'000},
          .stranger_window_ms = 3'600'000,
          .exposure_limit = {10'000'000},
          .invoice_expiry_ms = 20'000,
          .invoice_grace_ms = 2'000,
          .inference_attempts = 5,
          .inference_retry_ms = 500,
          .invoice_attempts = 5,
          .invoice_retry_ms = 500,
          .delivery_deadline_ms = 60'000,
          .request_age_limit_ms = 3'600'000,
          .result_event_limit_bytes = 60 * 1024,
          .serve_broadcast = true,
          .error_notices_per_customer = 5,
          .offers_limit = 10,
          .error_notices = 50};
}

struct Scenario {
  const char* name;
  PaymentMode mode;
  WalletIdentity identity;
  void (*prepare)(World& world);
  State end;  // of every job
};

const Scenario kScenarios[] = {
    {"result first", PaymentMode::result_first, WalletIdentity::label, [](World& w) { w.ask("one"); }, State::settled},
    {"payment first", PaymentMode::payment_first, WalletIdentity::label, [](World& w) { w.ask("one"); },
     State::settled},
    {"result first, a wallet without identity", PaymentMode::result_first, WalletIdentity::none,
     [](World& w) { w.ask("one"); }, State::settled},
    {"payment first, a wallet without identity", PaymentMode::payment_first, WalletIdentity::none,
     [](World& w) { w.ask("one"); }, State::settled},
    {"result first, three at once", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) {
       for (const char* prompt : {"one", "two", "three"}) w.ask(prompt);
     },
     State::settled},
    {"result first, never paid", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) { w.ask("one", {}, false); }, State::unpaid},
    {"payment first, never paid", PaymentMode::payment_first, WalletIdentity::label,
     [](World& w) { w.ask("one", {}, false); }, State::expired},
    {"an inference that fails twice", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) {
       w.ask("one");
       w.inference_failures = 2;
     },
     State::settled},
    {"paid, and then an inference that fails twice", PaymentMode::payment_first, WalletIdentity::label,
     [](World& w) {
       w.ask("one");
       w.inference_failures = 2;
     },
     State::settled},
    {"declined", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) {
       w.ask("one", {{"param", "temperature", "9"}});
     },
     State::declined},
};

// Runs the world until everything has had time to end; whenever the process dies, another one starts a second later.
// Returns how often it died.
int run(World& world, const core::Policy& policy, std::int64_t restart_after_ms = 1'000) {
  const TimeMs end = world.time.now() + 90'000 + restart_after_ms;
  int deaths = 0;
  while (world.time.now() < end) {
    try {
      Process process(world, policy);
      while (world.time.step(end)) {
        if (process.failure()) throw Crashed{};  // a disk that failed is fatal: the process ends
      }
    } catch (const Crashed&) {
      ++deaths;
      world.disk.crash();
      const TimeMs restart = world.time.now() + restart_after_ms;
      while (world.time.step(restart)) {
      }
    }
  }
  return deaths;
}

void check_customers(const World& world, const Scenario& scenario) {
  for (const auto& [id, job] : world.jobs) {
    EXPECT_LE(job.results.size(), 1u) << "a second result was published";
    EXPECT_LE(job.invoices.size(), 1u) << "a second invoice was revealed";
    if (scenario.mode == PaymentMode::payment_first) {
      EXPECT_FALSE(job.result_before_payment) << "a result before its payment";
    }
    const auto reader = ledger::Reader(world.disk);
    const auto known = replay::find_job(reader, id);
    ASSERT_TRUE(known && *known) << "the job is lost";
    EXPECT_EQ(core::name(core::state(**known)), core::name(scenario.end));
    EXPECT_FALSE(core::is_open(**known)) << "something is still due";
  }
}

void check_books(const World& world) {
  const ledger::Reader reader(world.disk);
  ledger::Msat settled;
  std::map<ledger::JobId, core::Job> folded;
  ASSERT_TRUE(reader.for_each(0, UINT64_MAX, [&](const ledger::Entry& entry) {
    if (const auto* e = std::get_if<ledger::InvoiceSettled>(&entry.event)) settled += e->received;
    if (!entry.header.job.is_zero()) {
      core::evolve(folded[entry.header.job], entry.header.job, entry.header.time, entry.event);
    }
    return true;
  }));
  EXPECT_EQ(settled, world.wallet.received()) << "the ledger and the wallet disagree";
  for (const auto& [id, job] : folded) {
    EXPECT_EQ(ledger::encode(job), ledger::encode(**replay::find_job(reader, id))) << "the view is not the fold";
  }
  const auto verified = ledger::verify_ledger(world.disk);
  ASSERT_TRUE(verified);
  for (const auto& finding : verified->findings) ADD_FAILURE() << finding.position << ": " << finding.what;
}

void check_views(const World& world) {
  auto again = *SimDisk::from_dump(world.disk.dump());
  const auto projections = replay::projections();
  std::vector<ledger::Projection*> views;
  for (const auto& one : projections) views.push_back(one.get());
  ASSERT_TRUE(ledger::rebuild_views(again, views));
  EXPECT_EQ(again.dump(), world.disk.dump()) << "rebuilt views have other bytes";
}

void check(const World& world, const Scenario& scenario) {
  check_customers(world, scenario);
  check_books(world);
  check_views(world);
}

TEST(Crash, AtEveryAppendBeforeAndAfterItIsDurable) {
  int crashes = 0;
  for (const Scenario& scenario : kScenarios) {
    const core::Policy policy = policy_of(scenario.mode);
    const auto make = [&] {
      auto world = std::make_unique<World>(1);
      world->wallet.identity = scenario.identity;
      scenario.prepare(*world);
      return world;
    };
    const auto calm = make();
    ASSERT_EQ(run(*calm, policy), 0);
    check(*calm, scenario);
    if (HasFailure()) FAIL() << scenario.name << ", without any crash";
    const std::uint64_t commits = calm->disk.commits();
    for (std::uint64_t at = 0; at < commits; ++at) {
      for (const Fault fault : {Fault::crash_before, Fault::crash_after, Fault::fail_lost, Fault::fail_kept}) {
        const auto world = make();
        world->disk.on_commit(
            [at, fault](std::uint64_t number, const ledger::Batch&) { return number == at ? fault : Fault::none; });
        crashes += run(*world, policy);
        check(*world, scenario);
        if (HasFailure()) {
          FAIL() << scenario.name << ", fault " << static_cast<int>(fault) << " at commit " << at;
        }
      }
    }
    std::cout << scenario.name << ": " << commits
              << " commits, at each a crash before and after it, and a failing disk\n";
  }
  std::cout << "deaths in all: " << crashes << ", nothing lost, nothing twice\n";
  RecordProperty("crashes", crashes);
}

TEST(Crash, ALongAbsenceEndsAsItShouldToo) {
  // Longer than an invoice lives: what was not shown yet is made anew, what was shown is told as never paid or settled.
  for (const Scenario& scenario : {kScenarios[0], kScenarios[1]}) {
    for (std::uint64_t at = 2; at < 14; ++at) {
      World world(3);
      scenario.prepare(world);
      world.disk.on_commit(
          [at](std::uint64_t number, const ledger::Batch&) { return number == at ? Fault::crash_after : Fault::none; });
      run(world, policy_of(scenario.mode), 30'000);
      for (const auto& [id, job] : world.jobs) {
        EXPECT_LE(job.results.size(), 1u);
        EXPECT_LE(job.invoices.size(), 1u);
        const auto known = replay::find_job(ledger::Reader(world.disk), id);
        ASSERT_TRUE(known && *known);
        // A signed notice whose invoice died before it could be published cannot be paid any more: that is said, not
        // hidden.
        const State state = core::state(**known);
        EXPECT_TRUE(state == State::settled || state == State::unpaid || state == State::expired) << core::name(state);
        EXPECT_FALSE(core::is_open(**known));
      }
      check_books(world);
      if (HasFailure()) FAIL() << scenario.name << ", commit " << at;
    }
  }
}

TEST(Crash, AStormOfRestartsEndsAsItShould) {
  const Scenario& scenario = kScenarios[4];
  World world(2);
  scenario.prepare(world);
  world.disk.on_commit([](std::uint64_t number, const ledger::Batch&) {
    if (number > 60) return Fault::none;
    return number % 2 == 0 ? Fault::crash_after : number % 3 == 0 ? Fault::crash_before : Fault::none;
  });
  EXPECT_GT(run(world, policy_of(scenario.mode)), 20);
  check(world, scenario);
}

}  // namespace
}  // namespace sim
