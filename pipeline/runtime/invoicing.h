// The invoices of jobs: ordered from the wallet and checked, watched until they are paid or never will be, and what is
// held for them taken or given back.
#pragma once

#include <memory>

#include "pipeline/runtime/context.h"
#include "pipeline/runtime/settlements.h"

namespace runtime {

class Invoicing {
 public:
  // `context` outlives it, and it outlives every callback of its ports. `stop_inference` is called when a held payment
  // of a job has gone back: nobody pays for the rest of its answer.
  Invoicing(const Context& context, std::function<void(const core::JobId&)> stop_inference);

  // Posts InvoiceCreated or InvoiceNotCreated, once.
  void create(const core::Job& job, const core::Work& work);
  // Posts PaymentHeld if a payment is held and UnknownToWallet if the wallet has forgotten the invoice, then Settled or
  // NeverPaid, once. Reports a problem when no wallet of the
  // invoice's kind is configured: the job stays open until there is one.
  void watch(const core::Job& job, const core::Work& work);
  // The wallet lists a payment of this invoice that the ledger does not know: looks it up, and posts Settled if the wallet
  // confirms it, also for a job that is at rest.
  void settle_late(const core::JobId& id, const base::Hash256& payment_hash);
  // The operator's word that the wallet will never tell what became of this job's open invoices. Asks the wallet once
  // more: posts Settled when it was paid after all, else NeverPaid for each of them, with `word` as the evidence. `done`
  // is called once. Fails with "close.…", and ends nothing, when no invoice is open, when one can still be paid, and
  // when the wallet holds or has received a payment.
  void close(const core::JobId& id, const std::string& word, std::function<void(base::Result<void>)> done);
  // Tells the wallet to take what it holds, or to give it back, again and again after growing pauses until what watch()
  // has learnt from the wallet ends the work. Where there are several accounts of its kind, each is told in turn.
  void resolve_hold(const core::JobId& id, const core::Work& work) { resolve_hold(id, work, 0); }

 private:
  struct Closing;  // an order to close()

  void created(const wallet::InvoiceOrder& order, const core::Work& work,
               const base::Result<wallet::MadeInvoice>& made);
  void never_paid(const core::JobId& id, ledger::InvoiceExpired expiry);
  void give_back_unwanted(const core::JobId& id, const ledger::InvoiceIssued& invoice);
  void post_late(const core::JobId& id, const ledger::InvoiceSettled& settlement);
  void ask_before_closing(const std::shared_ptr<Closing>& closing);
  void end_by_word(const Closing& closing);
  void resolve_hold(const core::JobId& id, const core::Work& work, std::uint32_t turn);

  const Context& context_;
  const std::function<void(const core::JobId&)> stop_inference_;
  const std::vector<wallet::Wallet*> wallets_;  // today's, then those used before
  Settlements settlements_;
};

}  // namespace runtime
