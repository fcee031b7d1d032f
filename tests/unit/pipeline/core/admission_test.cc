// Admission: who is served, at what price, and what a refused customer is told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/core/pricing.h"
#include "tests/unit/pipeline/core/engine_driver.h"

namespace core {
namespace {

using ledger::DeclineReason;
using testing::HasSubstr;

struct Refused {
  const char* what;
  void (*spoil)(ledger::JobRequested& request, EngineDriver& shop);
  DeclineReason reason;
  const char* told;
};

const Refused kRefused[] = {
    {"a fault that the codec found",
     [](auto& request, auto&) {
       request.fault = ledger::RequestFault{DeclineReason::parameter, "temperature: 9 is above 2.0", {}};
     },
     DeclineReason::parameter, "above 2.0"},
    {"past its expiration", [](auto& request, auto& shop) { request.expires_at = shop.now; }, DeclineReason::expired,
     "expired"},
    {"too old", [](auto& request, auto& shop) { request.created_at_s = shop.now.ms / 1000 - 3601; },
     DeclineReason::too_old, "60 minutes"},
    {"a model that we do not have", [](auto& request, auto&) { request.model = "gpt-9"; }, DeclineReason::unknown_model,
     "we serve llama3.2:latest"},
    {"a prompt as long as the context", [](auto& request, auto&) { request.input_tokens = 4096; },
     DeclineReason::too_long, "takes 4,096 tokens"},
    {"a request that fills the result's event", [](auto& request, auto&) { request.request_bytes = 60'000; },
     DeclineReason::too_long, "no room for an answer"},
    {"a bid below the price", [](auto& request, auto&) { request.bid = Msat{3000}; }, DeclineReason::bid_too_low,
     "bid 3 sat, asked 7 sat for up to 500 tokens; max_tokens 198 would fit the bid"},
    {"a bid that does not pay for the question", [](auto& request, auto&) { request.bid = Msat{500}; },
     DeclineReason::bid_too_low, "bid 0.5 sat"},
    {"no model server", [](auto&, auto& shop) { shop.give(stopped(ReadinessPart::inference)); },
     DeclineReason::inference_unavailable, "model server"},
    {"no wallet", [](auto&, auto& shop) { shop.give(stopped(ReadinessPart::wallet)); },
     DeclineReason::wallet_unavailable, "wallet"},
    {"a model that fails", [](auto&, auto& shop) { shop.give(ReadinessJudged{.failing_models = {"llama3.2:latest"}}); },
     DeclineReason::inference_unavailable, "or ask for another"},
};

TEST(Admission, RefusesWithANamedReasonAndSaysWhatWouldWork) {
  for (const Refused& one : kRefused) {
    EngineDriver shop(EngineDriver::policy());
    auto request = shop.request();
    one.spoil(request, shop);
    const Job job = shop.ask(1, request);
    ASSERT_TRUE(job.declined) << one.what;
    EXPECT_EQ(job.declined->reason, one.reason) << one.what;
    EXPECT_THAT(job.declined->message, HasSubstr(one.told)) << one.what;
    EXPECT_TRUE(find_notice(job, NoticePurpose::error)) << one.what;
  }
}

// After a clock that ran ahead the ledger's time stands still until the clock has caught up.
TEST(Admission, MeasuresTheCustomersTimesByThisMachinesClock) {
  EngineDriver shop(EngineDriver::policy());
  const TimeMs ahead = shop.now + 3 * 3'600'000;
  shop.now = ahead;
  ASSERT_FALSE(shop.ask(1).declined);
  shop.now = ahead - 3 * 3'600'000;
  auto fresh = shop.request();
  fresh.expires_at = shop.now + 60'000;
  const Job job = shop.ask(2, fresh);
  EXPECT_FALSE(job.declined) << job.declined->message;
  EXPECT_EQ(job.requested_at, ahead);
  EXPECT_EQ(job.request->received_at, shop.now) << "the ledger records what the decision was based on";

  auto old = shop.request();
  old.created_at_s -= 3'601;
  EXPECT_EQ(shop.ask(3, old).declined->reason, DeclineReason::too_old);
  auto over = shop.request();
  over.expires_at = shop.now;
  EXPECT_EQ(shop.ask(4, over).declined->reason, DeclineReason::expired);
}

TEST(Admission, RecordsNoClockThatAgreesWithTheLedger) {
  EngineDriver shop(EngineDriver::policy());
  EXPECT_FALSE(shop.ask(1).request->received_at);
}

TEST(Admission, OfWhatIsDeclinedOnlyTheFactsAreKept) {
  EngineDriver shop(EngineDriver::policy());
  const ledger::Text text{.bytes = std::string(60'000, 'x')};
  auto request = shop.request();
  request.request = ledger::ref(text);
  request.bid = Msat{1};
  shop.give(RequestArrived{EngineDriver::id(1), request, text});
  EXPECT_TRUE(shop.job(1).declined->text_dropped);
  std::vector<base::TextRef> gone;
  for (const auto& entry : shop.entries) {
    gone.insert(gone.end(), entry.gone.begin(), entry.gone.end());
    for (const auto& kept : entry.texts) EXPECT_NE(ledger::ref(kept), request.request);
  }
  EXPECT_THAT(gone, testing::ElementsAre(request.request)) << "its mark: it is not lost";

  request.bid.reset();
  shop.give(RequestArrived{EngineDriver::id(2), request, text});
  EXPECT_TRUE(shop.job(2).quote);
  const auto kept = std::ranges::any_of(shop.entries, [&](const auto& entry) {
    return entry.job == EngineDriver::id(2) && !entry.texts.empty() && ledger::ref(entry.texts[0]) == request.request;
  });
  EXPECT_TRUE(kept);
}

TEST(Admission, AsksStrangersForWorkAndCustomersForNone) {
  Policy policy = EngineDriver::policy();
  policy.stranger_pow_bits = 20;
  EngineDriver shop(policy);
  const Job refused = shop.ask(1);
  ASSERT_TRUE(refused.declined);
  EXPECT_EQ(refused.declined->reason, DeclineReason::needs_work);
  EXPECT_THAT(refused.declined->message, HasSubstr("20 bits of proof of work"));
  auto worked = shop.request();
  worked.pow_bits = 20;
  ASSERT_TRUE(shop.ask(2, worked).quote);
  shop.pay(2);
  EXPECT_TRUE(shop.ask(3).quote) << "who has paid is no stranger";
}

TEST(Admission, ABroadcastIsDeclinedSilently) {
  EngineDriver shop(EngineDriver::policy());
  auto request = shop.request();
  request.addressed = false;
  request.model = "gpt-9";
  const Job job = shop.ask(1, request);
  EXPECT_TRUE(job.declined);
  EXPECT_TRUE(job.notices.empty());
}

TEST(Admission, ErrorNoticesAreLimitedPerCustomerAndInAll) {
  EngineDriver shop(EngineDriver::policy());  // two an hour each, four in all
  const auto told = [&](std::uint8_t n, std::uint8_t customer) {
    auto request = shop.request(customer);
    request.model = "gpt-9";
    return shop.ask(n, request).declined->told;
  };
  EXPECT_TRUE(told(1, 1));
  EXPECT_TRUE(told(2, 1));
  EXPECT_FALSE(told(3, 1));
  EXPECT_TRUE(told(4, 2));
  EXPECT_TRUE(told(5, 3));
  EXPECT_FALSE(told(6, 4));
  shop.wait(3'600'000);
  EXPECT_TRUE(told(7, 1));
}

TEST(Admission, JobsThatWaitForTheirPaymentAreLimited) {
  Policy policy = EngineDriver::policy();
  policy.payment_mode = ledger::PaymentMode::payment_first;
  EngineDriver shop(policy);  // three of one fresh key, six of all of them, twelve in all
  for (std::uint8_t n = 1; n <= 3; ++n) EXPECT_TRUE(shop.ask(n, shop.request(1)).quote);
  const Job fourth = shop.ask(4, shop.request(1));
  EXPECT_EQ(fourth.declined->reason, DeclineReason::busy);
  EXPECT_THAT(fourth.declined->message, HasSubstr("3 of them yours"));
  for (std::uint8_t n = 5; n <= 7; ++n) EXPECT_TRUE(shop.ask(n, shop.request(n)).quote);
  EXPECT_EQ(shop.ask(8, shop.request(8)).declined->reason, DeclineReason::busy);
  shop.pay(1);
  EXPECT_TRUE(shop.ask(9, shop.request(8)).quote);
  EXPECT_TRUE(shop.ask(10, shop.request(1)).quote) << "those who have paid have a reserve";
}

TEST(Admission, AnOfferHoldsItsPlaceForAMinuteAndStaysPayable) {
  Policy policy = EngineDriver::policy();
  policy.payment_mode = ledger::PaymentMode::payment_first;
  EngineDriver shop(policy);
  for (std::uint8_t n = 1; n <= 3; ++n) shop.ask(n, shop.request(1));
  ASSERT_TRUE(shop.ask(4, shop.request(1)).declined);
  shop.wait(kOfferPlaceMs);
  EXPECT_TRUE(shop.ask(5, shop.request(1)).quote);
  shop.pay(1);
  EXPECT_EQ(state(shop.job(1)), State::settled);
}

TEST(Admission, InACrowdKeysThatAreNotDrawnMustBringWork) {
  EngineDriver shop(EngineDriver::policy());
  shop.give(NextDraw{.secret = base::sha256("secret"), .demand = {.fresh_keys = 1'000'000'000}, .places = 10});
  const Job refused = shop.ask(1);
  ASSERT_TRUE(refused.declined);
  EXPECT_EQ(refused.declined->reason, DeclineReason::needs_work);
  EXPECT_THAT(refused.declined->message, HasSubstr("16 bits of proof of work"));
  EXPECT_EQ(refused.declined->basis.work_asked, 16u);
  EXPECT_FALSE(refused.declined->basis.drawn);
  auto worked = shop.request();
  worked.pow_bits = 16;
  EXPECT_TRUE(shop.ask(2, worked).quote);
  shop.pay(2);
  EXPECT_TRUE(shop.ask(3).quote) << "who has paid is asked for none";
}

TEST(Admission, WhoHasPaidIsStartedBeforeStrangersWhoCameEarlier) {
  Policy policy = EngineDriver::policy();
  policy.stranger_pool = Msat{1'000'000};
  EngineDriver shop(policy);
  shop.ask(1, shop.request(9));
  shop.pay(1);
  shop.hold_inference = true;
  shop.ask(2, shop.request(1));
  shop.ask(3, shop.request(2));
  shop.ask(4, shop.request(9));
  shop.release_inference();
  std::vector<JobId> started;
  for (const auto& entry : shop.entries) {
    if (std::holds_alternative<ledger::InferenceStarted>(entry.fact)) started.push_back(entry.job);
  }
  const std::vector expected{EngineDriver::id(1), EngineDriver::id(2), EngineDriver::id(4), EngineDriver::id(3)};
  EXPECT_EQ(started, expected);
}

TEST(Admission, AModelMayBeNamedWithoutItsTagAndTheFirstIsTheDefault) {
  EngineDriver shop(EngineDriver::policy());
  auto request = shop.request();
  EXPECT_EQ(shop.ask(1, request).quote->terms.name, "llama3.2:latest");
  request.model = "llama3.2";
  EXPECT_EQ(shop.ask(2, request).quote->terms.name, "llama3.2:latest");
}

TEST(Admission, CapsTheAnswerByWhatWasAskedByTheModelAndByItsContext) {
  EngineDriver shop(EngineDriver::policy());
  auto request = shop.request();
  request.params.max_tokens = 50;
  EXPECT_EQ(shop.ask(1, request).quote->max_output_tokens, 50u);
  request.params.max_tokens = 5000;
  EXPECT_EQ(shop.ask(2, request).quote->max_output_tokens, 500u);
  request.input_tokens = 4000;
  EXPECT_EQ(shop.ask(3, request).quote->max_output_tokens, 96u);
}

TEST(Pricing, RoundsTheSumUpOnceToWhatTheWalletCanExpress) {
  const ledger::ModelOffer terms{.base = Msat{100}, .input_per_1k_tokens = Msat{1}, .output_per_1k_tokens = Msat{1}};
  EXPECT_EQ(price(terms, 1, 1, Msat{1}, Msat{}), Msat{101});
  EXPECT_EQ(price(terms, 1, 1, Msat{1000}, Msat{}), Msat{1000});
  EXPECT_EQ(price(terms, 1, 1, Msat{1000}, Msat{5000}), Msat{5000});
  EXPECT_EQ(price({}, 10, 10, Msat{1000}, Msat{5000}), Msat{}) << "free stays free";
}

}  // namespace
}  // namespace core
