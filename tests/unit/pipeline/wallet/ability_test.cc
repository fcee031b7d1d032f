// Each kind of wallet that answers and cannot do what is needed: found out before the shop goes online, and told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/wallet/core_lightning.h"
#include "pipeline/wallet/electrum.h"
#include "pipeline/wallet/lightning_address.h"
#include "pipeline/wallet/lnbits.h"
#include "pipeline/wallet/lnd.h"
#include "pipeline/wallet/nwc.h"
#include "pipeline/wallet/phoenixd.h"
#include "pipeline/wallet/spark.h"
#include "pipeline/wallet/supervised_wallet.h"
#include "tests/unit/pipeline/wallet/scripted_links.h"
#include "tests/unit/pipeline/wallet/wallet_at_relay.h"
#include "tests/unit/pipeline/wallet/wallet_behind.h"

namespace wallet {
namespace {

using nlohmann::json;
using testing::HasSubstr;

constexpr ShopNeeds kInvoices{.network = Network::regtest};
constexpr ShopNeeds kEscrow{.network = Network::regtest, .hold = true};
const json kDenied = {{"code", 2}, {"message", "permission denied"}};

// Everything that a wallet may stand on, scripted.
struct Links : NwcWorld {
  std::string bolt11(Network network = Network::regtest) const {
    return encode_bolt11({.network = network,
                          .amount = base::Msat{1'000},
                          .timestamp_s = process.now().ms / 1000,
                          .payment_hash = kNwcHash,
                          .payment_secret = kNwcHash,
                          .description = "probe"},
                         *NodeKey::from_hex(std::string(64, '1')))
        .value();
  }
  WalletPorts ports() {
    return {.clock = [this] { return process.now(); }, .preimage = [](const InvoiceOrder&) { return kNwcPreimage; }};
  }
  void electrum_says(const json& result) { http.says({{"result", result}}); }

  ScriptedHttp http;
  ScriptedRpc rpc;
  ScriptedWeb web;
};

struct Inability {
  const char* name;
  std::function<std::unique_ptr<Wallet>(Links&)> open;
  std::function<void(Links&)> script;
  ShopNeeds needs;
  const char* code;
  const char* words;
};

std::unique_ptr<Wallet> open_lnd(Links& links) {
  return std::make_unique<LndWallet>(links.http, links.ports());
}
std::unique_ptr<Wallet> open_core_lightning(Links& links) {
  return std::make_unique<CoreLightningWallet>(links.rpc, links.process, links.ports());
}
std::unique_ptr<Wallet> open_phoenixd(Links& links) {
  return std::make_unique<PhoenixdWallet>(links.http, links.ports());
}
std::unique_ptr<Wallet> open_lnbits(Links& links) {
  return std::make_unique<LnbitsWallet>(links.http, links.ports(), "key");
}
std::unique_ptr<Wallet> open_electrum(Links& links) {
  return std::make_unique<ElectrumWallet>(links.http, links.ports());
}
std::unique_ptr<Wallet> open_address(Links& links) {
  return std::make_unique<LightningAddressWallet>(links.web, links.ports(), *LightningAddress::parse("me@pay.example"));
}
std::unique_ptr<Wallet> open_spark(Links& links) {
  return std::make_unique<SparkWallet>(links.rpc, links.ports());
}
std::unique_ptr<Wallet> open_nwc(Links& links) {
  return std::make_unique<NwcWallet>(links.connection, links.ports());
}

void lnd_answers(Links& links, const char* network) {
  links.http.says({{"identity_pubkey", "02aa"}, {"chains", json::array({{{"network", network}}})}});
  links.http.says({{"local_balance", {{"msat", "0"}}}});
}

const json kOffer = {{"tag", "payRequest"},
                     {"callback", "https://pay.example/cb"},
                     {"minSendable", 1'000},
                     {"maxSendable", 100'000'000},
                     {"metadata", "[]"}};

const Inability kInabilities[] = {
    {"LndMayNotMakeInvoices", open_lnd,
     [](Links& links) {
       lnd_answers(links, "regtest");
       links.http.says(kDenied, 500);
     },
     kInvoices, "config.wallet_unable", "permission denied"},
    {"LndMayNotLookThemUp", open_lnd,
     [](Links& links) {
       lnd_answers(links, "regtest");
       links.http.says({{"payment_request", links.bolt11()}});
       links.http.says(kDenied, 500);
     },
     kInvoices, "config.wallet_unable", "permission denied"},
    {"LndIsOnAnotherNetwork", open_lnd, [](Links& links) { lnd_answers(links, "mainnet"); }, kInvoices,
     "config.wallet_network", "is on bitcoin"},
    {"LndThatMayNotTellItsNetworkIsOnAnother", open_lnd,
     [](Links& links) {
       links.http.says(kDenied, 500);
       links.http.says({{"invoices", json::array()}});
       links.http.says(kDenied, 500);
       links.http.says({{"payment_request", links.bolt11(Network::bitcoin)}});
     },
     kInvoices, "config.wallet_unable", "bitcoin"},
    {"LndThatMayNotTellItsNetworkHasMadeInvoicesOnAnother", open_lnd,
     [](Links& links) {
       links.http.says(kDenied, 500);
       links.http.says({{"invoices", json::array({{{"payment_request", links.bolt11(Network::bitcoin)}}})}});
       links.http.says(kDenied, 500);
     },
     kInvoices, "config.wallet_network", "is on bitcoin"},
    {"CoreLightningMakesNoInvoice", open_core_lightning,
     [](Links& links) {
       links.rpc.says({{"id", "02aa"}, {"network", "regtest"}});
       links.rpc.says({{"channels", json::array()}});
       links.rpc.refuses(-32'601, "Unknown command 'invoice'");
     },
     kInvoices, "config.wallet_unable", "Unknown command"},
    {"CoreLightningIsOnAnotherNetwork", open_core_lightning,
     [](Links& links) {
       links.rpc.says({{"id", "02aa"}, {"network", "signet"}});
       links.rpc.says({{"channels", json::array()}});
     },
     kInvoices, "config.wallet_network", "is on signet"},
    {"CoreLightningDoesNotHold", open_core_lightning,
     [](Links& links) {
       links.rpc.says({{"id", "02aa"}, {"network", "regtest"}});
       links.rpc.says({{"channels", json::array()}});
     },
     kEscrow, "config.escrow", "cannot hold payments"},
    {"PhoenixdWithALimitedPassword", open_phoenixd,
     [](Links& links) {
       links.http.says({{"nodeId", "02aa"}, {"chain", "regtest"}});
       links.http.says({{"balanceSat", 0}});
       links.http.says(json::array());
       links.http.replies.push_back(HttpReply{403, "Invalid authentication"});
     },
     kInvoices, "config.wallet_unable", "Invalid authentication"},
    {"PhoenixdIsOnAnotherNetwork", open_phoenixd,
     [](Links& links) {
       links.http.says({{"nodeId", "02aa"}, {"chain", "mainnet"}});
       links.http.says({{"balanceSat", 0}});
     },
     kInvoices, "config.wallet_network", "is on bitcoin"},
    {"LnbitsWithAKeyOfNoWallet", open_lnbits,
     [](Links& links) {
       links.http.says({{"detail", "Wallet not found."}}, 404);
     },
     kInvoices, "wallet.refused", "Wallet not found."},
    {"LnbitsWithAKeyThatMayOnlyRead", open_lnbits,
     [](Links& links) {
       links.http.says({{"name", "shop"}, {"balance", 0}});
       links.http.says(json::array());
       links.http.says({{"detail", "Invalid adminkey."}}, 401);
     },
     kInvoices, "config.wallet_unable", "Invalid adminkey."},
    {"LnbitsIsOnAnotherNetwork", open_lnbits,
     [](Links& links) {
       links.http.says({{"name", "shop"}, {"balance", 0}});
       links.http.says(json::array());
       links.http.says({{"bolt11", links.bolt11(Network::bitcoin)}}, 201);
     },
     kInvoices, "config.wallet_unable", "bitcoin"},
    {"ElectrumWithoutLightning", open_electrum,
     [](Links& links) {
       links.electrum_says({{"network", "regtest"}, {"version", "4.6.0"}});
       links.electrum_says({{"confirmed", "0"}});
       links.electrum_says("4.6.0");
       links.electrum_says({{"is_lightning", false}, {"request_id", "aa"}});
     },
     kInvoices, "config.wallet_unable", "without a Lightning invoice"},
    {"ElectrumIsOnAnotherNetwork", open_electrum,
     [](Links& links) {
       links.electrum_says({{"network", "testnet"}, {"version", "4.6.0"}});
       links.electrum_says({{"confirmed", "0"}});
     },
     kInvoices, "config.wallet_network", "is on testnet"},
    {"AnAddressThatDoesNotTellWhatWasPaid", open_address,
     [](Links& links) {
       links.web.says(kOffer);
       links.web.says(kOffer);
       links.web.says({{"pr", links.bolt11()}});
     },
     kInvoices, "config.wallet_unable", "LUD-21"},
    {"AnAddressThatLeadsToSomethingElse", open_address,
     [](Links& links) {
       links.web.says({{"detail", "Not Found"}});
     },
     kInvoices, "wallet.malformed", "Not Found"},
    {"SparkIsOnAnotherNetwork", open_spark,
     [](Links& links) {
       links.rpc.says({{"name", "Spark"}});
       links.rpc.says({{"bolt11", links.bolt11(Network::bitcoin)}, {"id", "1"}});
     },
     kInvoices, "config.wallet_unable", "bitcoin"},
    {"NwcThatMayOnlyPay", open_nwc,
     [](Links& links) {
       links.relay.info->content = "pay_invoice get_info";
       links.relay.answers["get_info"] = {{"result", {{"alias", "hub"}}}};
       links.relay.answers["make_invoice"] = {{"error", {{"code", "RESTRICTED"}, {"message", "may not receive"}}}};
     },
     kInvoices, "config.wallet_unable", "may not receive"},
    {"NwcThatCannotLookUp", open_nwc,
     [](Links& links) {
       links.relay.info->content = "make_invoice get_info";
       links.relay.answers["get_info"] = {{"result", {{"alias", "hub"}}}};
       links.relay.answers["make_invoice"] = {{"result", {{"invoice", links.bolt11()}}}};
       links.relay.answers["lookup_invoice"] = {{"error", "method not found"}};
     },
     kInvoices, "config.wallet_unable", "method not found"},
    {"NwcDoesNotHold", open_nwc,
     [](Links& links) {
       links.relay.answers["get_info"] = {{"result", {{"alias", "hub"}, {"network", "regtest"}}}};
     },
     kEscrow, "config.escrow", "cannot hold payments"},
    {"NwcIsOnAnotherNetwork", open_nwc,
     [](Links& links) {
       links.relay.answers["get_info"] = {{"result", {{"network", "mainnet"}}}};
     },
     kInvoices, "config.wallet_network", "is on bitcoin"},
};

class EachInability : public testing::TestWithParam<Inability> {};

TEST_P(EachInability, IsFoundBeforeTheShopGoesOnlineAndTold) {
  const Inability& inability = GetParam();
  Links links;
  SupervisedWallet wallet(
      inability.open(links), inability.needs, links.process, [] { return base::Salt{}; }, [](const std::string&) {});
  inability.script(links);
  std::optional<base::Result<WalletStatus>> told;
  wallet.status([&](base::Result<WalletStatus> answer) { told = std::move(answer); });
  links.pass(60'000);
  ASSERT_TRUE(told);
  ASSERT_FALSE(*told);
  EXPECT_EQ(told->error().code, inability.code);
  EXPECT_THAT(told->error().describe(), HasSubstr(inability.words));
}

INSTANTIATE_TEST_SUITE_P(Wallets, EachInability, testing::ValuesIn(kInabilities),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace wallet
