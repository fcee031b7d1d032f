#include "replay/recovery.h"

#include <algorithm>

#include "replay/jobs_view.h"

namespace replay {

using base::Result;
using base::TimeMs;

namespace {

// When the job was quoted or, if its customer was told, declined; nothing otherwise: no limit counts it.
Result<std::optional<TimeMs>> decided_at(const ledger::Reader& reader, const core::Job& job) {
  if (job.quote) return job.quoted_at;
  if (!job.declined || !job.declined->told) return std::optional<TimeMs>();
  const auto positions = positions_of(reader, job.id);
  if (!positions) return tl::unexpected(positions.error());
  for (const base::Seq seq : *positions) {
    const auto entry = reader.entry(seq);
    if (!entry) return tl::unexpected(entry.error());
    if (std::holds_alternative<ledger::JobDeclined>(entry->fact)) return entry->header.time;
  }
  return std::optional<TimeMs>();
}

// Of the jobs that were requested since then.
Result<std::vector<std::pair<TimeMs, core::Job>>> decisions_since(const ledger::Reader& reader, TimeMs since) {
  std::vector<std::pair<TimeMs, core::Job>> out;
  auto jobs = list_jobs(reader, {.since = since, .limit = SIZE_MAX});
  if (!jobs) return tl::unexpected(jobs.error());
  for (core::Job& job : *jobs) {
    const auto time = decided_at(reader, job);
    if (!time) return tl::unexpected(time.error());
    if (*time) out.emplace_back(**time, std::move(job));
  }
  std::ranges::sort(out, {}, [](const auto& one) { return std::pair(one.first, one.second.id); });
  return out;
}

}  // namespace

Result<core::Recovery> recover(const ledger::Reader& reader, TimeMs now, const core::Policy& next) {
  core::Recovery out;
  const auto state = reader.state();
  if (!state) return tl::unexpected(state.error());
  out.time = state->time;

  auto policy = policy_in_force(reader);
  if (!policy) return tl::unexpected(policy.error());
  out.policy = std::move(*policy);

  const auto rollback = accepted_rollback(reader);
  if (!rollback) return tl::unexpected(rollback.error());
  if (*rollback) out.rollback_accepted_at = (*rollback)->at;

  auto open = open_jobs(reader);
  if (!open) return tl::unexpected(open.error());
  out.open_jobs = std::move(*open);

  if (!out.policy) return out;
  const std::int64_t window_ms =
      std::max({out.policy->stranger_window_ms, next.stranger_window_ms, core::kNoticeWindowMs});
  // A request may wait for its inputs before it is decided, but hardly for longer than it may be old.
  auto decisions = decisions_since(reader, now - window_ms - out.policy->request_age_limit_ms);
  if (!decisions) return tl::unexpected(decisions.error());
  out.decisions = std::move(*decisions);

  const std::int64_t credit_window_ms = std::max(out.policy->credit_window_ms, next.credit_window_ms);
  const std::int64_t first_day = (now.ms - credit_window_ms) / core::kDayMs;
  const auto read = for_each_customer(reader, [&](const base::PublicKey& customer, const CustomerRow& row) {
    for (const core::CreditDay& day : row.days) {
      if (day.day >= first_day) out.credit.emplace_back(customer, day);
    }
  });
  if (!read) return tl::unexpected(read.error());
  std::ranges::sort(out.credit, {}, [](const auto& one) { return std::pair(one.second.day, one.first); });
  return out;
}

}  // namespace replay
