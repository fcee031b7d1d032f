#include "pipeline/runtime/invoicing.h"

#include <algorithm>

#include "pipeline/core/canary.h"

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
           [this, id](ledger::InvoiceHeld hold) {
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

void Invoicing::settle_late(const core::JobId& id, const base::Hash256& payment_hash) {
  auto job = job_of(id);
  const core::Invoice* invoice = job ? core::find_invoice(*job, payment_hash) : nullptr;
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

// The ledger has the job as it is only when nothing about it waits for the disk.
void Invoicing::post_late(const core::JobId& id, const ledger::InvoiceSettled& settlement) {
  if (context_.failed()) return;
  if (!context_.engine.find(id) && !context_.all_durable()) {
    context_.ports.scheduler.after(kDiskPauseMs, [this, id, settlement] { post_late(id, settlement); });
    return;
  }
  auto job = job_of(id);
  const core::Invoice* invoice = job ? core::find_invoice(*job, settlement.payment_hash) : nullptr;
  if (invoice && !invoice->settled) context_.post(core::Settled{id, settlement, std::move(*job)});
}

std::optional<Job> Invoicing::job_of(const core::JobId& id) const {
  if (const Job* job = context_.engine.find(id)) return *job;
  auto job = context_.ports.journal.job(id);
  if (!job) context_.fail(job.error());
  return job ? std::move(*job) : std::nullopt;
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
