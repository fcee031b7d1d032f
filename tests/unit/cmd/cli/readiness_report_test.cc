// Each way of not being able to sell, and what every report of it tells: no two of them may differ.
#include "cmd/cli/readiness_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/unit/pipeline/core/engine_driver.h"

namespace cmd {
namespace {

using base::Error;
using base::ErrorKind;
using core::Observations;
using ledger::DeclineReason;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;

constexpr auto kMode = ledger::PaymentMode::result_first;
constexpr auto kServed = DeclineReason::unspecified;

Observations all_well() {
  return {.wallet = {.which = "nwc", .note = "Alby Hub, balance 12 sat", .latency_ms = 38},
          .backend = {.which = "http://127.0.0.1:11434", .note = "llama3.2, qwen3", .latency_ms = 4},
          .models = {{.which = "llama3.2:latest"}, {.which = "qwen3"}},
          .relays = {{.which = "wss://a.example", .note = "live"}, {.which = "wss://b.example", .note = "live"}},
          .clock = base::TimeMs{1'000'000}};
}

struct State {
  const char* what;
  void (*spoil)(Observations& seen);
  const char* line;  // of `status`: what, verdict
  ExitCode exit;
  bool heartbeat;  // is sent
  const char* live_line;
  const char* log;  // part of what is logged when it begins; empty: nothing
  DeclineReason admission;
};

Error error(ErrorKind kind, const char* code) {
  return {kind, code, "it is broken", {}, "mend it"};
}

const State kStates[] = {
    {"all is well", [](Observations&) {}, "wallet ok", ExitCode::done, true, "online", "", kServed},
    {"the wallet cannot be reached",
     [](Observations& seen) { seen.wallet.error = error(ErrorKind::payment, "wallet.unreachable"); }, "wallet FAIL",
     ExitCode::unreachable, false, "NOT READY: wallet", "no jobs are accepted: it is broken",
     DeclineReason::wallet_unavailable},
    {"the wallet makes no invoices",
     [](Observations& seen) { seen.wallet.error = error(ErrorKind::config, "config.wallet_unable"); }, "wallet FAIL",
     ExitCode::usage, false, "NOT READY: wallet", "no jobs are accepted: it is broken",
     DeclineReason::wallet_unavailable},
    {"the model server cannot be reached",
     [](Observations& seen) { seen.backend.error = error(ErrorKind::connection, "inference.unreachable"); },
     "inference FAIL", ExitCode::unreachable, false, "NOT READY: inference", "no jobs are accepted: it is broken",
     DeclineReason::inference_unavailable},
    {"no model works",
     [](Observations& seen) {
       for (auto& one : seen.models) one.error = error(ErrorKind::job_processing, "inference.model_fails");
     },
     "inference FAIL", ExitCode::failed, false, "NOT READY: inference", "no jobs are accepted: it is broken",
     DeclineReason::inference_unavailable},
    {"the model that is asked for fails",
     [](Observations& seen) { seen.models[0].error = error(ErrorKind::job_processing, "inference.model_fails"); },
     "inference FAIL", ExitCode::failed, true, "online", "inference llama3.2:latest: it is broken",
     DeclineReason::inference_unavailable},
    {"another model fails",
     [](Observations& seen) { seen.models[1].error = error(ErrorKind::job_processing, "inference.model_fails"); },
     "inference FAIL", ExitCode::failed, true, "online", "inference qwen3: it is broken", kServed},
    {"one relay is dead",
     [](Observations& seen) { seen.relays[1].error = error(ErrorKind::connection, "relay.unreachable"); },
     "relays FAIL", ExitCode::unreachable, true, "online", "", kServed},
    {"all relays are dead",
     [](Observations& seen) {
       for (auto& one : seen.relays) one.error = error(ErrorKind::connection, "relay.unreachable");
     },
     "relays FAIL", ExitCode::unreachable, false, "NOT READY: relays", "no jobs can come", kServed},
    {"a relay cannot be read whole",
     [](Observations& seen) { seen.relays[1].warning = error(ErrorKind::connection, "relay.unread"); }, "relays WARN",
     ExitCode::done, true, "online", "", kServed},
    // Requests wait at the intake, so no admission sees them.
    {"the disk is full", [](Observations& seen) { seen.disk_low = true; }, "disk FAIL", ExitCode::failed, false,
     "NOT READY: disk", "no jobs are accepted: less than 256 MiB", kServed},
    {"the ledger is ahead of the clock", [](Observations& seen) { seen.ledger_time = base::TimeMs{90'000'000}; },
     "clock WARN", ExitCode::done, true, "online", "the ledger ends in the future", kServed},
    {"a rollback was not checked", [](Observations& seen) { seen.rollback_checked = false; }, "rollback WARN",
     ExitCode::done, true, "online", "rollback not checked", kServed},
};

std::string worst_line(const std::vector<StatusLine>& lines) {
  std::string out = lines.front().what + " ok";
  for (const StatusLine& line : lines) {
    if (line.error) return line.what + " FAIL";
    if (line.warning) out = line.what + " WARN";
  }
  return out;
}

DeclineReason admission(const core::Readiness& readiness) {
  core::EngineDriver shop(core::EngineDriver::policy());
  shop.give(core::ReadinessJudged{readiness.parts(kMode), readiness.failing_models()});
  const core::Job job = shop.ask(1, shop.request());
  return job.declined ? job.declined->reason : kServed;
}

TEST(ReadinessReport, EveryReportOfEveryStateTellsTheSame) {
  for (const State& state : kStates) {
    SCOPED_TRACE(state.what);
    Observations seen = all_well();
    state.spoil(seen);
    // As a running `serve` tells it to `status`.
    const core::Readiness now = readiness_from_json(to_json(core::judge(seen)));
    const auto lines = status_lines(now);
    EXPECT_EQ(worst_line(lines), state.line);
    EXPECT_EQ(exit_code_of(lines), state.exit);
    EXPECT_EQ(heartbeat_obstacle(true, now, kMode).empty(), state.heartbeat);
    EXPECT_EQ(shop_state(true, false, now, kMode), state.live_line);
    const auto logged = readiness_changes(core::judge(all_well()), now, kMode);
    if (*state.log == '\0') {
      EXPECT_THAT(logged, IsEmpty());
    } else {
      EXPECT_THAT(logged, Contains(HasSubstr(state.log)));
    }
    EXPECT_EQ(admission(now), state.admission);
  }
}

TEST(ReadinessReport, WhatWorksAgainIsLoggedToo) {
  Observations broken = all_well();
  broken.wallet.error = error(ErrorKind::payment, "wallet.unreachable");
  EXPECT_THAT(readiness_changes(core::judge(broken), core::judge(all_well()), kMode),
              testing::ElementsAre("wallet nwc works again", "jobs are accepted again"));
}

TEST(ReadinessReport, AShopThatIsOfflineIsCalledThat) {
  const core::Readiness ready = core::judge(all_well());
  EXPECT_EQ(shop_state(true, true, ready, kMode), "going offline");
  EXPECT_EQ(shop_state(false, false, ready, kMode), "offline");
  EXPECT_EQ(heartbeat_obstacle(false, ready, kMode), "we take no jobs now");
}

TEST(ReadinessReport, WhatIsNoReadinessHasNoConditions) {
  for (const char* text :
       {"null", "5", "[1]", R"({"part":"wallet"})", R"([{"part":5}])", R"([{"error":{"code":1}}])"}) {
    EXPECT_THAT(readiness_from_json(nlohmann::json::parse(text)).conditions, IsEmpty()) << text;
  }
}

TEST(Obstacle, OfDeadRelaysIsThatNoneIsConnected) {
  auto seen = all_well();
  for (auto& relay : seen.relays)
    relay.error = Error{ErrorKind::connection, "relay.offline", "connection refused", {}, {}};
  const auto dead = core::judge(seen);
  EXPECT_EQ(obstacle_words(dead, kMode), "none of our relays is connected");
  EXPECT_EQ(heartbeat_obstacle(true, dead, kMode), "none of our relays is connected");
  EXPECT_EQ(obstacle_words(core::judge(all_well()), kMode), "");
}

TEST(Trouble, NamesTheRelayOrTheModelButNotAPartAsAWhole) {
  auto seen = all_well();
  seen.wallet.error = error(ErrorKind::payment, "wallet.unreachable");
  seen.models[0].error = error(ErrorKind::connection, "inference.refused");
  seen.relays[1].error = error(ErrorKind::connection, "relay.offline");
  std::vector<std::string> troubles;
  for (const auto& one : core::judge(seen).conditions) {
    if (one.seen.error) troubles.push_back(trouble_of(one));
  }
  EXPECT_THAT(troubles,
              testing::ElementsAre("it is broken: mend it", "inference llama3.2:latest: it is broken: mend it",
                                   "wss://b.example: it is broken: mend it"));
}

}  // namespace
}  // namespace cmd
