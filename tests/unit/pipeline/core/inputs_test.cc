// Inputs that are not in the request: gathered once, before the job is decided, and part of what it costs.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/core/engine_driver.h"

namespace core {
namespace {

using ledger::DeclineReason;
using testing::ElementsAre;
using testing::Not;

ledger::JobRequested with_page(const EngineDriver& shop) {
  auto request = shop.request();
  request.sources = {{.type = ledger::InputType::url, .data = "https://example.com/page"}};
  return request;
}

std::vector<std::string> due_now(const Job& job, TimeMs now) {
  return describe(due(job, now));
}

TEST(Inputs, AreGatheredBeforeTheJobIsQuotedAndArePartOfItsPrice) {
  EngineDriver shop(EngineDriver::policy());
  const Job job = shop.ask(1, with_page(shop));
  ASSERT_TRUE(job.quote);
  EXPECT_EQ(input_tokens(job), 1'000u) << "not the 20 of the request alone";
  EXPECT_EQ(job.quote->input_tokens, 1'000u);
  EXPECT_EQ(job.quote->price, Msat{7'000}) << "1 + 1 + 5 sat";
  EXPECT_EQ(shop.types(1)[1], "InputsGathered");
  EXPECT_EQ(state(job), State::delivered_unpaid);
}

TEST(Inputs, NothingElseIsDueUntilTheyAreThere) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_inputs = true;
  const Job job = shop.ask(1, with_page(shop));
  EXPECT_EQ(state(job), State::requested);
  EXPECT_THAT(due_now(job, shop.now), ElementsAre("gather inputs", "decide")) << "a refusal may come before them";
  EXPECT_TRUE(is_open(job)) << "so it is taken up after a crash";
  EXPECT_EQ(shop.engine().in_flight(Action::gather), 1u);
  shop.give(Tick{});
  EXPECT_THAT(shop.types(1), ElementsAre("JobRequested")) << "it is not gathered a second time meanwhile";
}

TEST(Inputs, AfterACrashTheyAreGatheredAgain) {
  EngineDriver shop(EngineDriver::policy());
  shop.hold_inputs = true;
  const Job job = shop.ask(1, with_page(shop));
  shop.hold_inputs = false;
  shop.restart(EngineDriver::policy(), job);
  EXPECT_TRUE(shop.job(1).quote);
}

TEST(Inputs, OneThatIsMissingIsTheReasonOfARefusal) {
  EngineDriver shop(EngineDriver::policy());
  shop.inputs_missing = "the url input https://example.com/page cannot be used: the page is gone; send its text";
  const Job job = shop.ask(1, with_page(shop));
  ASSERT_TRUE(job.declined);
  EXPECT_EQ(job.declined->reason, DeclineReason::input_unavailable);
  EXPECT_EQ(job.declined->message, *shop.inputs_missing);
  EXPECT_THAT(shop.notices(1), ElementsAre(NoticePurpose::error));
}

TEST(Inputs, TooLongForTheModelIsSaidWithTheirTokens) {
  EngineDriver shop(EngineDriver::policy());
  auto request = with_page(shop);
  request.input_tokens = 3'000;
  shop.hold_inputs = true;
  shop.ask(1, request);
  shop.give(InputsReady{EngineDriver::id(1), {.action = Action::gather}, {.texts = {{}}, .input_tokens = 5'000}, {}});
  EXPECT_EQ(shop.job(1).declined->reason, DeclineReason::too_long);
  EXPECT_THAT(shop.job(1).declined->message, testing::HasSubstr("about 5,000 tokens"));
}

TEST(Inputs, OfARequestWithAFaultAreLeftAlone) {
  EngineDriver shop(EngineDriver::policy());
  auto request = with_page(shop);
  request.fault = ledger::RequestFault{DeclineReason::parameter, "temperature: 9 is above 2.0", {}};
  EXPECT_EQ(shop.ask(1, request).declined->reason, DeclineReason::parameter);
  EXPECT_THAT(shop.types(1), Not(testing::Contains("InputsGathered")));
}

TEST(Inputs, AreNotWaitedForPastTheRequestsExpiration) {
  EngineDriver shop(EngineDriver::policy());
  auto request = with_page(shop);
  request.expires_at = shop.now + 5'000;
  shop.hold_inputs = true;
  shop.ask(1, request);
  shop.wait(5'000);
  ASSERT_TRUE(shop.job(1).declined);
  EXPECT_EQ(shop.job(1).declined->reason, DeclineReason::expired);
  shop.give(InputsReady{EngineDriver::id(1), {.action = Action::gather}, {.input_tokens = 1'000}, {}});
  EXPECT_FALSE(shop.job(1).inputs) << "too late to be a fact";
  EXPECT_EQ(shop.engine().open_jobs(), 0u);
}

TEST(Inputs, NothingIsGatheredForWhatCanBeRefusedWithoutThem) {
  using Spoil = std::function<void(EngineDriver&, ledger::JobRequested&)>;
  const std::pair<DeclineReason, Spoil> hopeless[] = {
      {DeclineReason::bid_too_low, [](auto&, auto& request) { request.bid = Msat{1}; }},
      {DeclineReason::unknown_model, [](auto&, auto& request) { request.model = "none of ours"; }},
      {DeclineReason::too_long, [](auto&, auto& request) { request.input_tokens = 1'000'000; }},
      {DeclineReason::too_old, [](auto&, auto& request) { request.created_at_s -= 100'000; }},
      {DeclineReason::wallet_unavailable, [](auto& shop, auto&) { shop.give(stopped(ReadinessPart::wallet)); }},
  };
  for (const auto& [reason, spoil] : hopeless) {
    EngineDriver shop(EngineDriver::policy());
    auto request = with_page(shop);
    spoil(shop, request);
    const Job job = shop.ask(1, request);
    ASSERT_TRUE(job.declined) << ledger::name(reason);
    EXPECT_EQ(job.declined->reason, reason);
    EXPECT_FALSE(job.inputs) << ledger::name(reason);
    EXPECT_EQ(shop.types(1)[1], "JobDeclined");
  }
}

TEST(Inputs, OfAJobThatIsDeclinedWithThemAreNotKept) {
  EngineDriver shop(EngineDriver::policy());
  auto request = with_page(shop);
  shop.hold_inputs = true;
  shop.ask(1, request);
  const ledger::Text page{.bytes = std::string(200'000, 'x')};
  shop.give(InputsReady{
      EngineDriver::id(1), {.action = Action::gather}, {.texts = {ledger::ref(page)}, .input_tokens = 50'000}, {page}});
  EXPECT_EQ(shop.job(1).declined->reason, DeclineReason::too_long);
  for (const auto& entry : shop.entries) {
    const bool gathered = std::holds_alternative<ledger::InputsGathered>(entry.fact);
    EXPECT_TRUE(!gathered || entry.texts.empty());
    const bool declined = std::holds_alternative<ledger::JobDeclined>(entry.fact);
    EXPECT_TRUE(!declined || entry.gone == std::vector({request.request, ledger::ref(page)}));
  }
}

}  // namespace
}  // namespace core
