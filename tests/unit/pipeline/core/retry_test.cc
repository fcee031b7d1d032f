// A result that no relay took is published again on the operator's order: the same bytes, and at nobody's expense.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/core/stages/stage.h"
#include "tests/unit/pipeline/core/engine_driver.h"

namespace core {
namespace {

constexpr std::int64_t kDeadlineMs = 3'600'000;

const Notice& result_of(const Job& job) {
  return *find_notice(job, NoticePurpose::result);
}

void end_publishing(EngineDriver& shop) {
  for (const Notice& notice : shop.job(1).notices) {
    shop.give(PublishEnded{EngineDriver::id(1), {.action = Action::publish, .purpose = notice.notice.purpose}});
  }
}

// A shop whose job 1 was answered, and no relay took the result in time.
EngineDriver shop_with_undelivered_result(Policy policy = EngineDriver::policy()) {
  EngineDriver shop(std::move(policy));
  shop.relays_accept = false;
  shop.ask(1);
  if (payment_first(shop.job(1))) shop.pay(1);
  shop.wait(kDeadlineMs);
  end_publishing(shop);
  shop.relays_accept = true;
  return shop;
}

RetryOrdered retry_of(const EngineDriver& shop) {
  const Job job = shop.job(1);
  return {.job = job.id,
          .at_rest = job,
          .retry = {.purpose = NoticePurpose::result,
                    .event = result_of(job).notice.event,
                    .targets = {"wss://another.example"},
                    .deadline = {}}};
}

std::ptrdiff_t facts(const EngineDriver& shop, const std::string& type) {
  return std::ranges::count(shop.types(1), type);
}

TEST(Retry, PublishesWhatWasSignedAndSignsNothingAnew) {
  auto shop = shop_with_undelivered_result();
  ASSERT_EQ(state(shop.job(1)), State::undelivered);
  const auto event = result_of(shop.job(1)).notice.event;
  const auto signed_before = facts(shop, "NoticeSigned");
  shop.give(retry_of(shop));
  const Job job = shop.job(1);
  EXPECT_EQ(state(job), State::delivered_unpaid);
  EXPECT_EQ(result_of(job).notice.event, event);
  EXPECT_EQ(facts(shop, "NoticeRetried"), 1);
  EXPECT_EQ(facts(shop, "NoticeSigned"), signed_before + 1) << "the success notice";
}

TEST(Retry, GoesToTheRelaysOfTheOrderUntilADeadlineOfItsOwn) {
  auto shop = shop_with_undelivered_result();
  shop.relays_accept = false;
  shop.give(retry_of(shop));
  const Job job = shop.job(1);
  EXPECT_THAT(targets_of(result_of(job)), testing::ElementsAre("wss://another.example"));
  EXPECT_EQ(deadline_of(job, result_of(job)), shop.now + kDeadlineMs);
  EXPECT_EQ(state(job), State::delivering);
  shop.wait(kDeadlineMs - 1);
  EXPECT_EQ(state(shop.job(1)), State::delivering);
  shop.wait(1);
  EXPECT_EQ(state(shop.job(1)), State::undelivered);
  end_publishing(shop);
  shop.relays_accept = true;
  shop.give(retry_of(shop));
  EXPECT_EQ(state(shop.job(1)), State::delivered_unpaid) << "it may be ordered again and again";
}

TEST(Retry, GoesOnAfterARestart) {
  auto shop = shop_with_undelivered_result();
  shop.relays_accept = false;
  shop.give(retry_of(shop));
  ASSERT_TRUE(is_open(shop.job(1))) << "or recovery would not see it";
  shop.relays_accept = true;
  shop.restart(EngineDriver::policy(), shop.job(1));
  EXPECT_EQ(state(shop.job(1)), State::delivered_unpaid);
}

TEST(Retry, IsIgnoredWhileTheResultIsPublishedAndOnceARelayHasIt) {
  EngineDriver shop(EngineDriver::policy());
  shop.relays_accept = false;
  shop.ask(1);
  shop.give(retry_of(shop));
  EXPECT_EQ(facts(shop, "NoticeRetried"), 0) << "not given up yet";
  shop.wait(kDeadlineMs);
  ASSERT_TRUE(undeliverable(shop.job(1)));
  shop.give(retry_of(shop));
  EXPECT_EQ(facts(shop, "NoticeRetried"), 0) << "the last try has not come home";
  end_publishing(shop);
  shop.relays_accept = true;
  shop.give(retry_of(shop));
  shop.give(retry_of(shop));
  EXPECT_EQ(facts(shop, "NoticeRetried"), 1) << "delivered by the first order";
}

TEST(Retry, IsIgnoredWhereThePaymentWentBack) {
  Policy policy = EngineDriver::policy();
  policy.payment_mode = ledger::PaymentMode::payment_first;
  auto shop = shop_with_undelivered_result(policy);
  const Job owing = shop.job(1);
  ASSERT_EQ(state(owing), State::refund_owed);
  EXPECT_TRUE(may_retry_result(owing)) << "the customer may still get what they paid for";
  const ledger::RefundStarted refund{.payment_hash = owing.refunds.at(0).owed.payment_hash,
                                     .to = base::sha256("theirs"),
                                     .amount = owing.refunds.at(0).owed.amount};
  shop.give(RefundOrdered{.job = owing.id, .at_rest = owing, .refund = refund});
  shop.give(retry_of(shop));
  EXPECT_EQ(facts(shop, "NoticeRetried"), 0) << "being paid back";
}

TEST(Retry, IsIgnoredWhereNoResultWasSigned) {
  EngineDriver shop(EngineDriver::policy());
  shop.inference_fails = ledger::InferenceFailure::rejected;
  shop.ask(1);
  EXPECT_FALSE(may_retry_result(shop.job(1)));
  shop.give(RetryOrdered{.job = EngineDriver::id(1), .at_rest = shop.job(1), .retry = {}});
  shop.give(RetryOrdered{.job = EngineDriver::id(2), .at_rest = {}, .retry = {}});
  EXPECT_EQ(facts(shop, "NoticeRetried"), 0);
  EXPECT_EQ(shop.engine().open_jobs(), 0U);
}

TEST(Retry, AsksForNoMoreMoneyAndBlamesNobody) {
  Policy policy = EngineDriver::policy();
  policy.renew_invoices = true;
  auto shop = shop_with_undelivered_result(policy);
  shop.invoice_never_paid(1);
  const Msat before = exposure(shop.job(1));
  shop.give(retry_of(shop));
  const Job job = shop.job(1);
  ASSERT_TRUE(result_of(job).delivered);
  EXPECT_EQ(exposure(job), before) << "or the limits of what may be owed would be exceeded";
  EXPECT_EQ(unpaid_by_default(job), Msat{}) << "its invoice had expired before anybody saw it";
  EXPECT_FALSE(renewal_due(job));
  EXPECT_EQ(facts(shop, "InvoiceIssued"), 1);
}

TEST(Retry, KeepsTheTextsOfWhatIsPublished) {
  auto shop = shop_with_undelivered_result();
  Job job = shop.job(1);
  base::TextRef tags;
  tags.bytes.fill(7);
  job.notices.back().notice.tags = tags;
  job.notices.back().retried = ledger::NoticeRetried{.deadline = shop.now + kDeadlineMs};
  job.notices.back().closed = false;
  shop.relays_accept = false;
  shop.restart(EngineDriver::policy(), job);
  shop.give(PruningOrdered{.pruned = {.texts = 1}, .texts = {tags}});
  EXPECT_THAT(shop.entries.back().gone, testing::IsEmpty());
}

}  // namespace
}  // namespace core
