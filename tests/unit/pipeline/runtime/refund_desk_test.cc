// The operator's orders to pay back, from the order to its answer.
#include "pipeline/runtime/refund_desk.h"

#include <gmock/gmock.h>

#include "tests/unit/pipeline/runtime/part_test.h"

namespace runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

class RefundDeskTest : public PartTest {
 protected:
  RefundDeskTest() { open({owing_job()}); }

  // 8.5 sat of a payment of the sample job are owed back.
  core::Job owing_job() {
    core::Job job = sample_job();
    job.refunds.push_back({.owed = {.payment_hash = base::sha256("ours"), .amount = base::Msat{8'500}}});
    return job;
  }
  core::Job job_under_way() {
    core::Job job = owing_job();
    job.refunds[0].started = ledger::RefundStarted{.payment_hash = base::sha256("ours"),
                                                   .attempt = 1,
                                                   .wallet = "scripted 01",
                                                   .bolt11 = theirs({9'000}),
                                                   .to = base::sha256("theirs"),
                                                   .amount = base::Msat{9'000}};
    return job;
  }
  static std::string theirs(base::Msat amount) { return invoice(amount, "theirs"); }
  void order(const RefundOrder& one) {
    desk.order(sample_job().id, one, [this](const auto& outcome) { outcomes.push_back(outcome); });
  }
  // The code of the one answer, which is an error.
  std::string refusal() const {
    EXPECT_THAT(outcomes, SizeIs(1));
    return outcomes.empty() || outcomes[0] ? "" : outcomes[0].error().code;
  }
  // What the runtime does once RefundStarted is durable.
  void carry_out() {
    const auto ordered = all<core::RefundOrdered>();
    ASSERT_THAT(ordered, SizeIs(1));
    core::Job job = owing_job();
    job.refunds[0].started = ordered[0].refund;
    job.refunds[0].started->attempt = 1;
    open({job});
    desk.pay_back(*engine.find(job.id), {.action = core::Action::pay_back});
  }

  RefundDesk desk{context};
  std::vector<base::Result<RefundOutcome>> outcomes;
};

TEST_F(RefundDeskTest, RecordTheAttemptBeforeTheWalletIsToldToPay) {
  order({.bolt11 = theirs({9'000}), .fee_limit = base::Msat{500}});
  pass(100);
  const auto ordered = all<core::RefundOrdered>();
  ASSERT_THAT(ordered, SizeIs(1));
  EXPECT_EQ(ordered[0].job, sample_job().id);
  EXPECT_EQ(ordered[0].refund.payment_hash, base::sha256("ours"));
  EXPECT_EQ(ordered[0].refund.to, base::sha256("theirs"));
  EXPECT_EQ(ordered[0].refund.amount, base::Msat{9'000}) << "the next whole satoshi is as good";
  EXPECT_EQ(ordered[0].refund.fee_limit, base::Msat{500});
  EXPECT_EQ(ordered[0].refund.wallet, "scripted 01");
  EXPECT_THAT(spender.paid, IsEmpty());
  EXPECT_THAT(outcomes, IsEmpty());
}

TEST_F(RefundDeskTest, AnswerWithWhatBecameOfThePayment) {
  order({.bolt11 = theirs({8'500})});
  pass(100);
  carry_out();
  pass(100);
  ASSERT_THAT(spender.paid, SizeIs(1));
  EXPECT_EQ(spender.paid[0].amount, base::Msat{8'500});
  EXPECT_EQ(spender.paid[0].fee_limit, base::Msat{10'000}) << "without a limit of the operator's, at least 10 sat";
  ASSERT_THAT(all<core::RefundEnded>(), SizeIs(1));
  ASSERT_THAT(outcomes, SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<ledger::RefundPaid>(outcomes[0].value()));
  pass(60'000);
  EXPECT_THAT(outcomes, SizeIs(1)) << "once";
}

TEST_F(RefundDeskTest, AnswerAfterSomeSecondsThatItIsNotKnownYet) {
  spender.pays = wallet::PaymentUnderWay{};
  spender.knows = wallet::Unknown{};
  order({.bolt11 = theirs({9'000})});
  pass(100);
  carry_out();
  pass(11'000);
  ASSERT_THAT(outcomes, SizeIs(1));
  EXPECT_TRUE(std::holds_alternative<ledger::RefundStarted>(outcomes[0].value()));
  EXPECT_THAT(all<core::RefundEnded>(), IsEmpty());
}

TEST_F(RefundDeskTest, TakeAnEventThatTheCustomerSigned) {
  const auto event = [&](const nostr::SecretKey& by, const std::string& about) {
    return nostr::to_json(nostr::sign({.kind = 7, .tags = {{"e", about}, {"bolt11", theirs({9'000})}}}, by, {}));
  };
  order({.event_json = event(key, sample_job().id.hex())});
  order({.event_json = event(customer, std::string(64, 'a'))});
  ASSERT_THAT(outcomes, SizeIs(2));
  for (const auto& outcome : outcomes) EXPECT_EQ(outcome.error().code, "refund.event");
  order({.event_json = event(customer, sample_job().id.hex())});
  pass(100);
  const auto ordered = all<core::RefundOrdered>();
  ASSERT_THAT(ordered, SizeIs(1));
  EXPECT_FALSE(ordered[0].refund.event.is_zero());
}

TEST_F(RefundDeskTest, RefuseAnInvoiceOfAnotherAmount) {
  order({.bolt11 = theirs({10'000})});
  EXPECT_EQ(refusal(), "bolt11.wrong_amount");
  EXPECT_THAT(outcomes[0].error().hint, HasSubstr("exactly 9"));
}

TEST_F(RefundDeskTest, RefuseOurOwnInvoice) {
  core::Job job = owing_job();
  job.invoices.push_back({.issued = {.payment_hash = base::sha256("theirs")}});
  open({job});
  order({.bolt11 = theirs({9'000})});
  EXPECT_EQ(refusal(), "refund.own_invoice");
}

TEST_F(RefundDeskTest, RefuseWhatIsNotOwedOrIsUnderWay) {
  open({sample_job()});
  order({.bolt11 = theirs({9'000})});
  EXPECT_EQ(refusal(), "refund.nothing_owed");
  outcomes.clear();
  core::Job refunded = owing_job();
  refunded.refunds.back().paid = ledger::RefundPaid{.amount = base::Msat{9'000}};
  open({refunded});
  order({.bolt11 = theirs({9'000})});
  ASSERT_EQ(refusal(), "refund.nothing_owed");
  EXPECT_THAT(outcomes[0].error().message, HasSubstr("9 sat were paid back already"));
  outcomes.clear();
  open({job_under_way()});
  order({.bolt11 = theirs({9'000})});
  EXPECT_EQ(refusal(), "refund.under_way");
  outcomes.clear();
  open({});
  order({.bolt11 = theirs({9'000})});
  EXPECT_EQ(refusal(), "refund.no_job");
}

TEST_F(RefundDeskTest, RefuseAnInvoiceThatTheWalletKnows) {
  spender.knows = wallet::PaymentFailed{};
  order({.bolt11 = theirs({9'000})});
  pass(100);
  EXPECT_EQ(refusal(), "refund.invoice_used");
  EXPECT_THAT(posted, IsEmpty());
}

TEST_F(RefundDeskTest, OfTwoOrdersAtOnceOneIsCarriedOut) {
  order({.bolt11 = theirs({9'000})});
  order({.bolt11 = theirs({9'000})});
  pass(100);
  EXPECT_THAT(all<core::RefundOrdered>(), SizeIs(1));
  EXPECT_EQ(refusal(), "refund.under_way");
}

TEST_F(RefundDeskTest, FindAJobAtRestInTheLedger) {
  open({});
  journal.jobs[sample_job().id] = owing_job();
  order({.bolt11 = theirs({9'000})});
  pass(100);
  const auto ordered = all<core::RefundOrdered>();
  ASSERT_THAT(ordered, SizeIs(1));
  ASSERT_TRUE(ordered[0].at_rest);
  EXPECT_EQ(ordered[0].at_rest->id, sample_job().id);
}

TEST_F(RefundDeskTest, PayNothingOnceTheLedgerHasFailed) {
  failures.push_back(unreadable());
  order({.bolt11 = theirs({9'000})});
  EXPECT_EQ(refusal(), "refund.stopping");
}

TEST_F(RefundDeskTest, ReportAnAttemptOfAnotherAccount) {
  core::Job job = job_under_way();
  job.refunds[0].started->wallet = "scripted 02";
  open({job});
  desk.pay_back(*engine.find(job.id), {.action = core::Action::pay_back});
  EXPECT_THAT(problems, ElementsAre(HasSubstr("\"scripted 02\", which is not configured to spend")));
}

TEST_F(RefundDeskTest, GiveUpAnAttemptOnceTheCustomersInvoiceHasExpired) {
  std::vector<base::Result<void>> answers;
  const auto give_up = [&] {
    desk.give_up(sample_job().id, "I looked", [&](const base::Result<void>& answer) { answers.push_back(answer); });
  };
  give_up();
  ASSERT_THAT(answers, SizeIs(1));
  EXPECT_EQ(answers[0].error().code, "refund.not_under_way");

  open({job_under_way()});
  give_up();
  ASSERT_THAT(answers, SizeIs(2));
  EXPECT_EQ(answers[1].error().code, "refund.may_be_paid");
  EXPECT_THAT(posted, IsEmpty());

  pass(kTestInvoiceLifeMs + 11LL * 60 * 1000);
  give_up();
  ASSERT_THAT(answers, SizeIs(3));
  EXPECT_TRUE(answers[2]);
  const auto ended = all<core::RefundEnded>();
  ASSERT_THAT(ended, SizeIs(1));
  EXPECT_EQ(std::get<ledger::RefundFailed>(ended[0].outcome).message, "not paid, by the operator's word: I looked");
  EXPECT_EQ(std::get<ledger::RefundFailed>(ended[0].outcome).attempt, 1U);
}

}  // namespace
}  // namespace runtime
