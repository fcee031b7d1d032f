// Ten thousand customers who take and do not pay: what is given away is bounded by the strangers' pool and by credit.
#include <gtest/gtest.h>

#include <iostream>
#include <random>
#include <unordered_map>

#include "tests/unit/pipeline/core/engine_driver.h"

namespace core {
namespace {

constexpr std::uint32_t kThieves = 10'000;
using base::kHourMs;
constexpr std::int64_t kDays = 7;

enum class Trick {
  never_pays,         // takes the answer and lets the invoice expire
  cancels,            // always, when the answer is there
  pays_then_stops,    // settles for a while, then takes all the credit that this bought
  pays_then_cancels,  // settles for a while, then reads the answer as it grows, and cancels shortly before its end
  count
};

class Thieves {
 public:
  Thieves() : driver_(policy()) { driver_.hold_inference = false; }

  static Policy policy() {
    Policy out = EngineDriver::policy();
    out.slots = 4;
    out.stranger_pool = Msat{100'000};
    out.exposure_limit = Msat{10'000'000};
    out.offers_limit = 100;
    out.queue_limit = 64;
    return out;
  }

  void steal() {
    std::mt19937_64 dice(7);
    const std::int64_t between_ms = kDays * kDayMs / (4 * kThieves);
    for (std::uint32_t round = 0; round < 4 * kThieves; ++round) {
      const std::uint32_t thief = static_cast<std::uint32_t>(dice() % kThieves);
      take(thief, static_cast<Trick>(thief % static_cast<std::uint32_t>(Trick::count)), round);
      driver_.wait(between_ms);
      expire_old();
    }
  }

  // What was made for them and never paid.
  Msat given_away() const {
    Msat sum;
    for (const auto& [id, job] : jobs_) {
      if (job.completion && !paid(job) && !payment_first(job)) sum += amount_used(job);
    }
    return sum;
  }
  // Answers that were read to their end and cancelled.
  int read() const { return read_; }
  Msat settled() const {
    Msat sum;
    for (const auto& [id, job] : jobs_) sum += settled_amount(job);
    return sum;
  }

 private:
  void take(std::uint32_t thief, Trick trick, std::uint32_t number) {
    ledger::JobRequested request = driver_.request();
    request.customer = {};
    for (std::size_t i = 0; i < 4; ++i) request.customer.bytes[i] = static_cast<std::uint8_t>(thief >> (8 * i));
    const JobId id{base::sha256(std::to_string(number)).bytes};
    const bool pays = (trick == Trick::pays_then_stops || trick == Trick::pays_then_cancels) && paid_[thief] < 5;
    const bool reads = trick == Trick::pays_then_cancels && !pays;
    request.stream = reads;
    driver_.hold_inference = reads;
    driver_.give(RequestArrived{id, request, {}});
    catch_up();
    const Job& job = jobs_[id];
    if (reads) cancel_nearly_at_the_end(job);
    if (job.invoices.empty()) return;
    if (trick == Trick::cancels) driver_.give(Cancelled{id, {.by = ledger::CancelledBy::customer}, {}});
    if (pays) {
      ++paid_[thief];
      const auto& invoice = job.invoices.back().issued;
      driver_.give(Settled{id, {.payment_hash = invoice.payment_hash, .received = invoice.amount}});
    } else {
      unpaid_.emplace_back(driver_.now + 960'000, id);
    }
    catch_up();
  }

  // An answer is shown as it grows only to those who may see it before they pay.
  void cancel_nearly_at_the_end(const Job& job) {
    Cancelled cancelled{job.id, {.by = ledger::CancelledBy::customer}, {}};
    if (job.inference_started > 0 && may_stream(job)) {
      cancelled.shown = Answer{.completion = {.attempt = 1, .input_tokens = 18, .output_tokens = 99, .partials = 9}};
      ++read_;
    }
    driver_.give(std::move(cancelled));
    catch_up();
  }

  void expire_old() {
    while (!unpaid_.empty() && unpaid_.front().first <= driver_.now) {
      const JobId id = unpaid_.front().second;
      unpaid_.pop_front();
      driver_.give(NeverPaid{id, {.payment_hash = jobs_[id].invoices.back().issued.payment_hash}});
    }
    catch_up();
  }

  void catch_up() {
    for (; seen_ < driver_.entries.size(); ++seen_) {
      const auto& entry = driver_.entries[seen_];
      if (!entry.job.is_zero()) evolve(jobs_[entry.job], entry.job, entry.time, entry.fact);
    }
  }

  EngineDriver driver_;
  std::size_t seen_ = 0;
  std::unordered_map<JobId, Job, base::FixedBytesHash> jobs_;
  std::unordered_map<std::uint32_t, int> paid_;
  int read_ = 0;
  std::deque<std::pair<TimeMs, JobId>> unpaid_;
};

TEST(Thieves, AreGivenNoMoreThanThePoolAndTheirCredit) {
  Thieves thieves;
  thieves.steal();
  const Policy policy = Thieves::policy();
  const std::int64_t windows = kDays * kDayMs / policy.stranger_window_ms + 1;
  const Msat pool{share_of_class(policy.stranger_pool.value, Standing::paid) * windows};
  const Msat credit = thieves.settled().scaled_up(policy.credit_percent, 100);
  std::cout << kThieves << " thieves in " << kDays << " days: " << thieves.settled().value / 1000 << " sat settled, "
            << thieves.given_away().value / 1000 << " sat given away; the pool allows " << pool.value / 1000
            << ", credit " << credit.value / 1000 << "; " << thieves.read() << " answers read and cancelled\n";
  EXPECT_GT(thieves.read(), 0);
  EXPECT_GT(thieves.given_away(), Msat{});
  EXPECT_LE(thieves.given_away(), pool + credit);
}

// One who pays for a while and then takes all the credit that this bought, again and again.
TEST(Thieves, OneWhoDefaultsOnAllTheirCreditGetsNoneAgain) {
  Policy policy = EngineDriver::policy();
  policy.stranger_pool = Msat{};
  policy.offers_limit = 1'000;
  EngineDriver shop(policy);
  Msat stolen, settled;
  std::uint8_t n = 1;    // 0 is no job
  for (; n < 60; ++n) {  // everything is paid first
    shop.ask(n);
    settled += shop.job(n).invoices.front().issued.amount;
    shop.pay(n);
  }
  for (; n < 250; ++n) {
    const Job job = shop.ask(n);
    if (payment_first(job)) continue;
    stolen += job.invoices.front().issued.amount;
    shop.invoice_never_paid(n);
    shop.wait(12 * kHourMs / 100);
  }
  std::cout << settled.value / 1000 << " sat settled, " << stolen.value / 1000 << " sat taken on credit\n";
  EXPECT_GT(stolen, Msat{});
  EXPECT_LE(stolen, settled.scaled_up(policy.credit_percent, 100));
}

}  // namespace
}  // namespace core
