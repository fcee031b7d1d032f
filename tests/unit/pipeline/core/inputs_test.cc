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
  EXPECT_THAT(due_now(job, shop.now), ElementsAre("gather inputs"));
  EXPECT_TRUE(is_open(job)) << "so it is taken up after a crash";
  EXPECT_FALSE(shop.engine().drained());
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
  shop.give(InputsReady{EngineDriver::id(1), {.action = Action::gather}, {.input_tokens = 5'000}, {}});
  EXPECT_EQ(shop.job(1).declined->reason, DeclineReason::too_long);
  EXPECT_THAT(shop.job(1).declined->message, testing::HasSubstr("about 5000 tokens"));
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

}  // namespace
}  // namespace core
