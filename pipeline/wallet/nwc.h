// Nostr Wallet Connect (NIP-47): the wallet that the operator already has (Alby Hub, Primal, coinos …). Not every such
// wallet can do everything: what it can is in its info event. It takes no preimage: the order is kept in the invoice's
// metadata, and looked for before it is carried out. Pure.
#pragma once

#include <map>
#include <memory>

#include "pipeline/wallet/ports.h"

namespace wallet {

class NwcConnection;

// A wallet that receives, and, with a connection that may, one that pays back: its budget is its fee limit.
class NwcWallet final : public Wallet, public Payer {
 public:
  // `connection` outlives it, and calls nothing of it any more afterwards.
  NwcWallet(NwcConnection& connection, WalletPorts ports);

  std::string kind() const override { return "nwc"; }
  // What it is able to do is known when it has answered something. Until then it is taken to list and to hold, so that
  // it is asked at all, and not to notify, so that payments are looked for. A wallet that tells nothing is promised
  // nothing: it does not hold.
  Abilities abilities() const override;
  std::string account() const override;
  bool play_money() const override { return ports_.play_money; }
  base::Msat unit() const override { return {1000}; }  // the protocol has msat; many wallets do not
  base::Msat minimum() const override { return {1000}; }
  void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) override;
  void status(std::function<void(base::Result<WalletStatus>)> done) override;
  void take(const InvoiceOrder& order, std::function<void(base::Result<void>)> done) override;
  void give_back(const InvoiceOrder& order, std::function<void(base::Result<void>)> done) override;
  void list_paid(const ListOrder& order, std::function<void(base::Result<std::vector<PaidInvoice>>)> done) override;
  void pay(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;
  void look_up(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;
  void on_news(News news) override;

 private:
  void list_page(const std::shared_ptr<Listing>& listing);
  void make(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done);
  void make_hold(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done);
  bool holds() const;
  void find_or_make(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done);
  void add_balance(WalletStatus found, std::function<void(base::Result<WalletStatus>)> done);
  bool was_given_back(const ledger::InvoiceIssued& invoice) const;

  NwcConnection& connection_;
  const WalletPorts ports_;
  std::map<base::Hash256, base::TimeMs> given_back_;  // asked for then, and answered: it holds nothing any more
};

}  // namespace wallet
