// A wallet that a test puts behind another: it keeps what it is asked, and answers when the test says so.
#pragma once

#include <algorithm>
#include <deque>

#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/wallet.h"
#include "tests/sim/virtual_time.h"

namespace wallet {

class WalletBehind final : public Wallet {
 public:
  explicit WalletBehind(const sim::ProcessTime& time) : time_(time) {}

  std::string kind() const override { return "behind"; }
  Abilities abilities() const override { return can; }
  bool play_money() const override { return true; }
  base::Msat unit() const override { return {1}; }
  base::Msat minimum() const override { return {1}; }
  void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) override {
    asked.emplace_back("create");
    orders.push_back(order);
    if (refusal) return done(tl::unexpected(*refusal));
    done(MadeInvoice{.bolt11 = bolt11(order)});
  }
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) override {
    asked.emplace_back("look up");
    looked_up = invoice;
    done(answer);
  }
  void status(std::function<void(base::Result<WalletStatus>)> done) override {
    asked.emplace_back("status");
    done(well);
  }
  // Four pages.
  void list_paid(const ListOrder& order, std::function<void(base::Result<std::vector<PaidInvoice>>)> done) override {
    list_page(order, std::move(done), 4);
  }
  void give_back(const InvoiceOrder&, std::function<void(base::Result<void>)> done) override {
    asked.emplace_back("give back");
    done({});
  }

  std::size_t count(const std::string& what) const {
    return static_cast<std::size_t>(std::count(asked.begin(), asked.end(), what));
  }

  ledger::InvoiceIssued looked_up;  // the last one
  Abilities can;
  Network network = Network::regtest;  // of its invoices
  std::int64_t made_ago_s = 0;         // its clock is behind
  std::optional<base::Error> refusal;  // of orders
  base::Result<LookupAnswer> answer = Open{};
  base::Result<WalletStatus> well = WalletStatus{.name = "behind"};
  std::vector<std::string> asked;
  std::vector<InvoiceOrder> orders;

 private:
  void list_page(const ListOrder& order, std::function<void(base::Result<std::vector<PaidInvoice>>)> done, int pages) {
    asked.emplace_back("page");
    if (pages == 1) return done(std::vector<PaidInvoice>());
    order.next_page([this, order, done = std::move(done), pages](const base::Result<void>& may) {
      if (!may) return done(tl::unexpected(may.error()));
      list_page(order, done, pages - 1);
    });
  }
  std::string bolt11(const InvoiceOrder& order) const {
    const Invoice invoice{.network = network,
                          .amount = order.amount,
                          .timestamp_s = time_.now().ms / 1000 - made_ago_s,
                          .payment_hash = base::sha256(order.job.view()),
                          .payment_secret = base::sha256("secret"),
                          .description = order.description};
    return encode_bolt11(invoice, *NodeKey::from_hex(std::string(64, '1'))).value();
  }

  const sim::ProcessTime& time_;
};

inline base::Error wallet_error(const std::string& code, const std::string& context = {}) {
  return {base::ErrorKind::payment, code, code, context, "do something"};
}

inline void pass(sim::VirtualTime& time, std::int64_t ms) {
  const base::TimeMs until = time.now() + ms;
  while (time.step(until)) {
  }
}

}  // namespace wallet
