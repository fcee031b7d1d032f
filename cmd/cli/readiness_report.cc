#include "cmd/cli/readiness_report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/check.h"

namespace cmd {

using base::Error;
using base::ErrorKind;
using core::Condition;
using core::Readiness;
using ledger::ReadinessPart;
using nlohmann::json;

namespace {

constexpr ErrorKind kKinds[] = {ErrorKind::config,         ErrorKind::connection, ErrorKind::job_request,
                                ErrorKind::job_processing, ErrorKind::payment,    ErrorKind::invocation};

json to_json(const std::optional<Error>& error) {
  if (!error) return nullptr;
  return {{"kind", base::name(error->kind)},
          {"code", error->code},
          {"message", error->message},
          {"context", error->context},
          {"hint", error->hint}};
}

std::optional<Error> error_at(const json& object, const char* key) {
  const json& found = object.value(key, json());
  if (!found.is_object()) return std::nullopt;
  Error out{.code = found.value("code", ""),
            .message = found.value("message", ""),
            .context = found.value("context", ""),
            .hint = found.value("hint", "")};
  for (const ErrorKind kind : kKinds) {
    if (base::name(kind) == found.value("kind", "")) out.kind = kind;
  }
  return out;
}

Condition condition_from(const json& one) {
  Condition out{.part = ledger::enum_named<ReadinessPart>(one.value("part", "")).value_or(ReadinessPart::unspecified),
                .seen = {.which = one.value("which", ""),
                         .error = error_at(one, "error"),
                         .warning = error_at(one, "warning"),
                         .note = one.value("note", "")},
                .stops_escrow = one.value("stops_escrow", false),
                .stops_all = one.value("stops_all", false)};
  if (const json latency = one.value("latency_ms", json()); latency.is_number()) {
    out.seen.latency_ms = latency.get<std::int64_t>();
  }
  if (const json at = one.value("observed_at_ms", json()); at.is_number()) {
    out.seen.observed_at = base::TimeMs{at.get<std::int64_t>()};
  }
  return out;
}

const Condition* find(const Readiness& in, const Condition& like) {
  const auto found = std::ranges::find_if(
      in.conditions, [&](const Condition& one) { return one.part == like.part && one.seen.which == like.seen.which; });
  return found == in.conditions.end() ? nullptr : &*found;
}

bool same_error(const Condition* a, const Condition& b) {
  return a && a->seen.error && a->seen.error->code == b.seen.error->code && a->stops_all == b.stops_all;
}

constexpr char kNoRelay[] = "none of our relays is connected";

std::string name_of(const Condition& one) {
  if (one.part == ReadinessPart::relays) return one.seen.which;
  const std::string part(ledger::name(one.part));
  return one.seen.which.empty() ? part : part + " " + one.seen.which;
}

const Condition* dead_relays(const Readiness& readiness) {
  const auto found = std::ranges::find_if(
      readiness.conditions, [](const Condition& one) { return one.part == ReadinessPart::relays && one.stops_all; });
  return found == readiness.conditions.end() ? nullptr : &*found;
}

}  // namespace

json to_json(const Readiness& readiness) {
  json out = json::array();
  for (const Condition& one : readiness.conditions) {
    json latency;
    if (one.seen.latency_ms) latency = *one.seen.latency_ms;
    json observed_at_ms;
    if (one.seen.observed_at) observed_at_ms = one.seen.observed_at->ms;
    out.push_back({{"part", ledger::name(one.part)},
                   {"which", one.seen.which},
                   {"error", to_json(one.seen.error)},
                   {"warning", to_json(one.seen.warning)},
                   {"note", one.seen.note},
                   {"latency_ms", std::move(latency)},
                   {"observed_at_ms", std::move(observed_at_ms)},
                   {"stops_all", one.stops_all},
                   {"stops_escrow", one.stops_escrow}});
  }
  return out;
}

Readiness readiness_from_json(const json& conditions) {
  Readiness out;
  if (!conditions.is_array()) return out;
  try {
    for (const json& one : conditions) {
      if (one.is_object()) out.conditions.push_back(condition_from(one));
    }
  } catch (const json::exception&) {  // a member of another type
    return {};
  }
  return out;
}

// The server's line lists its models.
std::vector<StatusLine> status_lines(const Readiness& readiness) {
  std::vector<StatusLine> out;
  for (const Condition& one : readiness.conditions) {
    const bool is_model = one.part == ReadinessPart::inference && !out.empty() && out.back().what == "inference";
    const bool only_if_wrong = is_model || one.part == ReadinessPart::disk;
    if (only_if_wrong && !one.seen.error && !one.seen.warning) continue;
    out.push_back({.what = std::string(ledger::name(one.part)),
                   .which = one.seen.which,
                   .error = one.seen.error,
                   .warning = one.seen.warning,
                   .latency_ms = one.seen.latency_ms,
                   .observed_at = one.seen.observed_at,
                   .note = one.seen.note});
  }
  return out;
}

ExitCode exit_code_of(const std::vector<StatusLine>& lines) {
  ExitCode code = ExitCode::done;
  for (const StatusLine& line : lines) {
    if (!line.error) continue;
    const ExitCode its = exit_code_of(*line.error);
    if (its == ExitCode::unreachable) return its;
    if (code == ExitCode::done) code = its;
  }
  return code;
}

std::vector<std::string> readiness_changes(const Readiness& before, const Readiness& now, ledger::PaymentMode mode) {
  std::vector<std::string> out;
  for (const Condition& one : now.conditions) {
    if (one.part == ReadinessPart::relays || !one.seen.error || same_error(find(before, one), one)) continue;
    out.push_back((one.stops_all ? "no jobs are accepted: " : "") + trouble_of(one));
  }
  for (const Condition& one : now.conditions) {
    if (one.part == ReadinessPart::relays || !one.seen.warning) continue;
    const Condition* same = find(before, one);
    if (!same || !same->seen.warning) out.push_back(one.seen.warning->describe());
  }
  if (dead_relays(now) && !dead_relays(before)) out.push_back("no jobs can come: " + std::string(kNoRelay));
  for (const Condition& one : before.conditions) {
    if (one.part == ReadinessPart::relays || !one.seen.error) continue;
    const Condition* same = find(now, one);
    if (!same || !same->seen.error) out.push_back(name_of(one) + " works again");
  }
  if (!before.ready(mode) && now.ready(mode)) out.emplace_back("jobs are accepted again");
  return out;
}

std::string trouble_of(const Condition& one) {
  CHECK(one.seen.error);
  const bool is_the_whole_part = one.stops_all && one.part != ReadinessPart::relays;
  return (is_the_whole_part ? "" : name_of(one) + ": ") + one.seen.error->describe();
}

std::string obstacle_words(const Readiness& readiness, ledger::PaymentMode mode) {
  const Condition* obstacle = readiness.obstacle(mode);
  if (!obstacle) return "";
  return obstacle->part == ReadinessPart::relays ? kNoRelay : obstacle->seen.error->message;
}

std::string heartbeat_obstacle(bool online, const Readiness& readiness, ledger::PaymentMode mode) {
  if (!online) return "we take no jobs now";
  return obstacle_words(readiness, mode);
}

std::string shop_state(bool online, bool draining, const Readiness& readiness, ledger::PaymentMode mode) {
  if (!online) return "offline";
  if (draining) return "going offline";
  const Condition* obstacle = readiness.obstacle(mode);
  return obstacle ? "NOT READY: " + std::string(ledger::name(obstacle->part)) : "online";
}

}  // namespace cmd
