#include "cmd/provider/health.h"

#include <gtest/gtest.h>

namespace cmd {
namespace {

class HealthyBackend final : public inference::Backend {
 public:
  std::unique_ptr<inference::Generation> chat(const inference::ChatRequest&, OnText, OnDone) override { return {}; }
  void status(std::function<void(base::Result<inference::BackendStatus>)> done) override { done(answer); }
  base::Result<inference::BackendStatus> answer;
};

class HealthyWallet final : public wallet::Wallet {
 public:
  std::string kind() const override { return "healthy"; }
  wallet::Abilities abilities() const override { return {}; }
  bool play_money() const override { return true; }
  base::Msat unit() const override { return {1}; }
  base::Msat minimum() const override { return {1}; }
  void create_invoice(const wallet::InvoiceOrder&, std::function<void(base::Result<wallet::MadeInvoice>)>) override {}
  void look_up(const ledger::InvoiceIssued&, std::function<void(base::Result<wallet::LookupAnswer>)>) override {}
  void status(std::function<void(base::Result<wallet::WalletStatus>)> done) override {
    ++asked;
    done(answer);
  }
  base::Result<wallet::WalletStatus> answer;
  int asked = 0;
};

class HealthTest : public testing::Test {
 protected:
  std::string trouble() {
    std::vector<std::string> told;
    check_health(
        backend, wallet, [this] { return takes_jobs; }, [&](const std::string& text) { told.push_back(text); });
    EXPECT_EQ(told.size(), 1U);
    return told.at(0);
  }
  HealthyBackend backend;
  HealthyWallet wallet;
  bool takes_jobs = true;
};

TEST_F(HealthTest, NothingIsWrong) {
  EXPECT_EQ(trouble(), "");
}

TEST_F(HealthTest, NamesTheBackendFirst) {
  backend.answer = base::fail(base::ErrorKind::connection, "inference.unreachable", "no connection");
  wallet.answer = base::fail(base::ErrorKind::payment, "wallet.unreachable", "no wallet");
  EXPECT_EQ(trouble(), "the backend does not answer: no connection");
  EXPECT_EQ(wallet.asked, 0);
}

TEST_F(HealthTest, NamesTheWallet) {
  wallet.answer = base::fail(base::ErrorKind::payment, "wallet.unreachable", "no wallet");
  takes_jobs = false;
  EXPECT_EQ(trouble(), "the wallet does not answer: no wallet");
}

TEST_F(HealthTest, AProviderThatTakesNoJobsCannotSell) {
  takes_jobs = false;
  EXPECT_EQ(trouble(), "we take no jobs now");
}

}  // namespace
}  // namespace cmd
