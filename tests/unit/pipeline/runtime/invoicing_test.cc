// Invoices: ordered and checked, watched to their end, and what is held for them taken or given back.
#include "pipeline/runtime/invoicing.h"

#include <gmock/gmock.h>

#include "tests/unit/pipeline/runtime/part_test.h"

namespace runtime {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

constexpr core::Work kCreate{.action = core::Action::create_invoice, .attempt = 1};
constexpr core::Work kWatch{.action = core::Action::watch};
constexpr core::Work kGiveBack{.action = core::Action::give_back};

class InvoicingTest : public PartTest {
 protected:
  static core::Policy policy() { return {.invoice_expiry_ms = 600'000, .invoice_grace_ms = 60'000}; }
  // 9 sat are to be paid before anything is done.
  core::Job job_to_be_paid(ledger::PaymentMode mode = ledger::PaymentMode::payment_first) {
    core::Job job = sample_job();
    job.quote->payment_mode = mode;
    return job;
  }
  core::Job job_with_invoice(const std::string& wallet_kind, bool hold = false) {
    core::Job job = job_to_be_paid(hold ? ledger::PaymentMode::escrow : ledger::PaymentMode::payment_first);
    job.invoices.push_back({.issued = {.purpose = ledger::InvoicePurpose::job,
                                       .attempt = 1,
                                       .wallet = wallet_kind,
                                       .bolt11 = invoice({9'000}, "ours"),
                                       .payment_hash = base::sha256("ours"),
                                       .amount = {9'000},
                                       .expires_at = kStart + kTestInvoiceLifeMs,
                                       .hold = hold}});
    return job;
  }
  const core::Job& opened(const core::Job& job) {
    open({job}, policy());
    return *engine.find(job.id);
  }

  RecordingWallet former;
  std::vector<core::JobId> stopped;
  // Made when the test has said which wallets there are.
  std::optional<Invoicing> part;
  Invoicing& invoicing() {
    if (!part) part.emplace(context, [this](const core::JobId& id) { stopped.push_back(id); });
    return *part;
  }
};

TEST_F(InvoicingTest, OrdersWhatTheJobOwes) {
  const core::Job& job = opened(job_to_be_paid());
  invoicing().create(job, kCreate);
  ASSERT_THAT(wallet.ordered, SizeIs(1));
  EXPECT_EQ(wallet.ordered[0].job, job.id);
  EXPECT_EQ(wallet.ordered[0].amount, base::Msat{9'000});
  EXPECT_EQ(wallet.ordered[0].expiry_ms, 600'000);
  EXPECT_FALSE(wallet.ordered[0].hold);
  wallet.made(wallet::MadeInvoice{.bolt11 = invoice({9'000}, "ours"), .reference = "ref"});
  const auto created = all<core::InvoiceCreated>();
  ASSERT_THAT(created, SizeIs(1));
  EXPECT_EQ(created[0].work, kCreate);
  EXPECT_EQ(created[0].invoice.wallet, "scripted");
  EXPECT_EQ(created[0].invoice.payment_hash, base::sha256("ours"));
  EXPECT_EQ(created[0].invoice.expires_at, kStart + kTestInvoiceLifeMs);
  EXPECT_EQ(created[0].invoice.reference, "ref");
}

TEST_F(InvoicingTest, BelievesNoInvoiceThatIsNotAsOrdered) {
  const core::Job& job = opened(job_to_be_paid());
  invoicing().create(job, kCreate);
  wallet.made(wallet::MadeInvoice{.bolt11 = invoice({8'000}, "ours")});
  const auto failed = all<core::InvoiceNotCreated>();
  ASSERT_THAT(failed, SizeIs(1));
  EXPECT_TRUE(failed[0].stale) << "the same order would give the same invoice again";
}

TEST_F(InvoicingTest, PostsTheWalletsError) {
  const core::Job& job = opened(job_to_be_paid());
  invoicing().create(job, kCreate);
  wallet.made(base::fail(base::ErrorKind::payment, "wallet.unreachable", "no answer"));
  const auto failed = all<core::InvoiceNotCreated>();
  ASSERT_THAT(failed, SizeIs(1));
  EXPECT_EQ(failed[0].message, "no answer");
  EXPECT_FALSE(failed[0].stale);
}

TEST_F(InvoicingTest, OrdersNothingToBeHeldFromAWalletThatCannot) {
  const core::Job& job = opened(job_to_be_paid(ledger::PaymentMode::escrow));
  invoicing().create(job, kCreate);
  EXPECT_THAT(wallet.ordered, IsEmpty());
  EXPECT_THAT(all<core::InvoiceNotCreated>(), SizeIs(1));
  wallet.able.holds = true;
  invoicing().create(job, kCreate);
  ASSERT_THAT(wallet.ordered, SizeIs(1));
  EXPECT_TRUE(wallet.ordered[0].hold);
}

TEST_F(InvoicingTest, PostsThatAnInvoiceWasPaid) {
  const core::Job& job = opened(job_with_invoice("scripted"));
  invoicing().watch(job, kWatch);
  wallet.found(ledger::InvoiceSettled{.payment_hash = base::sha256("ours"), .received = {9'000}});
  const auto settled = all<core::Settled>();
  ASSERT_THAT(settled, SizeIs(1));
  EXPECT_EQ(settled[0].job, job.id);
  EXPECT_EQ(settled[0].settlement.received, base::Msat{9'000});
}

TEST_F(InvoicingTest, StopsTheModelWhenAHeldPaymentHasGoneBack) {
  core::Job held = job_with_invoice("scripted", true);
  held.invoices[0].held = ledger::InvoiceHeld{.payment_hash = base::sha256("ours"), .amount = {9'000}};
  const core::Job& job = opened(held);
  invoicing().watch(job, kWatch);
  wallet.found(wallet::GivenBack{});
  EXPECT_THAT(stopped, ElementsAre(job.id));
  EXPECT_THAT(all<core::NeverPaid>(), SizeIs(1));
}

TEST_F(InvoicingTest, LetsTheModelRunWhenAnotherInvoiceWasNeverPaid) {
  const core::Job& job = opened(job_with_invoice("scripted"));
  invoicing().watch(job, kWatch);
  pass(kTestInvoiceLifeMs + 60'000);
  wallet.found(wallet::Open{});
  pass(60'000);
  wallet.found(wallet::Expired{});
  EXPECT_THAT(all<core::NeverPaid>(), SizeIs(1));
  EXPECT_THAT(stopped, IsEmpty());
}

TEST_F(InvoicingTest, AsksTheWalletThatWasUsedBefore) {
  former.name = "former";
  ports.former_wallets = {&former};
  const core::Job& job = opened(job_with_invoice("former"));
  invoicing().watch(job, kWatch);
  EXPECT_EQ(former.looked_up, 1);
  EXPECT_EQ(wallet.looked_up, 0);
}

TEST_F(InvoicingTest, ReportsAnInvoiceOfAWalletThatIsNotConfigured) {
  const core::Job& job = opened(job_with_invoice("unknown"));
  invoicing().watch(job, kWatch);
  EXPECT_THAT(problems, ElementsAre(HasSubstr("waits for the wallet \"unknown\", which is not configured")));
}

// ---- closed by the operator's word ----------------------------------------------------------------------------------

class ClosingTest : public InvoicingTest {
 protected:
  // What became of it; nothing yet: no answer.
  std::optional<base::Result<void>> close(const core::JobId& id) {
    const auto out = std::make_shared<std::optional<base::Result<void>>>();
    invoicing().close(id, "never paid: I looked", [out](const auto& closed) { *out = closed; });
    answer = out;
    return *out;
  }
  std::string refusal() const { return answer && *answer && !**answer ? (**answer).error().code : ""; }
  bool closed() const { return answer && *answer && **answer; }
  void expire() { pass(kTestInvoiceLifeMs + 60'000); }
  std::shared_ptr<std::optional<base::Result<void>>> answer;
};

TEST_F(ClosingTest, EndsTheWatchingByTheOperatorsWord) {
  const core::Job& job = opened(job_with_invoice("scripted"));
  invoicing().watch(job, kWatch);
  wallet.found(wallet::Open{});
  expire();
  wallet.found(wallet::Unknown{});
  close(job.id);
  EXPECT_FALSE(*answer) << "the wallet is asked once more";
  wallet.found(wallet::Unknown{});
  EXPECT_TRUE(closed());
  const auto ended = all<core::NeverPaid>();
  ASSERT_THAT(ended, SizeIs(1));
  EXPECT_EQ(ended[0].expiry.payment_hash, base::sha256("ours"));
  EXPECT_EQ(ended[0].expiry.basis, ledger::ExpiryBasis::operator_said);
  EXPECT_EQ(ended[0].expiry.evidence, "never paid: I looked");
  const int asked = wallet.looked_up;
  pass(24 * 3'600'000);
  EXPECT_EQ(wallet.looked_up, asked) << "it is watched no more";
}

TEST_F(ClosingTest, StandsForAWalletThatDoesNotAnswerOrIsGone) {
  core::Job job = job_with_invoice("scripted");
  job.invoices.push_back(job.invoices[0]);
  job.invoices[1].issued.payment_hash = base::sha256("the second");
  job.invoices[1].issued.wallet = "gone";
  opened(job);
  expire();
  close(job.id);
  wallet.found(base::fail(base::ErrorKind::payment, "wallet.unreachable", "no answer"));
  EXPECT_TRUE(closed());
  EXPECT_THAT(all<core::NeverPaid>(), SizeIs(2));
}

TEST_F(ClosingTest, ASettlementOutweighsTheOperatorsWord) {
  const core::Job& job = opened(job_with_invoice("scripted"));
  expire();
  close(job.id);
  wallet.found(ledger::InvoiceSettled{.payment_hash = base::sha256("ours"), .received = {9'000}});
  EXPECT_EQ(refusal(), "close.paid");
  EXPECT_THAT(all<core::Settled>(), SizeIs(1));
  EXPECT_THAT(all<core::NeverPaid>(), IsEmpty());
}

TEST_F(ClosingTest, RefusesWhatCanStillBePaidOrIsHeld) {
  const core::Job& job = opened(job_with_invoice("scripted", true));
  pass(kTestInvoiceLifeMs);
  close(job.id);
  EXPECT_EQ(refusal(), "close.may_be_paid") << "the grace is not over";
  EXPECT_EQ(wallet.looked_up, 0);
  pass(60'000);
  close(job.id);
  wallet.found(wallet::Held{.amount = {9'000}});
  EXPECT_EQ(refusal(), "close.held");
  core::Job held = job_with_invoice("scripted", true);
  held.invoices[0].held = ledger::InvoiceHeld{.payment_hash = base::sha256("ours"), .amount = {9'000}};
  opened(held);
  close(held.id);
  EXPECT_EQ(refusal(), "close.held");
  EXPECT_THAT(posted, IsEmpty());
}

TEST_F(ClosingTest, RefusesWhereNothingIsOpen) {
  core::Job paid = job_with_invoice("scripted");
  paid.invoices[0].settled = ledger::InvoiceSettled{.payment_hash = base::sha256("ours"), .received = {9'000}};
  journal.jobs[paid.id] = paid;
  close(paid.id);
  EXPECT_EQ(refusal(), "close.paid");
  journal.jobs[paid.id] = sample_job();
  close(paid.id);
  EXPECT_EQ(refusal(), "close.nothing_open");
  close(base::JobId::from_bytes(std::string(32, '\x01')).value());
  EXPECT_EQ(refusal(), "close.no_job");
  EXPECT_THAT(posted, IsEmpty());
}

TEST_F(ClosingTest, EndsNothingTwiceWhenTheJobEndsMeanwhile) {
  const core::Job& job = opened(job_with_invoice("scripted"));
  const core::JobId id = job.id;
  expire();
  close(id);
  open({});
  wallet.found(wallet::Unknown{});
  EXPECT_EQ(refusal(), "close.nothing_open");
  EXPECT_THAT(posted, IsEmpty());
}

TEST_F(InvoicingTest, GivesBackAgainUntilTheWorkHasEnded) {
  core::Job cancelled = job_with_invoice("scripted", true);
  cancelled.cancelled = ledger::JobCancelled{.by = ledger::CancelledBy::provider};
  const core::Job& job = opened(cancelled);
  ports.former_wallets = {&former};  // another account of the same kind
  invoicing().resolve_hold(job.id, kGiveBack);
  EXPECT_THAT(wallet.given_back, IsEmpty()) << "the engine has not asked for it";
  engine.resume(time.now());
  invoicing().resolve_hold(job.id, kGiveBack);
  ASSERT_THAT(wallet.given_back, SizeIs(1));
  EXPECT_EQ(wallet.given_back[0].attempt, 1U);
  wallet.resolved({});
  pass(5'000);
  ASSERT_THAT(former.given_back, SizeIs(1)) << "each account in turn";
  former.resolved(base::fail(base::ErrorKind::payment, "wallet.refused", "unknown invoice"));
  pass(10'000);
  EXPECT_THAT(wallet.given_back, SizeIs(2));
  EXPECT_THAT(wallet.taken, IsEmpty());
  open({});
  wallet.resolved({});
  pass(60'000);
  EXPECT_THAT(former.given_back, SizeIs(1));
}

}  // namespace
}  // namespace runtime
