// The invoices of jobs. Orders them from the wallet, checks them, and watches each until it is paid or can no longer be
// paid. Takes or gives back the payments that the wallet holds for them.
#pragma once

#include <memory>

#include "pipeline/runtime/context.h"
#include "pipeline/runtime/settlements.h"

namespace runtime {

class Invoicing {
 public:
  // `context` must outlive this object, which must outlive every callback of the context's ports. `stop_inference` is
  // called when a held payment of a job has gone back: nobody pays for the rest of its answer.
  Invoicing(const Context& context, std::function<void(const core::JobId&)> stop_inference);

  // Posts InvoiceCreated or InvoiceNotCreated, once.
  void create(const core::Job& job, const core::Work& work);
  // Posts PaymentHeld if a payment is held and UnknownToWallet if the wallet has forgotten the invoice, then Settled or
  // NeverPaid, once. Reports a problem when no wallet of the invoice's kind is configured: the job stays open until
  // there is one.
  void watch(const core::Job& job, const core::Work& work);
  // Call it when the wallet lists a payment of this invoice that the ledger does not know. Looks up the invoice and
  // posts Settled if the wallet confirms the payment, also for a job that is at rest.
  void settle_late(const core::JobId& id, const base::Hash256& payment_hash);
  // Closes this job's open invoices because the operator states that the wallet will never report their outcome. Asks
  // the wallet once more: posts Settled if an invoice was paid after all, else NeverPaid for each of them, with `word`,
  // the operator's statement, as the evidence. `done` is called once. Fails with "close.…", and ends nothing, when no
  // invoice is open, when one can still be paid, and when the wallet holds or has received a payment.
  void close(const core::JobId& id, const std::string& word, std::function<void(base::Result<void>)> done);
  // Orders the wallet to take or to give back the payment that it holds. Repeats the order after growing pauses until
  // watch() has learnt the outcome from the wallet and the work ends. If several accounts have the invoice's kind of
  // wallet, each gets the order in turn.
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
