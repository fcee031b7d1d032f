#include "replay/recovery.h"

#include <algorithm>

#include "replay/jobs_view.h"

namespace replay {

using base::Result;
using base::TimeMs;

Result<core::Recovery> recover(const ledger::Reader& reader, TimeMs now, const core::Policy& next) {
  core::Recovery out;
  const auto state = reader.state();
  if (!state) return tl::unexpected(state.error());
  out.time = state->time;

  auto policy = policy_in_force(reader);
  if (!policy) return tl::unexpected(policy.error());
  out.policy = std::move(*policy);

  auto open = open_jobs(reader);
  if (!open) return tl::unexpected(open.error());
  out.open_jobs = std::move(*open);

  if (!out.policy) return out;
  const std::int64_t window_ms =
      std::max({out.policy->stranger_window_ms, next.stranger_window_ms, core::kNoticeWindowMs});
  auto recent = list_jobs(reader, {.since = now - window_ms, .limit = SIZE_MAX});
  if (!recent) return tl::unexpected(recent.error());
  out.recent_jobs = std::move(*recent);
  std::ranges::reverse(out.recent_jobs);  // oldest first, as they happened

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
