// A wallet in front of another: it hands everything on, except what a derived class overrides.
#pragma once

#include <memory>
#include <utility>

#include "pipeline/wallet/wallet.h"

namespace wallet {

class WalletInFront : public Wallet {
 public:
  explicit WalletInFront(std::unique_ptr<Wallet> behind) : behind_(std::move(behind)) {}

  std::string kind() const override { return behind_->kind(); }
  Abilities abilities() const override { return behind_->abilities(); }
  std::string account() const override { return behind_->account(); }
  bool play_money() const override { return behind_->play_money(); }
  base::Msat unit() const override { return behind_->unit(); }
  base::Msat minimum() const override { return behind_->minimum(); }
  void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) override {
    behind_->create_invoice(order, std::move(done));
  }
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) override {
    behind_->look_up(invoice, std::move(done));
  }
  void status(std::function<void(base::Result<WalletStatus>)> done) override { behind_->status(std::move(done)); }
  void list_paid(const ListOrder& order, std::function<void(base::Result<std::vector<PaidInvoice>>)> done) override {
    behind_->list_paid(order, std::move(done));
  }
  void take(const InvoiceOrder& order, std::function<void(base::Result<void>)> done) override {
    behind_->take(order, std::move(done));
  }
  void give_back(const InvoiceOrder& order, std::function<void(base::Result<void>)> done) override {
    behind_->give_back(order, std::move(done));
  }
  void on_news(News news) override { behind_->on_news(std::move(news)); }

 protected:
  Wallet& behind() const { return *behind_; }

 private:
  const std::unique_ptr<Wallet> behind_;
};

}  // namespace wallet
