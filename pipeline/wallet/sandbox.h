// The embedded wallet for demo and tests: genuine BOLT11 invoices on regtest, signed by a node that exists in name
// only, and settled by a local call. Its money is play money.
//
// Its memory is a folder outside the ledger (sandbox_books.h), as a real wallet's would be. Disk access runs on its own
// thread; answers come on the io_context.
#pragma once

#include <functional>
#include <memory>

#include "pipeline/wallet/payer.h"
#include "pipeline/wallet/sandbox_books.h"

namespace boost::asio {
class io_context;
}

namespace wallet {

// One thread that does the work in order and hands each answer to the io_context, which counts as busy until then.
class SandboxDisk;

class SandboxWallet final : public Wallet {
 public:
  using Clock = std::function<TimeMs()>;  // called on the caller's thread

  // Makes the folder if it is missing; fails with "secret_file.permissions" where others may enter it. `secret` is the
  // content of `wallet.secret`: node key and preimages are derived from it.
  static Result<std::unique_ptr<SandboxWallet>> open(boost::asio::io_context& io, std::filesystem::path folder,
                                                     const base::Secret& secret, Clock clock);
  // Waits for the disk. Callbacks that did not run yet still run, as long as the io_context does.
  ~SandboxWallet() override;

  std::string kind() const override { return std::string(SandboxBooks::kKind); }
  Abilities abilities() const override { return {.repeats = Repeats::by_preimage, .lists = true, .holds = true}; }
  std::string account() const override { return kind(); }
  bool play_money() const override { return true; }
  Msat unit() const override { return SandboxBooks::kUnit; }
  Msat minimum() const override { return SandboxBooks::kUnit; }
  void create_invoice(const InvoiceOrder& order, std::function<void(Result<MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice, std::function<void(Result<LookupAnswer>)> done) override;
  void status(std::function<void(Result<WalletStatus>)> done) override;
  void take(const InvoiceOrder& order, std::function<void(Result<void>)> done) override;
  void give_back(const InvoiceOrder& order, std::function<void(Result<void>)> done) override;
  void list_paid(const ListOrder& order, std::function<void(Result<std::vector<PaidInvoice>>)> done) override;

  // The customer's side: pays an invoice of the sandbox that keeps its books in `folder`, from any process of the same
  // user, also while nobody serves. Errors: SandboxBooks::pay.
  static Result<Preimage> pay(const std::filesystem::path& folder, std::string_view bolt11, TimeMs now);

 private:
  SandboxWallet(boost::asio::io_context& io, SandboxBooks books, const base::Secret& secret, Clock clock);

  const SandboxBooks books_;
  const base::Secret secret_;
  const Clock clock_;
  std::unique_ptr<SandboxDisk> disk_;
};

// Pays invoices that were made in the same folder: two sandboxes that share one can pay each other.
class SandboxPayer final : public Payer {
 public:
  SandboxPayer(boost::asio::io_context& io, std::filesystem::path folder, SandboxWallet::Clock clock);
  ~SandboxPayer() override;

  void pay(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) override;
  void look_up(const PaymentOrder& order, std::function<void(Result<PaymentAnswer>)> done) override;

 private:
  const SandboxBooks books_;
  const SandboxWallet::Clock clock_;
  std::unique_ptr<SandboxDisk> disk_;
};

}  // namespace wallet
