// Electrum (https://electrum.readthedocs.io, 4.3 to 4.6) as a daemon with JSON-RPC over HTTP, Lightning enabled. It
// takes neither preimage nor label: an order that was lost on the way is an orphan. Nothing is pushed. Pure.
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

// With the same user:password, which may always spend. Electrum takes no fee limit, and holds each part of a payment to
// 1 % or, where that is less, 5 sat (10 from 4.5 on): it is not told to pay what could cost more than the limit.
//
// It gives up when one part fails, whatever becomes of the others, and forgets that when it is restarted. So a payment
// has failed when Electrum says so and cannot have split it; else one that it has begun, and has not in its history, is
// under way, if need be until a person has looked.
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
