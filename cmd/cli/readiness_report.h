// Writes readiness for people and programs: for the control socket, `status`, the log and the live line. All of these
// texts are made here, from core::Readiness alone.
#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

#include "cmd/cli/exit_code.h"
#include "pipeline/core/readiness.h"

namespace cmd {

// For the control socket: a list of conditions. readiness_from_json() returns the same readiness. For JSON that is no
// list of objects it returns no conditions.
nlohmann::json to_json(const core::Readiness& readiness);
core::Readiness readiness_from_json(const nlohmann::json& conditions);

// One line of `status`.
struct StatusLine {
  std::string what;                         // "relays"
  std::string which;                        // "wss://relay.one"
  std::optional<base::Error> error = {};    // FAIL
  std::optional<base::Error> warning = {};  // WARN: it works, and this must be known
  std::optional<std::int64_t> latency_ms = {};
  std::optional<base::TimeMs> observed_at = {};  // nothing: just now
  std::string note = {};                         // what works, in words; for a line without error
};

// Wallet, model server, relays, and what else is wrong; models and disk only if something is.
std::vector<StatusLine> status_lines(const core::Readiness& readiness);

// 0 if no line failed. If something is unreachable, returns the code for that, whatever else failed: a script can wait
// until it is reachable.
ExitCode exit_code_of(const std::vector<StatusLine>& lines);

// The log lines for a change of readiness: what failed, what works again, and whether the provider accepts jobs. Single
// relays are not in them (provider/relay_log.h), only that no relay works.
std::vector<std::string> readiness_changes(const core::Readiness& before, const core::Readiness& now,
                                           ledger::PaymentMode mode);

// What is wrong with this part, for a person. A relay or a model is named. `one` must have an error.
std::string trouble_of(const core::Condition& one);

// Why no jobs are accepted, for a person; empty if they are.
std::string obstacle_words(const core::Readiness& readiness, ledger::PaymentMode mode);

// Why no heartbeat is sent, that is, why customers should send us no requests now. Empty if they may.
std::string heartbeat_obstacle(bool online, const core::Readiness& readiness, ledger::PaymentMode mode);

// The shop in a word or two, for the live line: "online", "NOT READY: wallet", "going offline", "offline".
std::string shop_state(bool online, bool draining, const core::Readiness& readiness, ledger::PaymentMode mode);

}  // namespace cmd
