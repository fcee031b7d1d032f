#include "pipeline/runtime/refund_desk.h"

#include <algorithm>

#include "base/check.h"
#include "base/number_text.h"
#include "pipeline/core/pricing.h"
#include "pipeline/nostr/event.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/runtime/find_job.h"

namespace runtime {

using base::ErrorKind;
using base::Msat;
using base::Result;
using core::Job;
using core::Work;

namespace {

constexpr std::int64_t kPatienceMs = 10'000;
constexpr Msat kLeastFeeLimit{10'000};

auto refuse(const char* code, std::string message, std::string hint = {}) {
  return base::fail(ErrorKind::payment, code, std::move(message), {}, std::move(hint));
}

struct Destination {
  std::string bolt11;
  base::EventId event;  // zero: the operator gave the invoice
};

Result<Destination> destination_of(const Job& job, const RefundOrder& order) {
  if (order.event_json.empty()) return Destination{order.bolt11, {}};
  const auto event = nostr::parse_event(order.event_json);
  if (!event) return tl::unexpected(event.error());
  if (!nostr::verify(*event)) return refuse("refund.event", "the event's signature is not good");
  if (event->pubkey != job.request->customer) {
    return refuse("refund.event", "the event is not by the customer of this job");
  }
  if (event->tag_value("e") != job.id.hex()) {
    return refuse("refund.event", "the event is not about this job", "its e tag must be the job's id");
  }
  return Destination{std::string(event->tag_value("bolt11").value_or(event->content)), event->id};
}

tl::unexpected<base::Error> nothing_owed(const Job& job) {
  if (job.refunds.empty()) {
    return refuse("refund.nothing_owed", "nothing is owed back for this job",
                  "`sellcompute jobs list --state refund_owed` lists the jobs for which something is");
  }
  Msat sum;
  for (const core::Refund& refund : job.refunds) sum += refund.paid->amount;  // none is left unpaid
  return refuse("refund.nothing_owed",
                "nothing is owed back for this job any more: " + base::sats(sum) + " were paid back already",
                "`sellcompute jobs show` says when");
}

Result<Job> existing(FoundJob found) {
  if (!found) return tl::unexpected(found.error());
  if (!*found) return refuse("refund.no_job", "there is no such job");
  return std::move(**found);
}

}  // namespace

RefundDesk::RefundDesk(const Context& context)
    : context_(context), refunds_(context.ports.payer, context.ports.payer_account, context.ports.scheduler) {}

// Everything but the number of the attempt.
Result<ledger::RefundStarted> RefundDesk::prepare(const Job& job, const RefundOrder& order) const {
  const auto unpaid = std::ranges::find_if(job.refunds, [](const core::Refund& refund) { return !refund.paid; });
  if (unpaid == job.refunds.end()) return nothing_owed(job);
  if (core::under_way(*unpaid)) {
    return refuse("refund.under_way", "it is being paid back already",
                  "`sellcompute jobs show` says how that goes; what stays so, `jobs refund --not-paid` can end");
  }
  if (core::result_on_its_way(job)) {
    return refuse("refund.retried", "its result is being published again",
                  "wait until that has ended: `sellcompute jobs show` says when");
  }
  const auto destination = destination_of(job, order);
  if (!destination) return tl::unexpected(destination.error());
  const auto invoice = check_invoice(destination->bolt11, unpaid->owed.amount);
  if (!invoice) return tl::unexpected(invoice.error());
  if (core::find_invoice(job, invoice->payment_hash)) {
    return refuse("refund.own_invoice", "this is our own invoice", "it must be one that the customer made");
  }
  return ledger::RefundStarted{
      .payment_hash = unpaid->owed.payment_hash,
      .wallet = context_.ports.payer_account,
      .bolt11 = destination->bolt11,
      .to = invoice->payment_hash,
      .amount = *invoice->amount,
      .fee_limit = order.fee_limit.value_or(std::max(kLeastFeeLimit, Msat{invoice->amount->value / 100})),
      .event = destination->event};
}

// Of exactly what is owed, or of the next whole satoshi: many wallets know no smaller unit.
Result<wallet::DecodedInvoice> RefundDesk::check_invoice(const std::string& bolt11, Msat owed) const {
  const auto& networks = context_.options.networks;
  const base::TimeMs now = context_.ports.scheduler.now();
  const Msat whole = owed.rounded_up_to(core::kSat);
  auto invoice = wallet::check_invoice(bolt11, owed, networks, now);
  if (!invoice && whole != owed) invoice = wallet::check_invoice(bolt11, whole, networks, now);
  if (invoice) return invoice;
  auto error = invoice.error();
  error.hint = "ask the customer for an invoice of exactly " + base::sats(whole);
  return tl::unexpected(std::move(error));
}

void RefundDesk::order(const core::JobId& id, const RefundOrder& order, Done done) {
  if (context_.failed()) return done(refuse("refund.stopping", "the ledger has failed"));
  if (!context_.ports.payer) {
    return done(refuse("refund.receive_only", "nothing can be paid back: the wallet's credential only receives",
                       "name one that may spend: wallet.refund_credential_file"));
  }
  auto attempt = existing(find_job(context_, id)).and_then([&](const Job& job) { return prepare(job, order); });
  if (!attempt) return done(tl::unexpected(attempt.error()));
  const wallet::PaymentOrder payment{.bolt11 = attempt->bolt11,
                                     .payment_hash = attempt->to,
                                     .amount = attempt->amount,
                                     .fee_limit = attempt->fee_limit};
  refunds_.check_unpaid(payment,
                        [this, id, attempt = std::move(*attempt), done = std::move(done)](const Result<void>& unpaid) {
                          if (!unpaid) return done(tl::unexpected(unpaid.error()));
                          find_settled_job(context_, id, [this, attempt, done](FoundJob found) {
                            auto job = existing(std::move(found));
                            if (!job) return done(tl::unexpected(job.error()));
                            begin(std::move(*job), attempt, done);
                          });
                        });
}

// The job as it is by now: another order may have come while the wallet was asked.
void RefundDesk::begin(Job job, ledger::RefundStarted attempt, Done done) {
  const core::Refund* refund = core::find_refund(job, attempt.payment_hash);
  if (!refund || refund->paid || core::under_way(*refund) || waiting_.contains(attempt.to)) {
    return done(refuse("refund.under_way", "it is being paid back already"));
  }
  if (core::result_on_its_way(job)) return done(refuse("refund.retried", "its result is being published again"));
  // What prepare() accepted: what is owed does not change.
  CHECK(attempt.amount <= refund->owed.amount.rounded_up_to(core::kSat), attempt.amount, refund->owed.amount);
  const base::Hash256 to = attempt.to;
  if (!refunds_.begin(to)) return done(refuse("refund.invoice_used", "this invoice was paid before, or it was tried"));
  waiting_.emplace(to, std::move(done));
  context_.ports.scheduler.after(kPatienceMs, [this, attempt] { answer(attempt.to, attempt); });
  const base::JobId id = job.id;
  context_.post(core::RefundOrdered{.job = id, .at_rest = std::move(job), .refund = std::move(attempt)});
}

void RefundDesk::give_up(const core::JobId& id, const std::string& word, std::function<void(Result<void>)> done) {
  const auto job = existing(find_job(context_, id));
  if (!job) return done(tl::unexpected(job.error()));
  const auto refund = std::ranges::find_if(job->refunds, core::under_way);
  if (refund == job->refunds.end())
    return done(refuse("refund.not_under_way", "nothing is being paid back for this job"));
  const ledger::RefundStarted& attempt = *refund->started;
  const ledger::RefundFailed failed{.payment_hash = attempt.payment_hash,
                                    .attempt = attempt.attempt,
                                    .message = "not paid, by the operator's word: " + word};
  const auto index = static_cast<std::uint32_t>(refund - job->refunds.begin());
  refunds_.give_up(attempt,
                   [this, id, failed, index, to = attempt.to, done = std::move(done)](const Result<void>& over) {
                     if (over) {
                       context_.post(core::RefundEnded{id, {.action = core::Action::pay_back, .index = index}, failed});
                       answer(to, failed);
                     }
                     done(over);
                   });
}

void RefundDesk::pay_back(const Job& job, const Work& work) {
  const ledger::RefundStarted& attempt = *job.refunds[work.index].started;
  const base::JobId id = job.id;
  const bool followed = refunds_.follow(attempt, [this, id, work, to = attempt.to](const auto& ended) {
    context_.post(core::RefundEnded{id, work, ended});
    std::visit([&](const auto& outcome) { answer(to, outcome); }, ended);
  });
  if (followed) return;
  context_.problem("job " + id.hex() + " is being paid back by the wallet \"" + attempt.wallet +
                   "\", which is not configured to spend: what became of it is not known");
}

void RefundDesk::answer(const base::Hash256& to, const RefundOutcome& outcome) {
  const auto waiting = waiting_.extract(to);
  if (waiting) waiting.mapped()(outcome);
}

}  // namespace runtime
