// LND over its REST gateway (https://lightning.engineering/api-docs/api/lnd/rest-endpoints, 0.15 to 0.19). It takes our
// preimage, so an order can be repeated; it streams what is settled. int64 are strings, bytes are base64. A macaroon
// with `invoices:read invoices:write` is enough, such as LND's own invoice.macaroon. `info:read` adds the node's name,
// and `offchain:read` the balance. Only paying back (LndPayer) needs a macaroon that can spend, with `offchain:read
// offchain:write`. Pure.
#pragma once

#include <memory>
#include <nlohmann/json_fwd.hpp>

#include "pipeline/wallet/ports.h"

namespace wallet {

class LndWallet final : public Wallet {
 public:
  LndWallet(Http& http, WalletPorts ports) : http_(http), ports_(std::move(ports)) {}

  std::string kind() const override { return "lnd"; }
  Abilities abilities() const override {
    return {.repeats = Repeats::by_preimage, .pushes = true, .lists = true, .holds = true};
  }
  std::string account() const override { return node_; }
  bool play_money() const override { return ports_.play_money; }
  base::Msat unit() const override { return {1}; }
  base::Msat minimum() const override { return {1}; }
  void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) override;
  void status(std::function<void(base::Result<WalletStatus>)> done) override;
  void take(const InvoiceOrder& order, std::function<void(base::Result<void>)> done) override;
  void give_back(const InvoiceOrder& order, std::function<void(base::Result<void>)> done) override;
  void list_paid(const ListOrder& order, std::function<void(base::Result<std::vector<PaidInvoice>>)> done) override;
  void on_news(News news) override;

 private:
  void list_page(const std::shared_ptr<Listing>& listing, const std::string& before);
  void find_made(const Preimage& preimage, std::function<void(base::Result<MadeInvoice>)> done);
  MadeInvoice read_made(const nlohmann::json& said, const Preimage& preimage);
  void tell_by_newest_invoice(std::function<void(base::Result<WalletStatus>)> done);
  void add_balance(WalletStatus found, std::function<void(base::Result<WalletStatus>)> done);

  Http& http_;
  const WalletPorts ports_;
  std::string node_;  // its key, once it has answered
};

class LndPayer final : public HttpPayer {
 public:
  using HttpPayer::HttpPayer;
  void pay(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;
  void look_up(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;
};

}  // namespace wallet
