#include "replay/recovery.h"

#include <algorithm>

#include "replay/customers_view.h"
#include "replay/jobs_view.h"

namespace replay {

using ledger::Result;
using ledger::TimeMs;

Result<core::Recovery> recover(const ledger::Reader& reader, TimeMs now) {
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
  const std::int64_t longest_window_ms = std::max(out.policy->stranger_window_ms, core::kNoticeWindowMs);
  auto recent = list_jobs(reader, {.since = now - longest_window_ms, .limit = SIZE_MAX});
  if (!recent) return tl::unexpected(recent.error());
  out.recent_jobs = std::move(*recent);
  std::ranges::reverse(out.recent_jobs);  // oldest first, as they happened

  const std::int64_t first_day = (now.ms - out.policy->credit_window_ms) / core::kDayMs;
  const auto read = for_each_customer(reader, [&](const ledger::PublicKey& customer, const CustomerRow& row) {
    std::vector<core::SettledDay> days;
    std::ranges::copy_if(row.settled, std::back_inserter(days), [&](const auto& day) { return day.day >= first_day; });
    if (!days.empty()) out.settled.emplace_back(customer, std::move(days));
  });
  if (!read) return tl::unexpected(read.error());
  return out;
}

}  // namespace replay
