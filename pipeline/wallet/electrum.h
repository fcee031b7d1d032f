// Electrum (https://electrum.readthedocs.io, 4.3 to 4.6) as a daemon with JSON-RPC over HTTP, Lightning enabled. It
// accepts neither a preimage nor a label. If its answer to an order is lost, the invoice becomes an orphan. It sends no
// notifications. Pure.
#pragma once

#include "pipeline/wallet/ports.h"

namespace wallet {

class ElectrumWallet final : public Wallet {
 public:
  ElectrumWallet(Http& http, WalletPorts ports) : http_(http), ports_(std::move(ports)) {}

  std::string kind() const override { return "electrum"; }
  Abilities abilities() const override { return {.lists = true}; }
  std::string account() const override { return ports_.account; }
  bool play_money() const override { return ports_.play_money; }
  base::Msat unit() const override { return {1000}; }
  base::Msat minimum() const override { return {1000}; }
  void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) override;
  void list_paid(const ListOrder& order, std::function<void(base::Result<std::vector<PaidInvoice>>)> done) override;
  void status(std::function<void(base::Result<WalletStatus>)> done) override;

 private:
  void find_preimage(const ledger::InvoiceIssued& invoice, const std::string& said, std::optional<base::Msat> asked,
                     std::function<void(base::Result<LookupAnswer>)> done);

  Http& http_;
  const WalletPorts ports_;
};

// Uses the same user:password, which may always spend. Electrum accepts no fee limit. It limits the fee of each part of
// a payment to 1 % or 5 sat (10 sat from 4.5 on), whichever is higher. A payment that could cost more than our limit is
// refused and not sent.
//
// Electrum gives up when one part fails, although other parts may still succeed. After a restart it has forgotten this.
// So a payment counts as failed only if Electrum reports that and cannot have split the payment. Any other payment that
// it began and does not list in its history counts as under way, if necessary until a person has looked.
class ElectrumPayer final : public HttpPayer {
 public:
  using HttpPayer::HttpPayer;
  void pay(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;
  void look_up(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;

 private:
  void find_sent(const PaymentOrder& order, PaymentAnswer otherwise,
                 std::function<void(base::Result<PaymentAnswer>)> done);
  void check_whole(const PaymentOrder& order, PaymentAnswer failed,
                   std::function<void(base::Result<PaymentAnswer>)> done);
};

}  // namespace wallet
