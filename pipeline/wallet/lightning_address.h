// A Lightning address (LUD-16) whose server reports which invoices were paid (LUD-21). It works with any wallet that
// has such an address, and needs no credential. It accepts neither a preimage nor a label. The operator of the server
// could keep the payments. It sends no notifications. Pure.
#pragma once

#include "pipeline/wallet/ports.h"
#include "pipeline/web/page_reader.h"

namespace wallet {

struct LightningAddress {
  std::string user;
  std::string host;  // with a port, if it has one

  // Fails with "wallet.address".
  static base::Result<LightningAddress> parse(std::string_view text);
  // https, or http if the host is this machine (for tests).
  std::string url() const;
};

class LightningAddressWallet final : public Wallet {
 public:
  // `web` must fetch with WebRequest::own: the operator named this address.
  LightningAddressWallet(web::PageReader& web, WalletPorts ports, LightningAddress address)
      : web_(web), ports_(std::move(ports)), address_(std::move(address)) {}

  std::string kind() const override { return "lightning_address"; }
  Abilities abilities() const override { return {.calls_per_minute = 60}; }
  std::string account() const override { return address_.user + "@" + address_.host; }
  bool play_money() const override { return ports_.play_money; }
  base::Msat unit() const override { return {1000}; }
  base::Msat minimum() const override { return minimum_; }  // as the server says, once it was asked
  // Fails with "wallet.no_verify" where the server does not tell what was paid.
  void create_invoice(const InvoiceOrder& order, std::function<void(base::Result<MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(base::Result<LookupAnswer>)> done) override;
  void status(std::function<void(base::Result<WalletStatus>)> done) override;

 private:
  void warn_of_description();

  web::PageReader& web_;
  const WalletPorts ports_;
  const LightningAddress address_;
  base::Msat minimum_{1000};
  bool warned_ = false;
};

}  // namespace wallet
