#include "pipeline/core/readiness.h"

#include <algorithm>

namespace core {

using base::Error;
using base::ErrorKind;

namespace {

bool stops(const Condition& condition, PaymentMode mode) {
  return condition.stops_all || (mode == PaymentMode::escrow && condition.stops_escrow);
}

bool works(const Observation& one) {
  return !one.error;
}

Condition judge_wallet(Observation seen) {
  const bool escrow_only = seen.error && seen.error->code == "config.escrow";
  const bool fails = seen.error.has_value();
  return {ReadinessPart::wallet, std::move(seen), escrow_only, fails && !escrow_only};
}

// None of these works: then nothing does. Else only the one that fails is not served.
void judge_each(ReadinessPart part, std::vector<Observation> all, Readiness& out) {
  const bool none_works = std::ranges::none_of(all, works);
  for (Observation& one : all) out.conditions.push_back({part, std::move(one), false, none_works});
}

Condition judge_disk(const Observations& seen) {
  Condition out{.part = ReadinessPart::disk};
  if (!seen.disk_low) return out;
  out.seen.error =
      Error{ErrorKind::invocation,
            "disk.low",
            "less than " + std::to_string(kLowDiskBytes >> 20) + " MiB of disk space are free: new requests wait",
            {},
            "make space in the data folder's file system, or remove old texts with `sellcompute ledger prune`"};
  out.stops_all = true;
  return out;
}

// Ages of requests are measured by this machine's clock, so a ledger ahead of it stops nothing.
std::optional<Condition> judge_clock(const Observations& seen) {
  const std::int64_t ahead_ms = seen.ledger_time - seen.clock;
  if (ahead_ms <= kClockToleranceMs) return std::nullopt;
  Condition out{.part = ReadinessPart::clock};
  out.seen.warning = Error{ErrorKind::invocation,
                           "ledger.in_future",
                           "the ledger ends in the future: its last entry is " +
                               std::to_string(ahead_ms / base::kMinuteMs) + " minutes ahead of this machine's clock",
                           {},
                           "set the clock; until then new entries bear the time of the last one"};
  return out;
}

std::optional<Condition> judge_rollback(const Observations& seen) {
  if (seen.rollback_checked) return std::nullopt;
  Condition out{.part = ReadinessPart::rollback};
  out.seen.warning =
      Error{ErrorKind::connection,
            "rollback.unchecked",
            "rollback not checked: none of our relays has answered yet; it is checked as soon as one does",
            {},
            {}};
  return out;
}

}  // namespace

Readiness judge(Observations seen) {
  Readiness out;
  out.conditions.push_back(judge_wallet(std::move(seen.wallet)));
  const bool answers = works(seen.backend);
  out.conditions.push_back({ReadinessPart::inference, std::move(seen.backend), false, !answers});
  if (answers) judge_each(ReadinessPart::inference, std::move(seen.models), out);
  judge_each(ReadinessPart::relays, std::move(seen.relays), out);
  out.conditions.push_back(judge_disk(seen));
  if (auto clock = judge_clock(seen)) out.conditions.push_back(std::move(*clock));
  if (auto rollback = judge_rollback(seen)) out.conditions.push_back(std::move(*rollback));
  return out;
}

const Condition* Readiness::obstacle(PaymentMode mode) const {
  const auto found = std::ranges::find_if(conditions, [&](const Condition& one) { return stops(one, mode); });
  return found == conditions.end() ? nullptr : &*found;
}

std::vector<PartReadiness> Readiness::parts(PaymentMode mode) const {
  std::vector<PartReadiness> out;
  for (const Condition& one : conditions) {
    if (out.empty() || out.back().part != one.part) out.push_back({one.part, {}});
    const auto& error = one.seen.error;
    if (error && out.back().ready() && stops(one, mode)) out.back().code = error->code;
  }
  return out;
}

std::set<std::string> Readiness::failing_models() const {
  std::set<std::string> out;
  for (const Condition& one : conditions) {
    if (one.part == ReadinessPart::inference && one.seen.error && !one.stops_all) out.insert(one.seen.which);
  }
  return out;
}

}  // namespace core
