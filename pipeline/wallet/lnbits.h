// LNbits (https://docs.lnbits.org, 0.12 to 1.x): an accounts system in front of a node; the key `invoice/read` is
// enough. Whole satoshis. It takes no preimage and no label of its own: the label is kept in `extra`, and looked for
// among the newest payments before an order is carried out. Pure.
#pragma once

#include <memory>

#include "pipeline/wallet/ports.h"

namespace wallet {

class LnbitsWallet final : public Wallet {
 public:
  // `key` is the credential too: the address of its websocket holds it.
  LnbitsWallet(Http& http, WalletPorts ports, std::string key)
      : http_(http), ports_(std::move(ports)), key_(std::move(key)) {}

  std::string kind() const override { return "lnbits"; }
  Abilities abilities() const override {
    return {
        .repeats = Repeats::by_label, .pushes = true, .lists = true, .calls_per_minute = 100};  // LNbits' limit is 200
  }
  std::string account() const override { return ports_.account; }
  bool play_money() const override { return ports_.play_money; }
  base::Msat unit() const override { return {1000}; }
  base::Msat minimum() const override { return {1000}; }
  void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) override;
  void status(std::function<void(base::Result<WalletStatus>)> done) override;
  void list_paid(const ListOrder& order, std::function<void(base::Result<std::vector<PaidInvoice>>)> done) override;
  void on_news(News news) override;

 private:
  void list_page(const std::shared_ptr<Listing>& listing);
  void make(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done);

  Http& http_;
  const WalletPorts ports_;
  const std::string key_;
};

// With the admin key. LNbits accepts no fee limit. It keeps its own reserve: 1 % and at least 2 sat in its default
// configuration.
class LnbitsPayer final : public HttpPayer {
 public:
  using HttpPayer::HttpPayer;
  void pay(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;
  void look_up(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;
};

}  // namespace wallet
