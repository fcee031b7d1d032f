// The process's doors to the simulated wallet, backend and web.
#pragma once

#include "pipeline/inference/backend.h"
#include "pipeline/wallet/payer.h"
#include "pipeline/web/page_reader.h"
#include "tests/sim/world.h"

namespace sim {

class SimWallet final : public wallet::Wallet {
 public:
  SimWallet(World& world, ProcessTime& time) : world_(world), time_(time) {}
  std::string kind() const override { return "simulated"; }
  wallet::Abilities abilities() const override;
  bool play_money() const override { return true; }
  base::Msat unit() const override { return {1000}; }
  base::Msat minimum() const override { return {1000}; }
  void create_invoice(const wallet::InvoiceOrder& order,
                      std::function<void(base::Result<wallet::MadeInvoice>)> done) override;
  void look_up(const ledger::InvoiceIssued& invoice,
               std::function<void(base::Result<wallet::LookupAnswer>)> done) override;
  void status(std::function<void(base::Result<wallet::WalletStatus>)> done) override;
  void list_paid(const wallet::ListOrder& order,
                 std::function<void(base::Result<std::vector<wallet::PaidInvoice>>)> done) override;
  void take(const wallet::InvoiceOrder& order, std::function<void(base::Result<void>)> done) override;
  void give_back(const wallet::InvoiceOrder& order, std::function<void(base::Result<void>)> done) override;
  void on_news(News news) override;

 private:
  using Refused = std::function<void(tl::unexpected<base::Error>)>;
  void resolve_hold(std::function<void()> resolve, std::function<void(base::Result<void>)> done);
  bool unreachable();
  bool unable();
  bool turns_away(const Refused& refused);
  void refuse(std::int64_t after_ms, const Refused& refused, const tl::unexpected<base::Error>& why);
  World& world_;
  ProcessTime& time_;
};

// What pays back.
class SimPayer final : public wallet::Payer {
 public:
  SimPayer(World& world, ProcessTime& time) : world_(world), time_(time) {}
  void pay(const wallet::PaymentOrder& order, std::function<void(base::Result<wallet::PaymentAnswer>)> done) override;
  void look_up(const wallet::PaymentOrder& order,
               std::function<void(base::Result<wallet::PaymentAnswer>)> done) override;

 private:
  World& world_;
  ProcessTime& time_;
};

// Ollama's real stream machine, fed with the bytes of a simulated server that has the models of these names.
class SimBackend final : public inference::Backend {
 public:
  SimBackend(World& world, ProcessTime& time, std::vector<std::string> models)
      : world_(world), time_(time), models_(std::move(models)) {}
  std::unique_ptr<inference::Generation> chat(const inference::ChatRequest& request, OnText text, OnDone done) override;
  void status(std::function<void(base::Result<inference::BackendStatus>)> done) override;

 private:
  World& world_;
  ProcessTime& time_;
  const std::vector<std::string> models_;
};

// Every page that is asked for is there, and says what World::page says.
class SimWeb final : public web::PageReader {
 public:
  SimWeb(World& world, ProcessTime& time) : world_(world), time_(time) {}
  void get(const std::string& url, std::function<void(base::Result<std::string>)> done) override;

 private:
  World& world_;
  ProcessTime& time_;
};

}  // namespace sim
