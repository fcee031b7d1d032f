// phoenixd (https://phoenix.acinq.co/server/api, 0.4 to 0.6): a self-custodial node in one program. Whole satoshis;
// ACINQ's fee for liquidity is taken from what arrives. It accepts no preimage, and creates a second invoice with the
// same externalId. So the adapter first looks for an invoice of this order. Pure.
#pragma once

#include <memory>

#include "pipeline/wallet/ports.h"

namespace wallet {

class PhoenixdWallet final : public Wallet {
 public:
  static constexpr std::size_t kMaxDescriptionBytes = 128;

  PhoenixdWallet(Http& http, WalletPorts ports) : http_(http), ports_(std::move(ports)) {}

  std::string kind() const override { return "phoenixd"; }
  Abilities abilities() const override {
    return {.repeats = Repeats::by_label, .pushes = true, .lists = true, .takes_fees = true};
  }
  std::string account() const override { return node_; }
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
  std::string node_;  // its key, once it has answered
};

// Needs the full password and version 0.5 or later: earlier versions cannot report the outcome of a payment. phoenixd's
// fee is fixed (0.4 % plus 4 sat). A payment whose fee would exceed the limit is refused and not sent.
class PhoenixdPayer final : public HttpPayer {
 public:
  using HttpPayer::HttpPayer;
  void pay(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;
  void look_up(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;
};

}  // namespace wallet
