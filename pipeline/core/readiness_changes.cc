#include "pipeline/core/readiness_changes.h"

namespace core {

void ReadinessChanges::start_anew() {
  for (auto& [part, one] : parts_) one = {.recorded = {}, .observed = {}, .recorded_at = one.recorded_at};
}

void ReadinessChanges::observe(const std::vector<PartReadiness>& parts) {
  for (const PartReadiness& one : parts) parts_[one.part].observed = one.code;
}

std::vector<ledger::ReadinessChanged> ReadinessChanges::take_due(TimeMs now) {
  std::vector<ledger::ReadinessChanged> out;
  for (auto& [part, one] : parts_) {
    const bool too_soon = one.recorded_at && now - *one.recorded_at < kReadinessFactIntervalMs;
    if (one.observed == one.recorded || too_soon) continue;
    out.push_back({.part = part, .ready = one.observed.empty(), .code = one.observed});
    one.recorded = one.observed;
    one.recorded_at = now;
  }
  return out;
}

}  // namespace core
