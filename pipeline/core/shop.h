// The shop: what jobs share. Money at risk and customers' credit are folded from jobs; health and slots are told from
// outside.
#pragma once

#include <deque>
#include <unordered_map>

#include "pipeline/core/job.h"

namespace core {

using Policy = ledger::ProviderConfigured;

// What one job contributes to the shop's books. Compared before and after a fact, it gives the change.
struct Accounts {
  Msat exposure;
  Msat settled;
  Msat stranger_quote;      // quoted, result first, beyond the customer's own credit
  bool told = false;        // an error notice was granted
  bool open_offer = false;  // waits for its payment
};
Accounts accounts_of(const Job& job);

// What a customer settled on one UTC day.
struct SettledDay {
  std::int64_t day = 0;  // days since 1970-01-01
  Msat amount;
  static constexpr auto fields() {
    return std::tuple{field(1, "day", &SettledDay::day), field(2, "amount_msat", &SettledDay::amount)};
  }
  bool operator==(const SettledDay&) const = default;
};
inline constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
inline constexpr std::int64_t kNoticeWindowMs = 3600LL * 1000;  // error notices are limited per hour

struct Customer {
  Msat exposure;
  std::vector<SettledDay> settled;  // ascending by day
  bool operator==(const Customer&) const = default;
};

struct Shop {
  // Folded from facts.
  std::unordered_map<PublicKey, Customer, base::FixedBytesHash> customers;
  Msat total_exposure;
  std::uint32_t open_offers = 0;
  std::deque<std::pair<std::int64_t, PublicKey>> settled_days;  // who settled on which day, oldest first
  std::deque<std::pair<TimeMs, Msat>> stranger_quotes;          // oldest first
  std::deque<std::pair<TimeMs, PublicKey>> told_notices;        // oldest first

  // Told from outside; volatile.
  bool inference_healthy = true;
  bool wallet_healthy = true;
  std::uint32_t slots_busy = 0;
  std::uint32_t queued = 0;

  // Books the change that a fact made to one job.
  void account(const PublicKey& customer, TimeMs time, const Accounts& before, const Accounts& after);
  // Books what a customer settled on a day, which is not before any day booked so far.
  void settle(const PublicKey& customer, const SettledDay& settled);
  // Forgets what has left its window under this policy, so that memory is bounded by what happened lately. Decisions do
  // not change by it: they count only what is within the windows.
  void forget(const Policy& policy, TimeMs now);

 private:
  void drop_if_empty(const PublicKey& customer);
};

// The part of the shop's state that a decision about this customer uses.
ledger::Basis basis(const Shop& shop, const Policy& policy, const PublicKey& customer, TimeMs now);

}  // namespace core
