// Recovery: what a shop knows after a stop is what it would know without one, and what a changed policy asks for.
#include "replay/recovery.h"

#include <random>

#include "replay/jobs_view.h"
#include "tests/unit/replay/shop_ledger.h"

namespace replay {
namespace {

using base::Msat;
using core::EngineDriver;
using core::Policy;
using core::Shop;
using ledger::PaymentMode;

core::Engine recovered(const ShopLedger& shop, base::TimeMs now, const Policy& policy) {
  core::Engine engine(recover(shop.reader, now, policy).value());
  engine.step(core::Configured{policy}, now);
  engine.resume(now);
  engine.step(core::Tick{}, now);
  return engine;
}

ledger::Basis basis_of(const core::Engine& engine, std::uint8_t customer) {
  base::PublicKey key;
  key.bytes.fill(customer);
  return core::basis(engine.shop(), engine.policy(), key, engine.now());
}

// Facts of the same moment may have been booked in another order.
template <class T>
std::vector<T> sorted(const std::deque<T>& booked) {
  std::vector<T> out(booked.begin(), booked.end());
  std::ranges::sort(out);
  return out;
}

void expect_same(const Shop& again, const Shop& live) {
  EXPECT_EQ(again.total_exposure, live.total_exposure);
  EXPECT_TRUE(again.offers == live.offers) << again.offers.size() << " and " << live.offers.size();
  EXPECT_EQ(again.slots_busy, live.slots_busy);
  EXPECT_EQ(again.queued, live.queued);
  EXPECT_TRUE(again.customers == live.customers) << again.customers.size() << " and " << live.customers.size();
  EXPECT_EQ(sorted(again.credit_days), sorted(live.credit_days));
  EXPECT_EQ(sorted(again.stranger_quotes), sorted(live.stranger_quotes));
  EXPECT_EQ(sorted(again.told_notices), sorted(live.told_notices));
}

// A shop that anything happens to, the same for the same seed.
class History {
 public:
  History(std::uint32_t seed, Policy policy) : random_(seed), policy_(std::move(policy)), driver_(policy_) {}

  void go_on() {
    switch (random_() % 12) {
      case 0:
        driver_.hold_inference = true;
        break;
      case 1:
        driver_.release_inference();
        break;
      case 2:
        driver_.inference_fails = one_in(2) ? std::optional(ledger::InferenceFailure::cut_off) : std::nullopt;
        break;
      case 3:
        driver_.relays_accept = !one_in(3);
        break;
      case 4:
        driver_.wait(static_cast<std::int64_t>(random_() % 5'000));
        break;
      case 5:
        driver_.wait(static_cast<std::int64_t>(random_() % (one_in(4) ? 20 * core::kDayMs : kHourMs)));
        break;
      case 6:
      case 7:
        pay_one();
        break;
      default:
        ask();
    }
    driver_.wait(0);
  }

  void expect_recovered() {
    ShopLedger ledger;
    ledger.write(driver_.entries);
    const core::Engine again = recovered(ledger, driver_.now, policy_);
    expect_same(again.shop(), driver_.engine().shop());
    for (std::uint8_t customer = 1; customer <= kCustomers; ++customer) {
      EXPECT_EQ(ledger::encode(basis_of(again, customer)), ledger::encode(basis_of(driver_.engine(), customer)));
    }
  }

 private:
  static constexpr std::uint8_t kCustomers = 4;
  bool one_in(std::uint32_t n) { return random_() % n == 0; }

  void ask() {
    auto request = driver_.request(static_cast<std::uint8_t>(1 + random_() % kCustomers));
    if (one_in(6)) request.model = "gpt-9";
    if (one_in(6)) request.expires_at = driver_.now + 1'000;
    driver_.ask(++jobs_, request);
  }

  // Or never.
  void pay_one() {
    if (jobs_ == 0) return;
    const auto n = static_cast<std::uint8_t>(1 + random_() % jobs_);
    if (driver_.job(n).invoices.empty()) return;
    one_in(4) ? driver_.invoice_never_paid(n) : driver_.pay(n);
  }

  std::mt19937 random_;
  Policy policy_;
  EngineDriver driver_;
  std::uint8_t jobs_ = 0;
};

TEST(Recovery, TheShopIsTheOneThatWasThereBeforeTheStop) {
  for (const PaymentMode mode : {PaymentMode::result_first, PaymentMode::payment_first}) {
    for (std::uint32_t seed = 1; seed <= 8; ++seed) {
      Policy policy = EngineDriver::policy();
      policy.payment_mode = mode;
      policy.slots = 1 + seed % 2;
      History history(seed, policy);
      for (int step = 1; step <= 100; ++step) {
        history.go_on();
        if (step % 10 == 0) history.expect_recovered();
        if (testing::Test::HasFailure()) FAIL() << ledger::name(mode) << ", seed " << seed << ", step " << step;
      }
    }
  }
}

// An hour after the quote, not after the request: its inputs were gathered in between.
TEST(Recovery, TheLastRollbackThatWasAcceptedIsKnown) {
  ShopLedger shop;
  EXPECT_EQ(recover(shop.reader, base::TimeMs{1'000})->rollback_accepted_at, base::TimeMs{});
  shop.write(base::TimeMs{1'000}, {}, ledger::RollbackAccepted{.evidence = "one", .at = base::TimeMs{900}});
  shop.write(base::TimeMs{2'000}, {}, ledger::RollbackAccepted{.evidence = "another", .at = base::TimeMs{1'900}});
  EXPECT_EQ(recover(shop.reader, base::TimeMs{2'000})->rollback_accepted_at, base::TimeMs{1'900});
  EXPECT_EQ(accepted_rollback(shop.reader).value()->evidence, "another");
}

TEST(Recovery, AQuoteAndANoticeCountFromTheirDecision) {
  EngineDriver before(EngineDriver::policy());
  auto slow = before.request(7);
  slow.sources = {{.type = ledger::InputType::url, .data = "https://a.example/"}};
  auto refused = slow;
  refused.customer.bytes.fill(8);
  before.hold_inputs = true;
  before.ask(1, slow);
  before.ask(2, refused);
  before.wait(40'000);
  constexpr core::Work kGather{.action = core::Action::gather};
  before.give(core::InputsReady{EngineDriver::id(1), kGather, {.texts = {{}}, .input_tokens = 1'000}, {}});
  before.give(core::InputsMissing{EngineDriver::id(2), kGather, {.message = "no such page"}});
  ASSERT_TRUE(before.job(1).quote && before.job(2).declined->told);
  before.wait(kHourMs - 20'000);
  ShopLedger shop;
  shop.write(before.entries);
  const core::Engine after = recovered(shop, before.now, EngineDriver::policy());
  expect_same(after.shop(), before.engine().shop());
  EXPECT_LT(basis_of(after, 9).stranger_pool_left, Msat{40'000}) << "the request is older than an hour";
}

TEST(Recovery, ALongerWindowCountsWhatTheShorterOneHadForgotten) {
  ShopLedger shop;
  EngineDriver before(EngineDriver::policy());  // strangers' debts count for an hour, settlements for 30 days
  before.ask(1, before.request(7));
  before.pay(1);
  before.wait(40 * core::kDayMs);
  before.ask(2, before.request(8));
  before.wait(2 * kHourMs);
  shop.write(before.entries);
  EXPECT_EQ(basis_of(before.engine(), 7).customer_credit, Msat{});
  EXPECT_EQ(basis_of(before.engine(), 7).stranger_pool_left, Msat{40'000});

  Policy longer = EngineDriver::policy();
  longer.credit_window_ms = 60 * core::kDayMs;
  longer.stranger_window_ms = 24 * kHourMs;
  const core::Engine after = recovered(shop, before.now, longer);
  EXPECT_EQ(basis_of(after, 7).customer_credit, Msat{600});
  EXPECT_EQ(basis_of(after, 7).stranger_pool_left, Msat{73'000});
}

TEST(Recovery, AShorterWindowForgetsAtTheFirstTick) {
  ShopLedger shop;
  EngineDriver before(EngineDriver::policy());
  before.ask(1, before.request(7));
  before.pay(1);
  before.wait(3 * core::kDayMs);
  shop.write(before.entries);
  EXPECT_EQ(basis_of(before.engine(), 7).customer_credit, Msat{600});

  Policy shorter = EngineDriver::policy();
  shorter.credit_window_ms = core::kDayMs;
  const core::Engine after = recovered(shop, before.now, shorter);
  EXPECT_EQ(basis_of(after, 7).customer_credit, Msat{});
  EXPECT_TRUE(after.shop().customers.empty());
}

}  // namespace
}  // namespace replay
