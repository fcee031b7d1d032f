// The second promise, shown: a process that dies at any append, before or after it is durable, or at any call that
// leaves it, loses nothing and does nothing twice. Each scenario is run once to count them, then again for each of
// them.
#include <gtest/gtest.h>

#include <iostream>

#include "pipeline/core/stages/stage.h"
#include "tests/sim/policies.h"
#include "tests/sim/process.h"
#include "tests/sim/referee.h"

namespace sim {
namespace {

using core::State;
using ledger::PaymentMode;

struct Scenario {
  const char* name;
  PaymentMode mode;
  WalletIdentity identity;
  void (*prepare)(World& world);
  State end;  // of every job
  bool pays_back = false;
  bool renews = false;
  bool prunes = false;  // the texts of what has ended, at once
};

const Scenario kScenarios[] = {
    {"result first", PaymentMode::result_first, WalletIdentity::label, [](World& w) { w.ask({.prompt = "one"}); },
     State::settled},
    {"payment first", PaymentMode::payment_first, WalletIdentity::label, [](World& w) { w.ask({.prompt = "one"}); },
     State::settled},
    {"result first, a wallet without identity", PaymentMode::result_first, WalletIdentity::none,
     [](World& w) { w.ask({.prompt = "one"}); }, State::settled},
    {"payment first, a wallet without identity", PaymentMode::payment_first, WalletIdentity::none,
     [](World& w) { w.ask({.prompt = "one"}); }, State::settled},
    {"result first, three at once", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) {
       for (const char* prompt : {"one", "two", "three"}) w.ask({.prompt = prompt});
     },
     State::settled},
    {"result first, never paid", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) { w.ask({.prompt = "one", .payer = Payer::never}); }, State::unpaid},
    {"payment first, never paid", PaymentMode::payment_first, WalletIdentity::label,
     [](World& w) { w.ask({.prompt = "one", .payer = Payer::never}); }, State::expired},
    {"an inference that fails twice", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) {
       w.ask({.prompt = "one"});
       w.inference_failures = 2;
     },
     State::settled},
    {"paid, and then an inference that fails twice", PaymentMode::payment_first, WalletIdentity::label,
     [](World& w) {
       w.ask({.prompt = "one"});
       w.inference_failures = 2;
     },
     State::settled},
    {"declined", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) {
       w.ask({.prompt = "one", .more_tags = {{"param", "temperature", "9"}}});
     },
     State::declined},
    {"cancelled while it runs", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) {
       w.line_ms = 300;
       w.ask({.prompt = "one", .cancel_after_ms = 300});
     },
     State::cancelled},
    {"payment first, cancelled before it is paid", PaymentMode::payment_first, WalletIdentity::label,
     [](World& w) { w.ask({.prompt = "one", .payer = Payer::never, .cancel_after_ms = 300}); }, State::cancelled},
    {"paid, cancelled while it runs, and paid back", PaymentMode::payment_first, WalletIdentity::label,
     [](World& w) {
       w.line_ms = 300;
       w.ask({.prompt = "one", .cancel_after_ms = 3'000});
     },
     State::refunded, true},
    {"paid, and cancelled when a part has been seen", PaymentMode::payment_first, WalletIdentity::label,
     [](World& w) {
       w.line_ms = 300;
       w.ask({.prompt = "one", .more_tags = {{"param", "stream", "true"}}, .cancel_after_ms = 3'000});
     },
     State::refund_owed},
    {"result first, with inputs to gather", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) {
       const auto note = w.write_note("What the note says.").hex();
       w.ask({.prompt = "one", .sources = {{"i", "https://example.com/", "url"}, {"i", note, "event"}}});
     },
     State::settled},
    {"declined, for an input that is nowhere", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) {
       w.ask({.prompt = "one", .sources = {{"i", std::string(64, 'a'), "job"}}});
     },
     State::declined},
    {"result first, encrypted, with inputs to gather", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) {
       w.ask({.prompt = "one",
              .sources = {{"i", "https://example.com/", "url"}},
              .encryption = ledger::Encryption::nip44});
     },
     State::settled},
    {"result first, encrypted", PaymentMode::result_first, WalletIdentity::label,
     [](World& w) { w.ask({.prompt = "one", .encryption = ledger::Encryption::nip44}); }, State::settled},
    {"escrow", PaymentMode::escrow, WalletIdentity::label, [](World& w) { w.ask({.prompt = "one"}); }, State::settled},
    {"escrow, cancelled while it runs", PaymentMode::escrow, WalletIdentity::label,
     [](World& w) {
       w.line_ms = 300;
       w.ask({.prompt = "one", .cancel_after_ms = 3'000});
     },
     State::cancelled},
    {"escrow, never paid", PaymentMode::escrow, WalletIdentity::label,
     [](World& w) { w.ask({.prompt = "one", .payer = Payer::never}); }, State::expired},
    {.name = "result first, its invoice expired and renewed",
     .mode = PaymentMode::result_first,
     .identity = WalletIdentity::label,
     .prepare = [](World& w) { w.ask({.prompt = "one", .payer = Payer::second}); },
     .end = State::settled,
     .renews = true},
    {.name = "result first, its texts pruned as soon as it has ended",
     .mode = PaymentMode::result_first,
     .identity = WalletIdentity::label,
     .prepare = [](World& w) { w.ask({.prompt = "one"}); },
     .end = State::settled,
     .prunes = true},
};

constexpr std::int64_t kRefundInvoiceMs = 60'000;
constexpr std::int64_t kRefundEndsMs =
    15LL * 60'000;  // one that the wallet never heard of is over when nobody can pay it

// The operator, who looks at what is owed after each commit.
void pay_back(World& world, Process& process) {
  for (const auto& [id, job] : world.referee->jobs()) {
    const base::Msat owed = core::still_owed(job);
    if (owed > base::Msat{}) process.pay_back(id, world.purse.invoice(owed, world.time.now(), kRefundInvoiceMs));
  }
}

// Runs the world until everything has had time to end; whenever the process dies, another one starts a second later.
// Returns how often it died.
int run(World& world, const core::Policy& policy, bool pays_back = false, std::int64_t restart_after_ms = 1'000,
        bool prunes = false) {
  const TimeMs end = world.time.now() + 90'000 + restart_after_ms + (pays_back ? kRefundEndsMs : 0);
  int deaths = 0;
  std::uint64_t commits = 0;
  while (world.time.now() < end) {
    try {
      Process process(world, policy);
      process.start();
      while (world.time.step(end)) {
        if (process.failure()) throw Crashed{};  // a disk that failed is fatal: the process ends
        if (std::exchange(commits, world.disk.commits()) != world.disk.commits()) {
          world.referee->catch_up(process.settled_engine());
          if (pays_back) pay_back(world, process);
          if (prunes) process.prune(process.engine().now() + 1);
        }
      }
    } catch (const Crashed&) {
      ++deaths;
      world.disk.crash();
      world.referee->catch_up(nullptr);
      const TimeMs restart = world.time.now() + restart_after_ms;
      while (world.time.step(restart)) {
      }
    }
  }
  return deaths;
}

// That every job ended as it should, and all books agree.
void check(const World& world, const Scenario& scenario) {
  for (const auto& [id, seen] : world.jobs) {
    ASSERT_TRUE(world.referee->jobs().contains(id)) << "the job is lost";
    EXPECT_EQ(core::name(core::state(world.referee->jobs().at(id))), core::name(scenario.end));
  }
  world.referee->check_end(/*clock_was_wrong=*/false);
  if (!scenario.prunes) return;
  const auto empty = [](auto, auto text) {
    EXPECT_EQ(text, "") << "a text was not pruned";
    return true;
  };
  EXPECT_TRUE(world.disk.scan(ledger::Family::texts, {}, {}, empty));
}

// As run(), with what the referee says as a test's failure.
int run_and_check(World& world, const Scenario& scenario) {
  try {
    core::Policy policy = policy_of(scenario.mode);
    policy.renew_invoices = scenario.renews;
    const int deaths = run(world, policy, scenario.pays_back, 1'000, scenario.prunes);
    check(world, scenario);
    return deaths;
  } catch (const Violation& violation) {
    ADD_FAILURE() << violation.what();
    return 0;
  }
}

std::unique_ptr<World> make(const Scenario& scenario) {
  auto world = std::make_unique<World>(1);
  world->wallet.identity = scenario.identity;
  scenario.prepare(*world);
  return world;
}

TEST(Crash, AtEveryAppendBeforeAndAfterItIsDurable) {
  int crashes = 0;
  for (const Scenario& scenario : kScenarios) {
    const auto calm = make(scenario);
    ASSERT_EQ(run_and_check(*calm, scenario), 0);
    if (HasFailure()) FAIL() << scenario.name << ", without any crash";
    const std::uint64_t commits = calm->disk.commits();
    for (std::uint64_t at = 0; at < commits; ++at) {
      for (const Fault fault : {Fault::crash_before, Fault::crash_after, Fault::fail_lost, Fault::fail_kept}) {
        const auto world = make(scenario);
        world->disk.on_commit(
            [at, fault](std::uint64_t number, const ledger::Batch&) { return number == at ? fault : Fault::none; });
        crashes += run_and_check(*world, scenario);
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

TEST(Crash, AtEveryCallThatLeavesTheProcessBeforeAndAfterIt) {
  int crashes = 0;
  for (const Scenario& scenario : kScenarios) {
    const auto die_at = [&scenario](std::uint64_t at, std::uint64_t& calls) {
      auto world = make(scenario);
      world->on_port_call = [at, &calls] {
        if (calls++ == at) throw Crashed{};
      };
      return world;
    };
    std::uint64_t in_all = 0;
    const auto calm = die_at(UINT64_MAX, in_all);
    ASSERT_EQ(run_and_check(*calm, scenario), 0);
    for (std::uint64_t at = 0; at < in_all; ++at) {
      std::uint64_t calls = 0;
      const auto world = die_at(at, calls);
      crashes += run_and_check(*world, scenario);
      if (HasFailure()) FAIL() << scenario.name << ", at the port's point " << at;
    }
    std::cout << scenario.name << ": a crash at each of " << in_all << " points around its calls\n";
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
      run(world, policy_of(scenario.mode), false, 30'000);
      for (const auto& [id, job] : world.referee->jobs()) {
        // A signed notice whose invoice died before it could be published cannot be paid any more: that is said, not
        // hidden.
        const State state = core::state(job);
        EXPECT_TRUE(state == State::settled || state == State::unpaid || state == State::expired) << core::name(state);
      }
      world.referee->check_end(/*clock_was_wrong=*/false);
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
  EXPECT_GT(run_and_check(world, scenario), 20);
}

}  // namespace
}  // namespace sim
