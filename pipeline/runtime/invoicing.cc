#include "pipeline/runtime/invoicing.h"

#include <algorithm>

#include "pipeline/core/canary.h"
#include "pipeline/runtime/find_job.h"

namespace runtime {

using base::Result;
using base::TimeMs;
using core::Job;
using core::Work;

namespace {

constexpr std::int64_t kFirstHoldPauseMs = 5'000;
constexpr std::int64_t kLongestHoldPauseMs = 60'000;

std::vector<wallet::Wallet*> all_wallets(const Ports& ports) {
  std::vector<wallet::Wallet*> out{&ports.wallet};
  std::ranges::copy(ports.former_wallets, std::back_inserter(out));
  return out;
}

// By the invoice's own text: wallets may give it another life than it was ordered with.
TimeMs made_at(const ledger::InvoiceIssued& invoice) {
  const auto decoded = wallet::decode_bolt11(invoice.bolt11);
  return decoded ? TimeMs{decoded->timestamp_s * 1000} : invoice.expires_at;
}

auto refuse(const char* code, std::string message, std::string hint = {}) {
  return base::fail(base::ErrorKind::payment, code, std::move(message), {}, std::move(hint));
}

auto refuse_paid() {
  return refuse("close.paid", "it was paid", "`sellcompute jobs show` says when");
}

auto refuse_held() {
  return refuse("close.held", "the wallet holds a payment for this job", "`sellcompute jobs cancel` gives it back");
}

std::vector<ledger::InvoiceIssued> open_invoices(const Job& job) {
  std::vector<ledger::InvoiceIssued> out;
  for (const core::Invoice& invoice : job.invoices) {
    if (!invoice.settled && !invoice.expired) out.push_back(invoice.issued);
  }
  return out;
}

// Whether the operator may say how the open invoices of this job have ended.
Result<void> check_closable(const Job& job, const Context& context) {
  const TimeMs now = context.ports.scheduler.now();
  const std::int64_t grace_ms = context.engine.policy().invoice_grace_ms;
  const auto open = open_invoices(job);
  if (open.empty() && core::paid(job)) return refuse_paid();
  if (open.empty()) return refuse("close.nothing_open", "no invoice of this job is open");
  if (core::held(job)) return refuse_held();
  if (std::ranges::all_of(open, [&](const auto& one) { return now >= one.expires_at + grace_ms; })) return {};
  return refuse("close.may_be_paid", "its invoice can still be paid", "close the job when the invoice has expired");
}

}  // namespace

Invoicing::Invoicing(const Context& context, std::function<void(const core::JobId&)> stop_inference)
    : context_(context),
      stop_inference_(std::move(stop_inference)),
      wallets_(all_wallets(context.ports)),
      settlements_(wallets_, context.ports.scheduler) {}

void Invoicing::create(const Job& job, const Work& work) {
  wallet::Wallet& wallet = context_.ports.wallet;
  const wallet::InvoiceOrder order{.job = job.id,
                                   .purpose = ledger::InvoicePurpose::job,
                                   .attempt = work.attempt,
                                   .amount = core::amount_due(job),
                                   .description = std::string(wallet::kJobDescription) + job.id.hex().substr(0, 8),
                                   .expiry_ms = context_.engine.policy().invoice_expiry_ms,
                                   .hold = core::escrowed(job)};
  if (order.hold && !wallet.abilities().holds) {
    return context_.post(core::InvoiceNotCreated{job.id, work, "the wallet cannot hold payments", false});
  }
  wallet.create_invoice(order,
                        [this, order, work](const Result<wallet::MadeInvoice>& made) { created(order, work, made); });
}

void Invoicing::created(const wallet::InvoiceOrder& order, const Work& work, const Result<wallet::MadeInvoice>& made) {
  // As the engine judges it: after a clock that ran ahead, an invoice that is fresh by the clock may be over for a job
  // that came before.
  TimeMs now = std::max(context_.engine.now(), context_.ports.scheduler.now());
  if (const core::Job* job = context_.engine.find(order.job)) now = core::clock_time(*job, now);
  const auto invoice =
      made ? wallet::check_invoice(made->bolt11, order.amount, context_.options.networks, now, made->payment_hash)
           : Result<wallet::DecodedInvoice>(tl::unexpected(made.error()));
  if (!invoice) {
    const bool stale = made.has_value();  // the same order would give the same invoice again
    return context_.post(core::InvoiceNotCreated{order.job, work, invoice.error().describe(), stale});
  }
  context_.post(core::InvoiceCreated{order.job,
                                     work,
                                     {.purpose = order.purpose,
                                      .attempt = order.attempt,
                                      .wallet = context_.ports.wallet.kind(),
                                      .bolt11 = made->bolt11,
                                      .payment_hash = invoice->payment_hash,
                                      .amount = order.amount,
                                      .expires_at = invoice->expires_at(),
                                      .reference = made->reference,
                                      .hold = order.hold,
                                      .wallet_account = context_.ports.wallet.account()}});
}

void Invoicing::watch(const Job& job, const Work& work) {
  const ledger::InvoiceIssued& invoice = job.invoices[work.index].issued;
  const base::JobId id = job.id;
  const bool watched = settlements_.watch(
      {.invoice = invoice,
       .since = made_at(invoice),
       .give_up_at = invoice.expires_at + context_.engine.policy().invoice_grace_ms,
       .unknown_since = job.invoices[work.index].unknown_since,
       .settled =
           [this, id](ledger::InvoiceSettled settlement) {
             context_.post(core::Settled{id, std::move(settlement)});
           },
       .held =
           [this, id, invoice](ledger::InvoiceHeld hold) {
             if (!invoice.hold) return give_back_unwanted(id, invoice);
             context_.post(core::PaymentHeld{id, std::move(hold)});
           },
       .unknown =
           [this, id](ledger::InvoiceUnknown unknown) {
             context_.post(core::UnknownToWallet{id, std::move(unknown)});
           },
       .never_paid = [this, id](ledger::InvoiceExpired expiry) { never_paid(id, std::move(expiry)); }});
  if (watched) return;
  // No other wallet can say whether it was paid.
  context_.problem("job " + id.hex() + " waits for the wallet \"" + invoice.wallet +
                   "\", which is not configured: name it in wallet.former_file");
}

// The wallet holds a payment that should have settled at once: the same order made a hold invoice before, in a history
// that this ledger lost. Nothing would ever take that payment.
void Invoicing::give_back_unwanted(const core::JobId& id, const ledger::InvoiceIssued& invoice) {
  for (wallet::Wallet* one : wallets_) {
    if (one->kind() != invoice.wallet) continue;
    one->give_back(
        {.job = id, .purpose = invoice.purpose, .attempt = invoice.attempt, .amount = invoice.amount, .hold = true},
        [](const Result<void>&) {});
  }
}

void Invoicing::settle_late(const core::JobId& id, const base::Hash256& payment_hash) {
  const auto job = find_job(context_, id);
  if (!job) return context_.fail(job.error());
  const core::Invoice* invoice = *job ? core::find_invoice(**job, payment_hash) : nullptr;
  if (!invoice || invoice->settled || core::canary(core::Canary::unknown_is_the_end)) return;
  if (!invoice->expired) return settlements_.look(payment_hash);  // watch() is about to find it
  for (wallet::Wallet* one : wallets_) {
    if (one->kind() != invoice->issued.wallet) continue;
    one->look_up(invoice->issued, [this, id](const Result<wallet::LookupAnswer>& answer) {
      const auto* settled = answer ? std::get_if<ledger::InvoiceSettled>(&*answer) : nullptr;
      if (settled) post_late(id, *settled);
    });
  }
}

void Invoicing::post_late(const core::JobId& id, const ledger::InvoiceSettled& settlement) {
  find_settled_job(context_, id, [this, id, settlement](FoundJob job) {
    if (context_.failed()) return;
    if (!job) return context_.fail(job.error());
    const core::Invoice* invoice = *job ? core::find_invoice(**job, settlement.payment_hash) : nullptr;
    if (invoice && !invoice->settled) context_.post(core::Settled{id, settlement, std::move(*job)});
  });
}

// ---- closed by the operator's word ----------------------------------------------------------------------------------

struct Invoicing::Closing {
  core::JobId job;
  std::string word;
  std::vector<std::pair<wallet::Wallet*, ledger::InvoiceIssued>> to_ask;
  std::function<void(Result<void>)> done;
};

void Invoicing::close(const core::JobId& id, const std::string& word, std::function<void(Result<void>)> done) {
  const FoundJob job = find_job(context_, id);
  if (!job) return done(tl::unexpected(job.error()));
  if (!*job) return done(refuse("close.no_job", "there is no such job"));
  if (const auto closable = check_closable(**job, context_); !closable) return done(closable);
  const auto closing =
      std::make_shared<Closing>(Closing{.job = id, .word = word, .to_ask = {}, .done = std::move(done)});
  for (const auto& invoice : open_invoices(**job)) {
    for (wallet::Wallet* one : wallets_) {
      if (one->kind() == invoice.wallet) closing->to_ask.emplace_back(one, invoice);
    }
  }
  ask_before_closing(closing);
}

// A wallet that does not answer, or is not configured any more, is what the operator's word stands for.
void Invoicing::ask_before_closing(const std::shared_ptr<Closing>& closing) {
  if (closing->to_ask.empty()) return end_by_word(*closing);
  const auto [asked, invoice] = std::move(closing->to_ask.back());
  closing->to_ask.pop_back();
  asked->look_up(invoice, [this, closing](const Result<wallet::LookupAnswer>& answer) {
    if (answer && std::holds_alternative<wallet::Held>(*answer)) return closing->done(refuse_held());
    const auto* settled = answer ? std::get_if<ledger::InvoiceSettled>(&*answer) : nullptr;
    if (!settled) return ask_before_closing(closing);
    post_late(closing->job, *settled);
    closing->done(refuse_paid());
  });
}

// The job as it is by now: what was asked took its time.
void Invoicing::end_by_word(const Closing& closing) {
  const Job* job = context_.engine.find(closing.job);
  if (!job) return closing.done(refuse("close.nothing_open", "the job has ended meanwhile"));
  if (const auto closable = check_closable(*job, context_); !closable) return closing.done(closable);
  for (const auto& invoice : open_invoices(*job)) {
    settlements_.forget(invoice.payment_hash);
    never_paid(
        closing.job,
        {.payment_hash = invoice.payment_hash, .evidence = closing.word, .basis = ledger::ExpiryBasis::operator_said});
  }
  closing.done({});
}

void Invoicing::never_paid(const core::JobId& id, ledger::InvoiceExpired expiry) {
  const Job* job = context_.engine.find(id);
  const core::Invoice* held = job ? core::held(*job) : nullptr;
  if (held && held->issued.payment_hash == expiry.payment_hash) stop_inference_(id);
  context_.post(core::NeverPaid{id, std::move(expiry)});
}

void Invoicing::resolve_hold(const core::JobId& id, const Work& work, std::uint32_t turn) {
  const Job* job = context_.engine.find(id);
  if (!job || context_.failed() || !context_.engine.in_flight(id, work)) return;
  const ledger::InvoiceIssued& invoice = job->invoices[work.index].issued;
  std::vector<wallet::Wallet*> accounts;
  std::ranges::copy_if(wallets_, std::back_inserter(accounts),
                       [&](auto* one) { return one->kind() == invoice.wallet; });
  if (accounts.empty()) return;  // watch() has reported it
  const wallet::InvoiceOrder order{
      .job = id, .purpose = invoice.purpose, .attempt = invoice.attempt, .amount = invoice.amount, .hold = true};
  const auto done = [this, id, work, turn, hash = invoice.payment_hash](const Result<void>&) {
    settlements_.look(hash);
    const std::int64_t pause_ms = std::min(kLongestHoldPauseMs, kFirstHoldPauseMs << std::min(turn, 10u));
    context_.ports.scheduler.after(pause_ms, [this, id, work, turn] { resolve_hold(id, work, turn + 1); });
  };
  wallet::Wallet& account = *accounts[turn % accounts.size()];
  if (work.action == core::Action::take) {
    account.take(order, done);
  } else {
    account.give_back(order, done);
  }
}

}  // namespace runtime
