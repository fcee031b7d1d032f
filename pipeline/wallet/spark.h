// Spark, through a sidecar with the official SDK, which exists for Node alone (pipeline/wallet/spark/sidecar.mjs says
// what is spoken). It takes our preimage, so an order can be repeated. Whole satoshis. Pure.
#pragma once

#include "pipeline/wallet/links/rpc.h"
#include "pipeline/wallet/ports.h"

namespace wallet {

class SparkWallet final : public Wallet {
 public:
  // The sidecar has been told to open the wallet.
  SparkWallet(Rpc& rpc, WalletPorts ports) : rpc_(rpc), ports_(std::move(ports)) {}

  std::string kind() const override { return "spark"; }
  Abilities abilities() const override {
    return {.repeats = Repeats::by_preimage, .pushes = true, .lists = true, .holds = true, .takes_fees = true};
  }
  std::string account() const override { return identity_; }
  bool play_money() const override { return ports_.play_money; }
  base::Msat unit() const override { return {1000}; }
  base::Msat minimum() const override { return {1000}; }
  void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) override;
  void take(const InvoiceOrder& order, std::function<void(base::Result<void>)> done) override;
  void give_back(const InvoiceOrder& order, std::function<void(base::Result<void>)> done) override;
  void status(std::function<void(base::Result<WalletStatus>)> done) override;
  void list_paid(const ListOrder& order, std::function<void(base::Result<std::vector<PaidInvoice>>)> done) override;
  void on_news(News news) override;

 private:
  Rpc& rpc_;
  const WalletPorts ports_;
  std::string identity_;  // its key, once it has answered
};

}  // namespace wallet
