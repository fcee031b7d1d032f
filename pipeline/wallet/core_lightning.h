// Core Lightning over its JSON-RPC socket (https://docs.corelightning.org/reference, 23.02 to 25.x; it lists what was
// paid from 23.08 on). It takes our label and our preimage, so an order can be repeated. The socket is the operator's
// own: whoever can open it can spend. Pure.
#pragma once

#include <memory>
#include <set>

#include "base/lifetime.h"
#include "base/scheduler.h"
#include "pipeline/wallet/links/rpc.h"
#include "pipeline/wallet/ports.h"

namespace wallet {

class CoreLightningWallet final : public Wallet {
 public:
  CoreLightningWallet(Rpc& rpc, base::Scheduler& scheduler, WalletPorts ports)
      : rpc_(rpc), scheduler_(scheduler), ports_(std::move(ports)) {}

  std::string kind() const override { return "core_lightning"; }
  Abilities abilities() const override { return {.repeats = Repeats::by_preimage, .pushes = true, .lists = true}; }
  std::string account() const override { return node_; }
  bool play_money() const override { return ports_.play_money; }
  base::Msat unit() const override { return {1}; }
  base::Msat minimum() const override { return {1}; }
  void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) override;
  void status(std::function<void(base::Result<WalletStatus>)> done) override;
  void list_paid(const ListOrder& order, std::function<void(base::Result<std::vector<PaidInvoice>>)> done) override;
  void on_news(News news) override;

 private:
  void find_made(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done);
  void list_page(const std::shared_ptr<Listing>& listing, std::int64_t start);
  void wait_for_payment(std::int64_t after_index);

  Rpc& rpc_;
  base::Scheduler& scheduler_;
  const WalletPorts ports_;
  News news_;
  std::string node_;  // its key, once it has answered
  base::Lifetime lifetime_;
};

class CoreLightningPayer final : public Payer {
 public:
  CoreLightningPayer(Rpc& rpc, WalletPorts ports) : rpc_(rpc), ports_(std::move(ports)) {}

  void pay(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;
  void look_up(const PaymentOrder& order, std::function<void(base::Result<PaymentAnswer>)> done) override;

 private:
  Rpc& rpc_;
  const WalletPorts ports_;
  std::set<base::Hash256> answered_;  // `pay` has ended: it tries no more
};

}  // namespace wallet
