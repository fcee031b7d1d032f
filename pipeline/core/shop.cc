#include "pipeline/core/shop.h"

#include <algorithm>

#include "pipeline/core/rules.h"

namespace core {
namespace {

bool counts_as_credit(std::int64_t day, const Policy& policy, TimeMs now) {
  return (day + 1) * kDayMs > now.ms - policy.credit_window_ms;
}

}  // namespace

Accounts accounts_of(const Job& job) {
  const bool from_pool = job.quote && !payment_first(job) && !within_credit(job.quote->basis, job.quote->price);
  return {.exposure = exposure(job),
          .settled = earned(job),
          .stranger_quote = from_pool ? job.quote->price : Msat{},
          .told = job.declined && job.declined->told,
          .open_offer = state(job) == State::awaiting_payment};
}

void Shop::account(const PublicKey& customer, TimeMs time, const Accounts& before, const Accounts& after) {
  if (after.exposure != before.exposure) {
    customers[customer].exposure += after.exposure - before.exposure;
    total_exposure += after.exposure - before.exposure;
    drop_if_empty(customer);
  }
  if (after.settled != before.settled) settle(customer, {time.ms / kDayMs, after.settled - before.settled});
  if (after.open_offer != before.open_offer) open_offers += after.open_offer ? 1u : -1u;
  if (after.stranger_quote != before.stranger_quote) stranger_quotes.emplace_back(time, after.stranger_quote);
  if (after.told && !before.told) told_notices.emplace_back(time, customer);
}

void Shop::settle(const PublicKey& customer, const SettledDay& settled) {
  auto& days = customers[customer].settled;
  if (days.empty() || days.back().day != settled.day) {
    days.push_back({settled.day, {}});
    settled_days.emplace_back(settled.day, customer);
  }
  days.back().amount += settled.amount;
}

void Shop::drop_if_empty(const PublicKey& customer) {
  const auto it = customers.find(customer);
  if (it->second.exposure == Msat{} && it->second.settled.empty()) customers.erase(it);
}

void Shop::forget(const Policy& policy, TimeMs now) {
  while (!settled_days.empty() && !counts_as_credit(settled_days.front().first, policy, now)) {
    const PublicKey customer = settled_days.front().second;
    settled_days.pop_front();
    auto& days = customers.at(customer).settled;
    days.erase(days.begin());
    drop_if_empty(customer);
  }
  while (!stranger_quotes.empty() && now - stranger_quotes.front().first >= policy.stranger_window_ms) {
    stranger_quotes.pop_front();
  }
  while (!told_notices.empty() && now - told_notices.front().first >= kNoticeWindowMs) told_notices.pop_front();
}

ledger::Basis basis(const Shop& shop, const Policy& policy, const PublicKey& customer, TimeMs now) {
  Msat settled_lately;
  Msat customer_exposure;
  if (const auto it = shop.customers.find(customer); it != shop.customers.end()) {
    customer_exposure = it->second.exposure;
    for (const SettledDay& day : it->second.settled) {
      if (counts_as_credit(day.day, policy, now)) settled_lately += day.amount;
    }
  }
  Msat pool_used;
  for (const auto& [time, amount] : shop.stranger_quotes) {
    if (now - time < policy.stranger_window_ms) pool_used += amount;
  }
  ledger::Basis out{.slots = policy.slots,
                    .slots_busy = shop.slots_busy,
                    .queued = shop.queued,
                    .stranger = settled_lately == Msat{},
                    .customer_exposure = customer_exposure,
                    .customer_credit = settled_lately.scaled_up(policy.credit_percent, 100),
                    .stranger_pool_left = std::max(Msat{}, policy.stranger_pool - pool_used),
                    .total_exposure = shop.total_exposure,
                    .inference_healthy = shop.inference_healthy,
                    .wallet_healthy = shop.wallet_healthy,
                    .open_offers = shop.open_offers};
  for (const auto& [time, told] : shop.told_notices) {
    if (now - time >= kNoticeWindowMs) continue;
    ++out.notices_to_all;
    if (told == customer) ++out.notices_to_customer;
  }
  return out;
}

}  // namespace core
