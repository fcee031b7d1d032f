#include <random>

#include "ledger/views.h"
#include "replay/earnings_report.h"
#include "replay/jobs_view.h"
#include "tests/unit/replay/shop_ledger.h"

namespace replay {
namespace {

using base::TimeMs;
using core::EngineDriver;

using base::kDayMs;
// Friday, 2023-11-17, 12:00 UTC.
constexpr TimeMs kNoon{1'700'222'400'000};

std::int64_t utc(TimeMs) {
  return 0;
}

core::Policy policy(bool play = false, const std::string& wallet = "nwc") {
  auto out = EngineDriver::policy();
  out.wallet = wallet;
  out.play_money = play;
  return out;
}

Report must_report(const ShopLedger& shop, ReportQuery query) {
  if (!query.utc_offset) query.utc_offset = utc;
  const auto out = report(shop.reader, query);
  EXPECT_TRUE(out) << (out ? "" : out.error().describe());
  return out.value_or(Report{});
}

std::vector<std::string> keys(const Report& report) {
  std::vector<std::string> out;
  for (const auto& row : report.rows) out.push_back(row.key);
  return out;
}

Figures sum(const Report& report) {
  Figures out;
  for (const auto& row : report.rows) out += row.figures;
  return out;
}

TEST(Earnings, DeliveredIsNotEarnedUntilTheWalletSaysSo) {
  EngineDriver driver(policy());
  driver.now = kNoon;
  const core::Job job = driver.ask(1);
  const base::Msat billed = job.invoices.front().issued.amount;
  ShopLedger shop;
  shop.write(driver.entries);
  EXPECT_EQ(must_report(shop, {}).total,
            (Figures{.jobs = 1, .quoted = job.quote->price, .invoiced = billed, .delivered_unpaid = billed}));

  const auto before = driver.entries.size();
  driver.pay(1);
  shop.write({driver.entries.begin() + static_cast<std::ptrdiff_t>(before), driver.entries.end()});
  EXPECT_EQ(must_report(shop, {}).total,
            (Figures{.jobs = 1, .sales = 1, .quoted = job.quote->price, .invoiced = billed, .settled = billed}));
}

TEST(Earnings, WhatIsNeverPaidMovesFromDeliveredUnpaidToUnpaidAndALatePaymentStillCounts) {
  EngineDriver driver(policy());
  const base::Msat billed = driver.ask(1).invoices.front().issued.amount;
  driver.invoice_never_paid(1);
  ShopLedger shop;
  shop.write(driver.entries);
  EXPECT_EQ(must_report(shop, {}).total.delivered_unpaid, base::Msat{});
  EXPECT_EQ(must_report(shop, {}).total.unpaid, billed);

  const base::Hash256 hash = driver.job(1).invoices.front().issued.payment_hash;
  shop.write(driver.now, EngineDriver::id(1), ledger::InvoiceSettled{.payment_hash = hash, .received = billed});
  EXPECT_EQ(must_report(shop, {}).total.unpaid, base::Msat{});
  EXPECT_EQ(must_report(shop, {}).total.settled, billed);
}

TEST(Earnings, MoneyForWorkThatCouldNotBeDoneIsOwedBack) {
  auto first = policy();
  first.payment_mode = ledger::PaymentMode::payment_first;
  EngineDriver driver(first);
  driver.ask(1);
  driver.hold_inference = true;
  driver.pay(1);
  ShopLedger shop;
  shop.write(driver.entries);
  const base::Msat price = driver.job(1).quote->price;
  EXPECT_EQ(must_report(shop, {}).total.paid_undelivered, price);

  const auto before = driver.entries.size();
  driver.inference_fails = ledger::InferenceFailure::rejected;
  driver.release_inference();
  shop.write({driver.entries.begin() + static_cast<std::ptrdiff_t>(before), driver.entries.end()});
  const Figures total = must_report(shop, {}).total;
  EXPECT_EQ(total.paid_undelivered, base::Msat{});
  EXPECT_EQ(total.owed_back, price);
  EXPECT_EQ(total.settled, price) << "it did arrive";

  const auto owed = driver.entries.size();
  driver.purse = true;
  const core::Job job = driver.job(1);
  driver.give(core::RefundOrdered{
      .job = job.id, .at_rest = job, .refund = {.payment_hash = job.refunds[0].owed.payment_hash, .amount = price}});
  shop.write({driver.entries.begin() + static_cast<std::ptrdiff_t>(owed), driver.entries.end()});
  const Figures after = must_report(shop, {}).total;
  EXPECT_EQ(after.owed_back, base::Msat{});
  EXPECT_EQ(after.refunded, price);
  EXPECT_EQ(after.settled, price) << "what had settled had settled";
}

TEST(Earnings, PlayMoneyIsNeverAddedToRealMoney) {
  ShopLedger shop;
  EngineDriver play(policy(true, "sandbox"));
  play.ask(1);
  play.pay(1);
  shop.write(play.entries);
  EXPECT_EQ(money_in_force(shop.reader).value(), Money::play);
  EXPECT_EQ(must_report(shop, {}).total, Figures{});

  EngineDriver real(policy());
  real.now = play.now;
  real.ask(2);
  real.pay(2);
  shop.write(real.entries);
  EXPECT_EQ(money_in_force(shop.reader).value(), Money::real);
  EXPECT_EQ(must_report(shop, {}).total.sales, 1u);
  EXPECT_EQ(must_report(shop, {.money = Money::play}).total.sales, 1u);
  EXPECT_EQ(keys(must_report(shop, {.by = GroupBy::wallet})), std::vector<std::string>{"nwc"});
}

TEST(Earnings, ADeclinedJobHasNoModel) {
  EngineDriver driver(policy());
  auto request = driver.request();
  request.model = "a model that nobody serves";
  driver.ask(1, request);
  driver.ask(2);
  ShopLedger shop;
  shop.write(driver.entries);
  const Report models = must_report(shop, {.by = GroupBy::model});
  EXPECT_EQ(keys(models), (std::vector<std::string>{"llama3.2:latest", ""}));
  EXPECT_EQ(models.rows[1].figures, (Figures{.jobs = 1, .declined = 1}));
}

// ---- time -----------------------------------------------------------------------------------------------------------

// A ledger with one request at each of these moments.
struct Requests : ShopLedger {
  explicit Requests(const std::vector<TimeMs>& times) {
    std::uint8_t n = 0;
    for (const TimeMs time : times) write(time, EngineDriver::id(++n), ledger::JobRequested{});
  }
};

TEST(EarningsReport, DaysBeginAtMidnightOfTheTimeZone) {
  const Requests shop({kNoon - 12 * kHourMs - 1, kNoon - 12 * kHourMs, kNoon + 12 * kHourMs - 1});
  EXPECT_EQ(keys(must_report(shop, {})), (std::vector<std::string>{"2023-11-16", "2023-11-17"}));
  // Nepal, 5:45 ahead; and Newfoundland, 3:30 behind.
  const auto nepal = must_report(shop, {.utc_offset = [](TimeMs) { return 5 * kHourMs + kHourMs * 3 / 4; }});
  EXPECT_EQ(keys(nepal), (std::vector<std::string>{"2023-11-17", "2023-11-18"}));
  EXPECT_EQ(nepal.rows[0].figures.jobs, 2u);
  const auto newfoundland = must_report(shop, {.utc_offset = [](TimeMs) { return -3 * kHourMs - kHourMs / 2; }});
  EXPECT_EQ(newfoundland.rows[0].figures.jobs, 2u);
}

TEST(EarningsReport, TheDayThatClocksChangeHasTwentyFiveHours) {
  // Europe/Berlin, 2023-10-29: 2 hours ahead until 01:00 UTC, then 1 hour.
  const TimeMs change{1'698'541'200'000};
  const auto berlin = [&](TimeMs time) { return (time < change ? 2 : 1) * kHourMs; };
  const TimeMs midnight = change - 3 * kHourMs;
  const Requests shop({midnight - 1, midnight, midnight + 25 * kHourMs - 1, midnight + 25 * kHourMs});
  const Report days = must_report(shop, {.utc_offset = berlin});
  EXPECT_EQ(keys(days), (std::vector<std::string>{"2023-10-28", "2023-10-29", "2023-10-30"}));
  EXPECT_EQ(days.rows[1].figures.jobs, 2u);
}

TEST(EarningsReport, WeeksAreThoseOfISO8601) {
  constexpr TimeMs kNewYear2021{1'609'459'200'000};  // a Friday: still week 53 of 2020
  constexpr TimeMs kDec30of2024{1'735'516'800'000};  // a Monday: week 1 of 2025 already
  const Requests shop({kNewYear2021, kNewYear2021 + 3 * kDayMs, kDec30of2024 - 1, kDec30of2024});
  EXPECT_EQ(keys(must_report(shop, {.by = GroupBy::week})),
            (std::vector<std::string>{"2020-W53", "2021-W01", "2024-W52", "2025-W01"}));
  EXPECT_EQ(keys(must_report(shop, {.by = GroupBy::month})), (std::vector<std::string>{"2021-01", "2024-12"}));
}

TEST(EarningsReport, SinceAndUntilMeanWholeBuckets) {
  const Requests shop({kNoon - 1, kNoon, kNoon + kBucketMs - 1, kNoon + kBucketMs});
  EXPECT_EQ(must_report(shop, {.since = kNoon + 5}).total.jobs, 3u);
  EXPECT_EQ(must_report(shop, {.until = kNoon}).total.jobs, 1u);
  EXPECT_EQ(must_report(shop, {.until = kNoon + 5}).total.jobs, 3u);
  EXPECT_EQ(must_report(shop, {.since = kNoon, .until = kNoon}).total.jobs, 0u);
}

TEST(EarningsReport, WhoPaidMostComesFirst) {
  EngineDriver driver(policy());
  for (std::uint8_t n = 1; n <= 6; ++n) {
    driver.ask(n, driver.request(n <= 1 ? 3 : n <= 3 ? 1 : 2));  // one, two and three jobs
    if (n != 6) driver.pay(n);
    driver.wait(kDayMs);
  }
  ShopLedger shop;
  shop.write(driver.entries);
  const Report customers = must_report(shop, {.by = GroupBy::customer});
  const auto key = [](const char* digits) {
    std::string out;
    for (int i = 0; i < 32; ++i) out += digits;
    return out;
  };
  EXPECT_EQ(keys(customers), (std::vector<std::string>{key("02"), key("01"), key("03")}))
      << "of the same amount settled, the one with more invoiced";
}

// ---- any history ----------------------------------------------------------------------------------------------------

// Three months of customers who pay, pay late or never, of relays and wallets that fail.
std::vector<ledger::NewEntry> random_history(std::uint32_t seed) {
  std::mt19937 random(seed);
  const auto chance = [&](std::uint32_t percent) { return random() % 100 < percent; };
  auto selling = policy();
  if (chance(50)) selling.payment_mode = ledger::PaymentMode::payment_first;
  EngineDriver driver(selling);
  for (std::uint8_t n = 1; n <= 40; ++n) {
    driver.relays_accept = chance(90);
    driver.wallet_creates = chance(90);
    driver.inference_fails = chance(10) ? std::optional(ledger::InferenceFailure::rejected) : std::nullopt;
    auto request = driver.request(static_cast<std::uint8_t>(random() % 5));
    if (chance(10)) request.bid = base::Msat{1};
    const core::Job job = driver.ask(n, request);
    if (chance(50)) driver.wait(random() % kDayMs);
    if (!job.invoices.empty() && chance(30)) driver.invoice_never_paid(n);
    if (!job.invoices.empty() && chance(70)) driver.pay(n);
    driver.wait(random() % (3 * kDayMs));
  }
  return driver.entries;
}

TEST(EarningsProperty, EveryGroupingHasTheSameTotalAndSettledIsWhatTheWalletReceived) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    ShopLedger shop;
    const auto entries = random_history(seed);
    shop.write(entries);
    base::Msat received;
    std::uint64_t jobs = 0;
    for (const auto& entry : entries) {
      if (const auto* e = std::get_if<ledger::InvoiceSettled>(&entry.fact)) received += e->received;
      jobs += std::holds_alternative<ledger::JobRequested>(entry.fact) ? 1 : 0;
    }
    const Figures total = must_report(shop, {}).total;
    EXPECT_EQ(total.settled, received) << "seed " << seed;
    EXPECT_EQ(total.jobs, jobs) << "seed " << seed;
    for (const GroupBy by : all_groupings()) {
      const Report grouped = must_report(shop, {.by = by, .utc_offset = [](TimeMs) { return -9 * kHourMs; }});
      EXPECT_EQ(grouped.total, total) << name(by) << ", seed " << seed;
      EXPECT_EQ(sum(grouped), total) << name(by) << ", seed " << seed;
    }
  }
}

TEST(EarningsProperty, ThePaymentsAddUpToTheReport) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    ShopLedger shop;
    shop.write(random_history(seed));
    std::mt19937 random(seed);
    const TimeMs start{1'700'000'000'000};
    const ReportQuery query{.since = start + static_cast<std::int64_t>(random() % (30 * kDayMs)),
                            .until = start + static_cast<std::int64_t>(30 * kDayMs + random() % (30 * kDayMs))};
    for (const ReportQuery& one : {ReportQuery{}, query}) {
      const auto listed = payments(shop.reader, one);
      ASSERT_TRUE(listed);
      EXPECT_TRUE(std::ranges::is_sorted(*listed, {}, &Payment::time));
      Figures sums;
      for (const Payment& payment : *listed) {
        (payment.refund ? sums.refunded : sums.settled) += payment.amount;
        sums.fees += payment.fee;
        EXPECT_EQ(payment.wallet, "nwc");
      }
      const Figures total = must_report(shop, one).total;
      EXPECT_EQ(sums.settled, total.settled) << "seed " << seed;
      EXPECT_EQ(sums.refunded, total.refunded) << "seed " << seed;
      EXPECT_EQ(sums.fees, total.fees) << "seed " << seed;
    }
  }
}

TEST(JobsView, CountsInItsIndexesWhatItWouldList) {
  for (std::uint32_t seed = 0; seed < 10; ++seed) {
    ShopLedger shop;
    shop.write(random_history(seed));
    base::PublicKey customer;
    customer.bytes.fill(3);
    const std::vector<JobFilter> filters = {
        {},
        {.state = core::State::settled},
        {.customer = customer},
        {.model = "llama3.2:latest"},
        {.since = TimeMs{1'700'000'000'000} + 20 * kDayMs},
        {.state = core::State::unpaid, .since = TimeMs{1'700'000'000'000} + 9 * kDayMs}};
    for (JobFilter filter : filters) {
      filter.limit = SIZE_MAX;
      const auto listed = list_jobs(shop.reader, filter);
      ASSERT_TRUE(listed);
      EXPECT_EQ(count_jobs(shop.reader, filter, 1'000).value(), listed->size()) << "seed " << seed;
    }
    EXPECT_EQ(count_jobs(shop.reader, {}, 5).value(), 5u) << "no further than asked";
    EXPECT_EQ(count_jobs(shop.reader, {.state = core::State::settled, .customer = customer}, 9).value(), std::nullopt)
        << "no index knows both";
  }
}

// The open amounts, recomputed from the jobs themselves.
TEST(EarningsProperty, OpenAmountsAreThoseOfTheJobs) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    ShopLedger shop;
    const auto entries = random_history(seed);
    shop.write(entries);
    std::map<core::JobId, core::Job> jobs;
    for (const auto& entry : entries) {
      if (!entry.job.is_zero()) core::evolve(jobs[entry.job], entry.job, entry.time, entry.fact);
    }
    base::Msat delivered_unpaid, unpaid, owed_back, quoted;
    for (const auto& [id, job] : jobs) {
      if (core::state(job) == core::State::delivered_unpaid) delivered_unpaid += job.invoices.back().issued.amount;
      if (core::state(job) == core::State::unpaid) unpaid += job.invoices.back().issued.amount;
      owed_back += core::still_owed(job);
      if (job.quote) quoted += job.quote->price;
    }
    const Figures total = must_report(shop, {}).total;
    EXPECT_EQ(total.delivered_unpaid, delivered_unpaid) << "seed " << seed;
    EXPECT_EQ(total.unpaid, unpaid) << "seed " << seed;
    EXPECT_EQ(total.owed_back, owed_back) << "seed " << seed;
    EXPECT_EQ(total.quoted, quoted) << "seed " << seed;
  }
}

TEST(ViewsProperty, MadeAgainTheyAreTheSameBytes) {
  for (std::uint32_t seed = 0; seed < 5; ++seed) {
    ShopLedger shop;
    shop.write(random_history(seed));
    const std::string before = shop.disk.dump();
    const auto rebuilt = ledger::rebuild_views(shop.disk, pointers(shop.views));
    ASSERT_TRUE(rebuilt) << rebuilt.error().describe();
    EXPECT_EQ(shop.disk.dump(), before) << "seed " << seed;
  }
}

}  // namespace
}  // namespace replay
