// Electrum (https://electrum.readthedocs.io, 4.3 to 4.5) as a daemon with JSON-RPC over HTTP, Lightning enabled. It
// takes neither preimage nor label: an order that was lost on the way is an orphan. Nothing is pushed. Pure.
#pragma once

#include "pipeline/wallet/ports.h"

namespace wallet {

class ElectrumWallet final : public Wallet {
 public:
  ElectrumWallet(Http& http, WalletPorts ports) : http_(http), ports_(std::move(ports)) {}

  std::string kind() const override { return "electrum"; }
  Abilities abilities() const override { return {.lists = true}; }
  bool play_money() const override { return ports_.play_money; }
  ledger::Msat unit() const override { return {1000}; }
  ledger::Msat minimum() const override { return {1000}; }
  void create_invoice(const InvoiceOrder& order, std::function<void(ledger::Result<MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(ledger::Result<LookupAnswer>)> done) override;
  void list_paid(ledger::TimeMs since, std::function<void(ledger::Result<std::vector<PaidInvoice>>)> done) override;
  void status(std::function<void(ledger::Result<WalletStatus>)> done) override;

 private:
  void find_preimage(ledger::InvoiceSettled settlement, std::function<void(ledger::Result<LookupAnswer>)> done);

  Http& http_;
  const WalletPorts ports_;
};

}  // namespace wallet
