// Whether a wallet that answers is able to do what is needed.
#include "pipeline/wallet/supervised_wallet.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

#include "tests/unit/pipeline/wallet/wallet_behind.h"

namespace wallet {
namespace {

using testing::HasSubstr;

class SupervisedWalletTest : public testing::Test {
 protected:
  void need(ShopNeeds needs) {
    auto made = std::make_unique<WalletBehind>(process);
    behind = made.get();
    wallet = std::make_unique<SupervisedWallet>(
        std::move(made), needs, process, [this] { return base::Salt{{static_cast<std::uint8_t>(++dice)}}; },
        [this](const std::string& what) { problems.push_back(what); });
  }
  SupervisedWalletTest() { need({.network = Network::regtest}); }

  std::string status() {
    std::string out = "silence";
    wallet->status([&](const base::Result<WalletStatus>& told) { out = told ? "well" : told.error().code; });
    return out;
  }
  std::string trouble() {
    std::string out;
    wallet->status([&](const base::Result<WalletStatus>& told) { out = told ? "" : told.error().describe(); });
    return out;
  }
  void order() {
    wallet->create_invoice({.amount = base::Msat{9'000}, .description = "job"},
                           [](const base::Result<MadeInvoice>&) {});
  }
  void look_up(const base::Hash256& hash = {}) {
    wallet->look_up({.payment_hash = hash}, [](const base::Result<LookupAnswer>&) {});
  }

  sim::VirtualTime time{base::TimeMs{1'800'000'000'000}};
  std::int64_t clock_error_ms = 0;
  sim::ProcessTime process{time, clock_error_ms};
  int dice = 0;
  WalletBehind* behind = nullptr;
  std::vector<std::string> problems;
  std::unique_ptr<SupervisedWallet> wallet;
};

TEST_F(SupervisedWalletTest, IsProvenByOneProbeThatIsMadeAndLookedUp) {
  EXPECT_EQ(status(), "well");
  EXPECT_EQ(status(), "well");
  EXPECT_EQ(behind->asked, (std::vector<std::string>{"status", "create", "look up", "status"}));
  EXPECT_EQ(behind->orders[0].amount, base::Msat{1'000});
  EXPECT_TRUE(behind->orders[0].description.starts_with(kProbeDescription));
  EXPECT_EQ(behind->looked_up.amount, behind->orders[0].amount);
  EXPECT_EQ(behind->looked_up.purpose, behind->orders[0].purpose);
  EXPECT_EQ(behind->looked_up.attempt, behind->orders[0].attempt);
  EXPECT_TRUE(problems.empty());
}

TEST_F(SupervisedWalletTest, AProbeOfEscrowIsGivenBack) {
  need({.network = Network::regtest, .hold = true});
  behind->can.holds = true;
  EXPECT_EQ(status(), "well");
  EXPECT_TRUE(behind->orders[0].hold);
  EXPECT_EQ(behind->asked.back(), "give back");
}

TEST_F(SupervisedWalletTest, ItsOwnWordIsEnoughToKnowThatItCannot) {
  behind->well->network = "bitcoin";
  EXPECT_EQ(status(), "config.wallet_network");
  EXPECT_THAT(trouble(), HasSubstr("is on bitcoin, and wallet.network is regtest"));
  need({.network = Network::regtest, .hold = true});
  EXPECT_EQ(status(), "config.escrow");
  EXPECT_EQ(behind->count("create"), 0U);
}

TEST_F(SupervisedWalletTest, InvoicesOfAnotherNetworkAreFoundByTheProbe) {
  behind->network = Network::bitcoin;
  EXPECT_EQ(status(), "config.wallet_unable");
  EXPECT_THAT(trouble(), HasSubstr("bitcoin"));
}

TEST_F(SupervisedWalletTest, ClocksThatDifferKeepJobsAwayButNotTheShopFromWhatIsOpen) {
  behind->made_ago_s = 2 * 3'600;
  std::optional<base::Error> error;
  wallet->status([&](const base::Result<WalletStatus>& told) { error = told.error(); });
  EXPECT_EQ(error->code, "wallet.clock");
  EXPECT_FALSE(is_inability(*error));
  EXPECT_THAT(trouble(), HasSubstr("clock"));
}

TEST_F(SupervisedWalletTest, AWalletThatMakesInvoicesMustAlsoKnowThem) {
  behind->answer = tl::unexpected(wallet_error("wallet.unauthorized"));
  EXPECT_EQ(status(), "config.wallet_unable");
  need({.network = Network::regtest});
  behind->answer = Unknown{};
  EXPECT_EQ(status(), "config.wallet_unable");
}

TEST_F(SupervisedWalletTest, AStatusThatIsRefusedIsProbedAfterwards) {
  EXPECT_EQ(status(), "well");
  const auto well = std::exchange(behind->well, tl::unexpected(wallet_error("wallet.refused")));
  for (int i = 0; i < 2; ++i) EXPECT_EQ(status(), "wallet.refused");
  EXPECT_THAT(trouble(), HasSubstr("wallet.refused"));
  behind->well = well;
  EXPECT_EQ(status(), "well");
  EXPECT_EQ(behind->count("create"), 2U);
}

TEST_F(SupervisedWalletTest, AnUnreachableWalletIsNotAnUnableOne) {
  behind->refusal = wallet_error("wallet.unreachable");
  EXPECT_EQ(status(), "wallet.unreachable");
  EXPECT_EQ(status(), "wallet.unreachable");
  EXPECT_EQ(behind->count("create"), 1U) << "each probe leaves an invoice in the wallet";
  EXPECT_EQ(trouble(), "wallet.unreachable: do something");
  behind->refusal.reset();
  time.after(60'000, [] {});
  pass(time, 60'000);
  EXPECT_EQ(status(), "well");
}

TEST_F(SupervisedWalletTest, IsProbedAgainAfterAWhile) {
  behind->refusal = wallet_error("wallet.no_verify");
  EXPECT_EQ(status(), "config.wallet_unable");
  EXPECT_EQ(status(), "config.wallet_unable");
  EXPECT_EQ(behind->count("create"), 1U) << "not at every look";
  EXPECT_THAT(trouble(), HasSubstr("do something"));
  behind->refusal.reset();
  pass(time, 60'000);
  time.after(60'000, [] {});
  pass(time, 60'000);
  EXPECT_EQ(status(), "well");
}

TEST_F(SupervisedWalletTest, IsProbedAgainAtOnceWhenTheClockWasAheadAndIsSetBack) {
  clock_error_ms = 5LL * 3'600'000;
  behind->made_ago_s = 5LL * 3'600;
  EXPECT_EQ(status(), "wallet.clock");
  clock_error_ms = 0;
  behind->made_ago_s = 0;
  EXPECT_EQ(status(), "well");
}

TEST_F(SupervisedWalletTest, InvoicesThatFailInARowCloseTheShopLoudly) {
  EXPECT_EQ(status(), "well");
  behind->refusal = wallet_error("wallet.refused");
  for (int i = 1; i < kFailuresBeforeProbe; ++i) order();
  EXPECT_EQ(status(), "well");
  order();
  EXPECT_EQ(status(), "config.wallet_unable");
  EXPECT_THAT(problems.at(0), HasSubstr("in a row"));
}

TEST_F(SupervisedWalletTest, OrdersThatCannotBeCarriedOutDoNotCloseItForTheOthers) {
  EXPECT_EQ(status(), "well");
  for (int i = 0; i < 10; ++i) {
    behind->refusal = wallet_error("wallet.refused");
    order();
    behind->refusal.reset();
    order();
  }
  EXPECT_EQ(status(), "well");
  EXPECT_TRUE(problems.empty());
}

TEST_F(SupervisedWalletTest, ALookUpThatFailsForGoodIsToldOnceWithTheInvoice) {
  const base::Hash256 hash = base::sha256("one");
  behind->answer = tl::unexpected(wallet_error("wallet.preimage"));
  for (int i = 0; i < 3; ++i) look_up(hash);
  ASSERT_EQ(problems.size(), 1U);
  EXPECT_THAT(problems[0], HasSubstr(hash.hex().substr(0, 16)));
  EXPECT_THAT(problems[0], HasSubstr("wallet.preimage"));
  behind->answer = tl::unexpected(wallet_error("wallet.amount"));
  look_up(hash);
  EXPECT_EQ(problems.size(), 2U) << "another reason";
  behind->answer = tl::unexpected(wallet_error("wallet.unreachable"));
  look_up(hash);
  EXPECT_EQ(problems.size(), 2U) << "a wallet that is away is another matter";
  EXPECT_EQ(wallet->doubts().invoices, 1U);
  EXPECT_EQ(wallet->doubts().reason, "wallet.amount");
  behind->answer = Open{};
  look_up(hash);
  EXPECT_EQ(wallet->doubts().invoices, 0U);
}

TEST_F(SupervisedWalletTest, ALostRightToLookUpIsFoundOut) {
  EXPECT_EQ(status(), "well");
  behind->answer = tl::unexpected(wallet_error("wallet.unauthorized"));
  look_up();
  EXPECT_EQ(status(), "config.wallet_unable");
}

}  // namespace
}  // namespace wallet
