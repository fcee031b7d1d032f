#include "pipeline/core/shop.h"

#include <algorithm>

#include "base/check.h"
#include "pipeline/core/canary.h"
#include "pipeline/core/rules.h"

namespace core {
namespace {

std::optional<TimeMs> offered_at(const Job& job) {
  if (state(job) != State::awaiting_payment) return std::nullopt;
  return job.quoted_at;
}

}  // namespace

std::optional<CreditDay> credit_change(const Accounts& before, const Accounts& after, TimeMs time) {
  const CreditDay change{.day = time.ms / kDayMs,
                         .settled = after.settled - before.settled,
                         .settled_first = after.settled_first - before.settled_first,
                         .unpaid = after.unpaid - before.unpaid,
                         .defaults = (after.unpaid > Msat{}) - (before.unpaid > Msat{})};
  if (change == CreditDay{.day = change.day}) return std::nullopt;
  return change;
}

Accounts accounts_of(const Job& job) {
  const bool from_pool = job.quote && !payment_first(job) && !within_credit(job.quote->basis, job.quote->price);
  return {.exposure = std::max(Msat{}, exposure(job)),  // a damaged ledger may have prices below zero
          .settled = earned(job),
          .settled_first = payment_first(job) ? earned(job) : Msat{},
          .unpaid = canary(Canary::defaults_forgotten) ? Msat{} : unpaid_by_default(job),
          .stranger_quote = from_pool ? job.quote->price : Msat{},
          .told = job.declined && job.declined->told,
          .offered_at = offered_at(job),
          .standing = job.quote && job.request ? standing_of(job.quote->basis, job.request->pow_bits) : Standing::fresh,
          .unfinished = job.request && is_unfinished(state(job))};
}

Accounts while_open(const Job& job) {
  const Accounts all = accounts_of(job);
  return {
      .exposure = all.exposure, .offered_at = all.offered_at, .standing = all.standing, .unfinished = all.unfinished};
}

void Shop::account(const Job& job, TimeMs time, const Accounts& before, const Accounts& after) {
  CHECK(job.request);
  const PublicKey& customer = job.request->customer;
  if (after.exposure != before.exposure) {
    Customer& owes = customers[customer];
    owes.exposure += after.exposure - before.exposure;
    total_exposure += after.exposure - before.exposure;
    CHECK(owes.exposure >= Msat{} && owes.exposure <= total_exposure, owes.exposure, total_exposure);
    drop_if_empty(customer);
  }
  if (after.unfinished != before.unfinished) {
    CHECK(after.unfinished || unfinished > 0);
    after.unfinished ? ++unfinished : --unfinished;
  }
  if (const auto change = credit_change(before, after, time)) change_credit(customer, *change);
  if (after.offered_at != before.offered_at) {
    if (before.offered_at) offers.erase({*before.offered_at, job.id});
    if (after.offered_at) offers.emplace(std::pair(*after.offered_at, job.id), Offer{customer, after.standing});
  }
  if (after.stranger_quote != before.stranger_quote) stranger_quotes.emplace_back(time, after.stranger_quote);
  if (after.told && !before.told) told_notices.emplace_back(time, customer);
}

void Shop::change_credit(const PublicKey& customer, const CreditDay& change) {
  auto& days = customers[customer].days;
  if (days.empty() || days.back().day != change.day) credit_days.emplace_back(change.day, customer);
  book(days, change);
}

void Shop::enter_queue(const PublicKey& customer, Standing standing) {
  ++queued;
  if (standing != Standing::paid) ++queued_strangers;
  ++queued_of[customer];
}

void Shop::leave_queue(const PublicKey& customer, Standing standing) {
  const auto waiting = queued_of.find(customer);
  CHECK(queued > 0 && waiting != queued_of.end() && waiting->second > 0, queued);
  --queued;
  if (--waiting->second == 0) queued_of.erase(waiting);
  if (standing == Standing::paid) return;
  CHECK(queued_strangers > 0, queued);
  --queued_strangers;
}

void Shop::drop_if_empty(const PublicKey& customer) {
  const auto it = customers.find(customer);
  CHECK(it != customers.end());
  if (it->second.exposure == Msat{} && it->second.days.empty()) customers.erase(it);
}

void Shop::forget(const Policy& policy, TimeMs now) {
  while (!credit_days.empty() && !counts_as_credit(credit_days.front().first, policy, now)) {
    const auto [day, customer] = credit_days.front();
    credit_days.pop_front();
    auto& days = customers.at(customer).days;
    CHECK(!days.empty() && days.front().day == day, days.size(), day);  // both lists are in the same order
    days.erase(days.begin());
    drop_if_empty(customer);
  }
  while (!stranger_quotes.empty() && now - stranger_quotes.front().first >= policy.stranger_window_ms) {
    stranger_quotes.pop_front();
  }
  while (!offers.empty() && now - offers.begin()->first.first >= kOfferPlaceMs) offers.erase(offers.begin());
  while (!told_notices.empty() && now - told_notices.front().first >= kNoticeWindowMs) told_notices.pop_front();
}

bool is_stranger(const Shop& shop, const Policy& policy, const PublicKey& customer, TimeMs now) {
  const auto it = shop.customers.find(customer);
  return it == shop.customers.end() || credit_of(it->second.days, policy, now).settled <= Msat{};
}

std::uint32_t work_asked(const Shop& shop, const Policy& policy) {
  return std::max(policy.stranger_pow_bits, shop.draw.work_bits);
}

Standing standing_of(const ledger::Basis& basis, std::uint32_t pow_bits) {
  if (!basis.stranger) return Standing::paid;
  return basis.work_asked > 0 && pow_bits >= basis.work_asked ? Standing::worked : Standing::fresh;
}

Standing standing_of(const Job& job) {
  if (!job.quote || !job.request) return Standing::fresh;
  const bool pays_first = payment_first(job) && job.quote->price > Msat{};
  return pays_first ? Standing::paid : standing_of(job.quote->basis, job.request->pow_bits);
}

namespace {

void count_offers(ledger::Basis& out, const Shop& shop, const PublicKey& customer, TimeMs now) {
  for (const auto& [place, offer] : shop.offers) {
    if (now - place.first >= kOfferPlaceMs) continue;
    ++out.open_offers;
    if (offer.standing != Standing::paid) ++out.offers_of_strangers;
    if (offer.customer == customer) ++out.offers_of_customer;
  }
}

void count_notices(ledger::Basis& out, const Shop& shop, const PublicKey& customer, TimeMs now) {
  for (const auto& [time, told] : shop.told_notices) {
    if (now - time >= kNoticeWindowMs) continue;
    ++out.notices_to_all;
    if (told == customer) ++out.notices_to_customer;
  }
}

// Returns how much of the strangers' pool is left for this customer, who owes `owed` of it. A customer who owes nothing
// may have one job, even if its price exceeds one key's share.
Msat pool_left(const Shop& shop, const Policy& policy, Standing standing, Msat owed, TimeMs now) {
  Msat used;
  for (const auto& [time, amount] : shop.stranger_quotes) {
    if (now - time < policy.stranger_window_ms) used += amount;
  }
  const Msat of_class = Msat{share_of_class(policy.stranger_pool.value, standing)} - used;
  const Msat of_key = Msat{share_of_key(policy.stranger_pool.value, standing)} - owed;
  return std::max(Msat{}, owed == Msat{} ? of_class : std::min(of_class, of_key));
}

}  // namespace

Msat stranger_pool_left(const Shop& shop, const Policy& policy, TimeMs now) {
  return pool_left(shop, policy, Standing::fresh, {}, now);
}

ledger::Basis basis(const Shop& shop, const Policy& policy, const PublicKey& customer, TimeMs now,
                    std::uint32_t pow_bits) {
  Credit credit;
  Msat customer_exposure;
  if (const auto it = shop.customers.find(customer); it != shop.customers.end()) {
    customer_exposure = it->second.exposure;
    credit = credit_of(it->second.days, policy, now);
  }
  const auto waiting = shop.queued_of.find(customer);
  ledger::Basis out{.slots = policy.slots,
                    .slots_busy = shop.slots_busy,
                    .queued = shop.queued,
                    .stranger = credit.settled <= Msat{},
                    .customer_exposure = customer_exposure,
                    .customer_credit = credit.limit,
                    .total_exposure = shop.total_exposure,
                    .inference_healthy = shop.inference_healthy,
                    .wallet_healthy = shop.wallet_healthy,
                    .customer_settled = credit.settled,
                    .customer_unpaid = credit.unpaid,
                    .credit_ended = credit.ended,
                    .queued_of_customer = waiting == shop.queued_of.end() ? 0 : waiting->second,
                    .queued_of_strangers = shop.queued_strangers,
                    .work_asked = work_asked(shop, policy),
                    .drawn = is_drawn(shop.draw, customer)};
  out.stranger_pool_left =
      pool_left(shop, policy, standing_of(out, pow_bits), std::max(Msat{}, customer_exposure - credit.limit), now);
  count_offers(out, shop, customer, now);
  count_notices(out, shop, customer, now);
  return out;
}

}  // namespace core
