#include "replay/job_audit.h"

#include <algorithm>
#include <map>

#include "base/number_text.h"
#include "pipeline/core/pricing.h"
#include "pipeline/core/rules.h"
#include "pipeline/wallet/bolt11.h"

namespace replay {
namespace {

using base::Msat;
using base::sats;
using core::Job;

// Checks each fact against the job as it was before.
class JobAudit {
 public:
  std::vector<JobWrong> run(std::span<const ledger::Entry> facts) {
    closes_ = std::ranges::any_of(
        facts, [](const ledger::Entry& entry) { return std::holds_alternative<ledger::JobClosed>(entry.fact); });
    for (const ledger::Entry& entry : facts) {
      seq_ = entry.seq;
      std::visit([this](const auto& event) { check(event); }, entry.fact);
      core::evolve(job_, entry.header.job, entry.header.time, entry.fact);
      check_revealed();
    }
    return std::move(out_);
  }

 private:
  void wrong_if(bool wrong, std::string what) {
    if (wrong) out_.push_back({seq_, std::move(what)});
  }

  void check(const ledger::JobRequested&) { wrong_if(job_.request.has_value(), "the job was requested before"); }

  void check(const ledger::JobDeclined&) {
    check_begun();
    wrong_if(job_.quote || job_.declined, "declined, although it was decided before");
  }

  void check(const ledger::JobQuoted& e) {
    check_begun();
    wrong_if(job_.quote || job_.declined, "quoted, although it was decided before");
    wrong_if(job_.request && !job_.request->sources.empty() && !job_.inputs, "quoted before its inputs were gathered");
    wrong_if(job_.request && e.input_tokens != core::input_tokens(job_),
             "quoted for another number of tokens than the prompt has");
    const auto bid = job_.request ? job_.request->bid : std::nullopt;
    wrong_if(bid && e.price > *bid, "quoted " + sats(e.price) + ", above the bid" + (bid ? " of " + sats(*bid) : ""));
  }

  void check(const ledger::InputsGathered& e) {
    check_gathering();
    wrong_if(job_.request && e.texts.size() != job_.request->sources.size(),
             "not as many inputs were gathered as the job has");
  }

  void check(const ledger::InputsFailed&) { check_gathering(); }

  void check(const ledger::InvoiceIssued& e) {
    check_begun();
    check_not_closed("it was invoiced");
    const Msat quoted = job_.quote ? job_.quote->price : Msat{};
    wrong_if(e.amount > quoted, "invoiced " + sats(e.amount) + ", above the quote of " + sats(quoted));
    wrong_if(e.amount <= Msat{}, "an invoice for nothing");
    wrong_if(core::find_invoice(job_, e.payment_hash) != nullptr,
             "an invoice with a payment hash that was used before");
    const auto invoice = wallet::decode_bolt11(e.bolt11);
    if (!invoice) return wrong_if(true, "the invoice's text cannot be read: " + invoice.error().message);
    wrong_if(invoice->amount != e.amount, "the invoice's text asks for another amount than " + sats(e.amount));
    wrong_if(invoice->payment_hash != e.payment_hash, "the invoice's text has another payment hash");
  }

  void check(const ledger::InvoiceFailed&) { check_begun(); }

  void check(const ledger::InvoiceSettled& e) {
    const core::Invoice* invoice = core::find_invoice(job_, e.payment_hash);
    wrong_if(!invoice, "settled, but never invoiced: payment hash " + e.payment_hash.hex());
    wrong_if(invoice && invoice->settled, "the same invoice settled before");
    wrong_if(e.received <= Msat{}, "settled, but nothing was received");
    // What a rollback lost may have had its result.
    wrong_if(invoice && invoice->issued.hold && !core::find_notice(job_, ledger::NoticePurpose::result) && !closes_,
             "a payment that was held was taken before its result was signed");
    wrong_if(!e.preimage.is_zero() && base::sha256(e.preimage.view()) != e.payment_hash,
             "the preimage does not hash to the payment hash");
  }

  void check(const ledger::InvoiceHeld& e) {
    const core::Invoice* invoice = core::find_invoice(job_, e.payment_hash);
    wrong_if(!invoice, "held, but never invoiced: payment hash " + e.payment_hash.hex());
    wrong_if(invoice && !invoice->issued.hold, "held, although the invoice is not one that holds");
  }

  void check(const ledger::InvoiceExpired& e) {
    const core::Invoice* invoice = core::find_invoice(job_, e.payment_hash);
    wrong_if(!invoice, "expired, but never invoiced: payment hash " + e.payment_hash.hex());
    wrong_if(invoice && invoice->settled, "expired, although it had settled");
  }

  void check(const ledger::InvoiceUnknown& e) {
    const core::Invoice* invoice = core::find_invoice(job_, e.payment_hash);
    wrong_if(!invoice, "unknown to the wallet, but never invoiced: payment hash " + e.payment_hash.hex());
    wrong_if(invoice && invoice->settled, "unknown to the wallet, although it had settled");
  }

  void check(const ledger::InferenceStarted&) {
    check_may_run("the model was started");
    check_not_closed("the model was started");
  }

  void check(const ledger::InferenceCompleted&) {
    check_may_run("the job was answered");
    wrong_if(job_.completion.has_value(), "the job was answered before");
  }

  void check(const ledger::InferenceFailed&) { check_may_run("the model was run"); }

  void check(const ledger::NoticeSigned& e) {
    check_begun();
    check_not_closed("a notice was signed");
    const std::string purpose(ledger::name(e.purpose));
    wrong_if(core::find_notice(job_, e.purpose) != nullptr, "a second " + purpose + " notice was signed");
    wrong_if(e.purpose == ledger::NoticePurpose::invoice_renewed && !core::renewal_due(job_),
             "an invoice was renewed that could still be paid, or that nobody owed");
    if (e.purpose != ledger::NoticePurpose::result) return;
    wrong_if(!job_.completion, "a result was signed, but the job was never answered");
    wrong_if(job_.completion && job_.completion->result != e.content, "the signed result is not the answer");
  }

  void check(const ledger::NoticePublished& e) {
    const bool signed_before =
        std::ranges::any_of(job_.notices, [&](const core::Notice& notice) { return notice.notice.event == e.event; });
    wrong_if(!signed_before, "published, but never signed: event " + e.event.hex());
  }

  void check(const ledger::NoticeRetried& e) {
    const core::Notice* result = core::find_notice(job_, e.purpose);
    if (e.purpose != ledger::NoticePurpose::result || !result || result->notice.event != e.event) {
      return wrong_if(true, "published again, but never signed as the result: event " + e.event.hex());
    }
    wrong_if(!core::may_retry_result(job_),
             "published again, although it was delivered, not given up, closed by a rollback, or paid back");
  }

  void check(const ledger::JobCancelled&) {
    check_begun();
    wrong_if(job_.request && !core::cancellable(job_), "cancelled, although it was over or its result was signed");
  }

  void check(const ledger::JobExpired&) { check_begun(); }

  void check(const ledger::JobClosed&) { check_begun(); }

  void check(const ledger::RefundOwed& e) {
    const core::Invoice* invoice = core::find_invoice(job_, e.payment_hash);
    const bool settled = invoice && invoice->settled;
    wrong_if(!settled, "owed back, but never settled: payment hash " + e.payment_hash.hex());
    wrong_if(settled && e.amount > invoice->settled->received, "more is owed back than was received");
  }

  void check(const ledger::RefundStarted& e) {
    const core::Refund* refund = core::find_refund(job_, e.payment_hash);
    if (!refund) return wrong_if(true, "paid back, but never owed: payment hash " + e.payment_hash.hex());
    wrong_if(refund->paid.has_value(), "paid back a second time");
    wrong_if(core::under_way(*refund), "paid back again before it was known what became of the attempt before");
    wrong_if(e.amount != refund->owed.amount && e.amount != refund->owed.amount.rounded_up_to({1000}),
             "another amount is paid back than is owed");
    const auto invoice = wallet::decode_bolt11(e.bolt11);
    if (!invoice) return wrong_if(true, "the customer's invoice cannot be read: " + invoice.error().message);
    wrong_if(invoice->amount != e.amount || invoice->payment_hash != e.to, "the customer's invoice is another");
  }

  void check(const ledger::RefundPaid& e) {
    const core::Refund* refund = check_refund_attempt(e.payment_hash, e.attempt);
    wrong_if(refund && !e.preimage.is_zero() && base::sha256(e.preimage.view()) != refund->started->to,
             "the preimage does not hash to the payment hash of the customer's invoice");
  }

  void check(const ledger::RefundFailed& e) { check_refund_attempt(e.payment_hash, e.attempt); }

  template <class ShopFact>
  void check(const ShopFact&) {
    wrong_if(true, "a fact about the shop bears a job's id");
  }

  void check_not_closed(const std::string& what) {
    wrong_if(job_.closed.has_value(), what + ", although a rollback had closed the job");
  }

  void check_begun() { wrong_if(!job_.request, "the job was never requested"); }

  // The refund whose attempt this is; null, and wrong, when nothing such is under way.
  const core::Refund* check_refund_attempt(const base::Hash256& payment_hash, std::uint32_t attempt) {
    const core::Refund* refund = core::find_refund(job_, payment_hash);
    const bool known = refund && core::under_way(*refund) && refund->started->attempt == attempt;
    wrong_if(!known, "an end of paying back that was not begun: payment hash " + payment_hash.hex());
    return known ? refund : nullptr;
  }

  void check_gathering() {
    check_begun();
    wrong_if(job_.inputs || job_.inputs_failed, "the inputs were gathered before");
    wrong_if(job_.quote || job_.declined, "the inputs were gathered after the job was decided");
  }

  void check_may_run(const std::string& what) {
    check_begun();
    wrong_if(!job_.quote, what + ", but the job was never quoted");
    wrong_if(job_.quote && !core::may_run(job_), what + " before the payment that comes first had settled");
  }

  // At most one invoice of an attempt may have been seen by the customer.
  void check_revealed() {
    std::map<std::uint32_t, int> revealed;  // by attempt
    for (const core::Invoice& invoice : job_.invoices) {
      if (invoice.revealed) ++revealed[invoice.issued.attempt];
    }
    const bool twice = std::ranges::any_of(revealed, [](const auto& attempt) { return attempt.second > 1; });
    wrong_if(twice && !revealed_twice_, "a second invoice of the same attempt was revealed");
    revealed_twice_ = twice;
  }

  Job job_;
  base::Seq seq_ = 0;
  bool revealed_twice_ = false;
  bool closes_ = false;  // by a rollback, sooner or later
  std::vector<JobWrong> out_;
};

}  // namespace

std::vector<JobWrong> audit_job(std::span<const ledger::Entry> facts) {
  return JobAudit().run(facts);
}

}  // namespace replay
