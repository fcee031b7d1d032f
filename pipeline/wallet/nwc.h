// Nostr Wallet Connect (NIP-47): the wallet that the operator already has (Alby Hub, Primal, coinos …). Not every such
// wallet can do everything; its answer to get_info or its info event lists its abilities. It accepts no preimage. The
// order is stored in the invoice's metadata, and is searched for there before an invoice is made. Pure.
#pragma once

#include <map>
#include <memory>

#include "pipeline/wallet/ports.h"

namespace wallet {

class NwcConnection;

// A wallet that receives. With a connection that may pay, it also pays back; the connection's budget is then the only
// fee limit.
class NwcWallet final : public Wallet, public Payer {
 public:
  // `connection` must outlive it, and must not call it after its destruction.
  NwcWallet(NwcConnection& connection, WalletPorts ports);

  std::string kind() const override { return "nwc"; }
  // The abilities are known once learn_abilities() has succeeded. Until then, listing and holding count as supported,
  // so that they are tried, and notifications as unsupported, so that payments are polled. A wallet that reports no
  // abilities counts as unable to hold.
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
  std::map<base::Hash256, base::TimeMs> given_back_;  // time of a give_back() that succeeded
};

}  // namespace wallet
