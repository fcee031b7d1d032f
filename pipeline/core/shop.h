// The shop: what jobs share. Money at risk and customers' credit are folded from jobs; health and slots are told from
// outside.
#pragma once

#include <deque>
#include <map>
#include <set>
#include <unordered_map>

#include "pipeline/core/credit.h"
#include "pipeline/core/shares.h"

namespace core {

// What one job contributes to the shop's books. Compared before and after a fact, it gives the change.
struct Accounts {
  Msat exposure;
  Msat settled;         // less what is owed back
  Msat settled_first;   // of it, paid before anything was done
  Msat unpaid;          // delivered, and never paid according to the wallet
  Msat stranger_quote;  // price quoted result-first that exceeds the customer's own credit
  bool told = false;    // an error notice was granted
  // Since when it waits for its payment.
  std::optional<TimeMs> offered_at;
  Standing standing = Standing::fresh;
  bool unfinished = false;
};
Accounts accounts_of(const Job& job);
// The part of these that counts only while the job is open: its exposure, its offer, and whether it is unfinished.
Accounts while_open(const Job& job);

// What a fact at this time changed, or nothing.
std::optional<CreditDay> credit_change(const Accounts& before, const Accounts& after, TimeMs time);

inline constexpr std::int64_t kNoticeWindowMs = base::kHourMs;  // error notices are limited per hour

struct Customer {
  Msat exposure;
  std::vector<CreditDay> days;  // ascending by day
  bool operator==(const Customer&) const = default;
};

// An offer that waits for its payment.
struct Offer {
  PublicKey customer;
  Standing standing = Standing::fresh;
  bool operator==(const Offer&) const = default;
};
// An offer holds a place for so long; its invoice stays payable after that, and is honoured.
inline constexpr std::int64_t kOfferPlaceMs = 60'000;

struct Shop {
  // Folded from facts.
  std::unordered_map<PublicKey, Customer, base::FixedBytesHash> customers;
  Msat total_exposure;
  std::size_t unfinished = 0;                                  // jobs (is_unfinished())
  std::map<std::pair<TimeMs, JobId>, Offer> offers;            // that hold a place; older ones until forget()
  std::deque<std::pair<std::int64_t, PublicKey>> credit_days;  // whose credit changed on which day, oldest first
  std::deque<std::pair<TimeMs, Msat>> stranger_quotes;         // oldest first
  std::deque<std::pair<TimeMs, PublicKey>> told_notices;       // oldest first
  // By the machine's clock; zero: never. Requests from before this time may already have been served by the lost part
  // of the ledger.
  TimeMs rollback_accepted_at;

  // Told from outside; volatile.
  bool inference_healthy = true;
  bool wallet_healthy = true;
  std::set<std::string> failing_models;  // offered, and missing or failing now
  std::uint32_t slots_busy = 0;
  std::uint32_t queued = 0;
  std::uint32_t queued_strangers = 0;
  std::unordered_map<PublicKey, std::uint32_t, base::FixedBytesHash> queued_of;  // those who wait
  Draw draw;

  // Books the change that a fact made to one job.
  void account(const Job& job, TimeMs time, const Accounts& before, const Accounts& after);
  // A job begins to wait for a slot, or stops waiting.
  void enter_queue(const PublicKey& customer, Standing standing);
  void leave_queue(const PublicKey& customer, Standing standing);
  // Books a change of a customer's credit on a day, which is not before any day booked so far.
  void change_credit(const PublicKey& customer, const CreditDay& change);
  // Forgets what has left its window under this policy, so that memory is bounded by what happened lately. Decisions do
  // not change by it: they count only what is within the windows.
  void forget(const Policy& policy, TimeMs now);

 private:
  void drop_if_empty(const PublicKey& customer);
};

// Has settled nothing lately.
bool is_stranger(const Shop& shop, const Policy& policy, const PublicKey& customer, TimeMs now);
// The bits of work that a request of a fresh key must bear if the key is not drawn.
std::uint32_t work_asked(const Shop& shop, const Policy& policy);
// The standing of a customer whose request carries so much work.
Standing standing_of(const ledger::Basis& basis, std::uint32_t pow_bits);
// The standing of a quoted job. A customer who pays first counts as `paid`, because the job runs only after the
// payment.
Standing standing_of(const Job& job);

// What a customer without standing may be served for before they pay (selling.stranger_pool). Where it is less than a
// price, the customer has to pay first.
Msat stranger_pool_left(const Shop& shop, const Policy& policy, TimeMs now);

// The part of the shop's state that a decision about this customer, who asks with so much work, uses.
ledger::Basis basis(const Shop& shop, const Policy& policy, const PublicKey& customer, TimeMs now,
                    std::uint32_t pow_bits = 0);

}  // namespace core
