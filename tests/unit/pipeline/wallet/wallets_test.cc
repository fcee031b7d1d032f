// What each wallet is asked, and what is made of its answers: settled only by its word and with the right preimage.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "pipeline/wallet/bolt11.h"
#include "pipeline/wallet/core_lightning.h"
#include "pipeline/wallet/electrum.h"
#include "pipeline/wallet/lightning_address.h"
#include "pipeline/wallet/links/rpc_message.h"
#include "pipeline/wallet/lnbits.h"
#include "pipeline/wallet/lnd.h"
#include "pipeline/wallet/macaroon.h"
#include "pipeline/wallet/phoenixd.h"
#include "pipeline/wallet/replies.h"
#include "pipeline/wallet/spark.h"
#include "tests/sim/virtual_time.h"
#include "tests/unit/pipeline/wallet/scripted_links.h"

namespace wallet {
namespace {

using base::Hash256;
using base::Msat;
using base::Result;
using base::TimeMs;
using ledger::InvoiceIssued;
using ledger::InvoiceSettled;
using nlohmann::json;
using testing::HasSubstr;

constexpr TimeMs kNow{1'800'000'000'000};

const Preimage kPreimage = base::sha256("a preimage");
const Hash256 kHash = base::sha256(kPreimage.view());

InvoiceOrder order() {
  InvoiceOrder out{.amount = Msat{9'000}, .description = "sellcompute job 01", .expiry_ms = 900'000};
  out.job.bytes[0] = 1;
  return out;
}

InvoiceIssued invoice(TimeMs expires_at = kNow + 900'000) {
  return {
      .bolt11 = "lnbcrt1", .payment_hash = kHash, .amount = Msat{9'000}, .expires_at = expires_at, .reference = "ref"};
}

WalletPorts ports() {
  return {.clock = [] { return kNow; }, .preimage = [](const InvoiceOrder&) { return kPreimage; }};
}

class WalletTest : public testing::Test {
 protected:
  static Result<MadeInvoice> create(Wallet& wallet) {
    std::optional<Result<MadeInvoice>> out;
    wallet.create_invoice(order(), [&](Result<MadeInvoice> made) { out = std::move(made); });
    return out ? *out : base::fail(base::ErrorKind::payment, "test.silent", "no answer");
  }
  static Result<LookupAnswer> look_up(Wallet& wallet, const InvoiceIssued& what = invoice()) {
    std::optional<Result<LookupAnswer>> out;
    wallet.look_up(what, [&](Result<LookupAnswer> answer) { out = std::move(answer); });
    return out ? *out : base::fail(base::ErrorKind::payment, "test.silent", "no answer");
  }
  static Result<WalletStatus> status(Wallet& wallet) {
    std::optional<Result<WalletStatus>> out;
    wallet.status([&](Result<WalletStatus> answer) { out = std::move(answer); });
    return out ? *out : base::fail(base::ErrorKind::payment, "test.silent", "no answer");
  }
  template <class Kind>
  static bool is(const Result<LookupAnswer>& answer) {
    return answer && std::holds_alternative<Kind>(*answer);
  }
  static std::vector<std::optional<Hash256>> heard(Wallet& wallet, const std::function<void()>& say) {
    std::vector<std::optional<Hash256>> out;
    wallet.on_news([&](const std::optional<Hash256>& hash) { out.push_back(hash); });
    say();
    return out;
  }

  ScriptedHttp http;
  ScriptedRpc rpc;
  sim::VirtualTime world{kNow};
  sim::ProcessTime process{world};
};

// ---- LND ------------------------------------------------------------------------------------------------------------

json lnd_invoice(const std::string& state) {
  return {{"payment_request", "lnbcrt1"},
          {"r_hash", base::to_base64(kHash.view())},
          {"r_preimage", base::to_base64(kPreimage.view())},
          {"state", state},
          {"amt_paid_msat", state == "SETTLED" ? "9001" : "0"},
          {"settle_date", "1800000001"},
          {"settle_index", "7"}};
}

TEST_F(WalletTest, AProxysWordIsNotTheWallets) {
  LndWallet lnd(http, ports());
  for (const unsigned status : {502u, 503u, 504u}) {
    http.says({{"message", "upstream"}}, status);
    EXPECT_EQ(create(lnd).error().code, "wallet.unreachable") << status;
  }
  for (const unsigned status : {408u, 520u, 524u, 530u}) {
    http.says("upstream", status);
    EXPECT_EQ(create(lnd).error().code, "wallet.unreachable") << status;
  }
  http.says({{"message", "no"}}, 500);
  EXPECT_EQ(create(lnd).error().code, "wallet.refused");
}

TEST_F(WalletTest, AWalletsOwnReasonIsKept) {
  PhoenixdWallet phoenixd(http, ports());
  const auto reason = [&](unsigned status, const std::string& body) {
    http.replies.push_back(HttpReply{status, body});
    return create(phoenixd).error().message;
  };
  EXPECT_EQ(reason(400, "amountSat is missing"), "the wallet says: amountSat is missing");
  EXPECT_EQ(reason(400, "<html>oops</html>"), "the wallet says: status 400");
  EXPECT_EQ(reason(401, "wrong password"), "the wallet refuses our credential: wrong password");
  EXPECT_THAT(reason(502, "bad gateway"), HasSubstr("status 502, bad gateway"));
  EXPECT_EQ(reason(422, R"({"detail":[{"loc":["body"],"msg":"field required"}]})"), "the wallet says: field required");
  EXPECT_EQ(reason(400, "no\x1b[2Jmore\nlines"), "the wallet says: no [2Jmore lines");
  const std::string cut = reason(400, std::string(kMaxSaidBytes - 1, 'x') + "\xc3\xa9");
  EXPECT_EQ(cut, "the wallet says: " + std::string(kMaxSaidBytes - 1, 'x')) << "between two characters";
}

TEST(HideSecrets, ReplacesEveryOccurrenceOfEverySecret) {
  const std::vector<std::string> secrets{"Basic OnBhc3M=", "OnBhc3M=", ":pass12", "pass12", "short", ""};
  EXPECT_EQ(hide_secrets("you sent Basic OnBhc3M= (:pass12), not pass12; short stays", secrets),
            "you sent (credential) ((credential)), not (credential); short stays");
}

TEST_F(WalletTest, WordsOfBeingAskedTooOftenAreHeededInEachProtocol) {
  rpc.refuses(-32'000, "429 Too Many Requests");
  SparkWallet spark(rpc, ports());
  EXPECT_EQ(look_up(spark).error().code, "wallet.rate_limited");
  http.says({{"error", {{"code", 1}, {"message", "rate limit exceeded"}}}});
  ElectrumWallet electrum(http, ports());
  EXPECT_EQ(look_up(electrum).error().code, "wallet.rate_limited");
  http.says({{"detail", "Slow down"}}, 400);
  LnbitsWallet lnbits(http, ports(), "key");
  EXPECT_EQ(look_up(lnbits).error().code, "wallet.rate_limited");
}

TEST_F(WalletTest, AWalletThatIsAskedTooOftenSaysForHowLong) {
  LnbitsWallet lnbits(http, ports(), "key");
  http.replies.push_back(HttpReply{429, "Rate limit exceeded", 30});
  const auto told = look_up(lnbits);
  EXPECT_EQ(told.error().code, "wallet.rate_limited");
  EXPECT_EQ(asked_pause_ms(told.error()), 30'000);
  http.replies.push_back(HttpReply{429, "", 1'000'000});
  EXPECT_EQ(asked_pause_ms(look_up(lnbits).error()), kLongestAskedPauseMs);
  http.replies.push_back(HttpReply{429, ""});
  EXPECT_EQ(asked_pause_ms(look_up(lnbits).error()), 0);
}

TEST_F(WalletTest, LndMakesAnInvoiceOfOurPreimage) {
  LndWallet lnd(http, ports());
  http.says({{"payment_request", "lnbcrt1"}});
  EXPECT_EQ(create(lnd)->bolt11, "lnbcrt1");
  EXPECT_EQ(http.asked[0].path, "/v1/invoices");
  EXPECT_EQ(http.body(0), json({{"memo", "sellcompute job 01"},
                                {"value_msat", "9000"},
                                {"expiry", "900"},
                                {"r_preimage", base::to_base64(kPreimage.view())}}));
}

TEST_F(WalletTest, LndFindsTheInvoiceThatItMadeBefore) {
  LndWallet lnd(http, ports());
  http.says({{"code", 2}, {"message", "invoice with payment hash already exists"}}, 500);
  http.says(lnd_invoice("OPEN"));
  EXPECT_EQ(create(lnd)->bolt11, "lnbcrt1");
  EXPECT_EQ(http.asked[1].path, "/v1/invoice/" + kHash.hex());
}

TEST_F(WalletTest, LndIsBelievedOnlyWhenItSaysSettled) {
  LndWallet lnd(http, ports());
  for (const char* state : {"OPEN", "ACCEPTED"}) {
    http.says(lnd_invoice(state));
    EXPECT_TRUE(is<Open>(look_up(lnd))) << state;
  }
  http.says(lnd_invoice("OPEN"));
  EXPECT_TRUE(is<Expired>(look_up(lnd, invoice(kNow))));
  http.says(lnd_invoice("CANCELED"));
  EXPECT_TRUE(is<Expired>(look_up(lnd)));
  http.says({{"message", "unable to locate invoice"}}, 500);
  EXPECT_TRUE(is<Unknown>(look_up(lnd)));
  http.says(lnd_invoice("SETTLED"));
  const auto answer = look_up(lnd);
  const auto& settled = std::get<InvoiceSettled>(answer.value());
  EXPECT_EQ(settled.received, Msat{9'001});
  EXPECT_EQ(settled.settled_at, TimeMs{1'800'000'001'000});
  EXPECT_EQ(settled.index, 7U);
  EXPECT_EQ(settled.preimage, kPreimage);
  EXPECT_EQ(json::parse(settled.evidence), lnd_invoice("SETTLED"));
}

TEST_F(WalletTest, LndWithAWrongPreimageOrAnotherInvoiceIsNotBelieved) {
  LndWallet lnd(http, ports());
  auto wrong = lnd_invoice("SETTLED");
  wrong["r_preimage"] = base::to_base64(kHash.view());
  http.says(wrong);
  EXPECT_EQ(look_up(lnd).error().code, "wallet.preimage");
  auto other = lnd_invoice("SETTLED");
  other["r_hash"] = base::to_base64(kPreimage.view());
  http.says(other);
  EXPECT_EQ(look_up(lnd).error().code, "wallet.malformed");
}

TEST_F(WalletTest, LndSaysWhyItCannot) {
  LndWallet lnd(http, ports());
  http.says({{"message", "wallet locked, unlock it to enable full RPC access"}}, 500);
  EXPECT_THAT(status(lnd).error().hint, HasSubstr("lncli unlock"));
  http.says({{"message", "cannot retrieve macaroon"}}, 401);
  EXPECT_EQ(status(lnd).error().code, "wallet.unauthorized");
  http.says({{"message", "permission denied"}}, 500);
  EXPECT_EQ(create(lnd).error().code, "wallet.unauthorized") << "a macaroon without the right";
  http.says({{"message", "permission denied"}}, 500);
  EXPECT_THAT(create(lnd).error().hint, HasSubstr("invoices:read and invoices:write"));
  http.replies.push_back(HttpReply{200, "<html>"});
  EXPECT_EQ(status(lnd).error().code, "wallet.malformed");
  http.says({{"alias", "gpu"}, {"identity_pubkey", "02aa"}, {"chains", json::array({{{"network", "mainnet"}}})}});
  http.says({{"local_balance", {{"sat", "5"}, {"msat", "5000"}}}});
  EXPECT_EQ(lnd.account(), "") << "not known before it has answered";
  const auto well = status(lnd);
  EXPECT_EQ(lnd.account(), "02aa");
  EXPECT_EQ(well->network, "bitcoin");
  EXPECT_EQ(well->name, "LND gpu");
  EXPECT_EQ(well->balance, Msat{5'000});
}

// LND's own invoice.macaroon has neither info:read nor offchain:read.
TEST_F(WalletTest, LndThatMayNotTellItsNodeAndBalanceTellsThemByItsInvoices) {
  LndWallet lnd(http, ports());
  const NodeKey node = *NodeKey::from_hex(std::string(64, '1'));
  const std::string made = encode_bolt11({.network = Network::regtest,
                                          .amount = Msat{9'000},
                                          .timestamp_s = kNow.ms / 1000,
                                          .payment_hash = kHash,
                                          .payment_secret = kHash,
                                          .description = "job"},
                                         node)
                               .value();
  const auto told = [&](const json& invoices) {
    http.says({{"message", "permission denied"}}, 500);
    http.says({{"invoices", invoices}});
    http.says({{"message", "permission denied"}}, 500);
    return status(lnd);
  };
  const auto fresh = told(json::array());
  ASSERT_TRUE(fresh) << fresh.error().describe();
  EXPECT_EQ(fresh->name, "LND");
  EXPECT_EQ(fresh->network, "");
  EXPECT_EQ(fresh->balance, std::nullopt);
  EXPECT_EQ(lnd.account(), "") << "not known before the first invoice";
  http.says({{"payment_request", made}});
  ASSERT_TRUE(create(lnd));
  EXPECT_EQ(lnd.account(), node_id(node)->hex());

  LndWallet later(http, ports());
  http.says({{"message", "permission denied"}}, 500);
  http.says({{"invoices", json::array({{{"payment_request", made}}})}});
  http.says({{"local_balance", {{"msat", "5000"}}}});
  const auto well = status(later);
  EXPECT_EQ(well->network, "regtest");
  EXPECT_EQ(well->balance, Msat{5'000}) << "each right by itself";
  EXPECT_EQ(later.account(), node_id(node)->hex());
  for (int i = 0; i < 2; ++i) http.says({{"message", "permission denied"}}, 500);
  EXPECT_EQ(status(later).error().code, "wallet.unauthorized") << "a macaroon without the right to invoices";
}

TEST_F(WalletTest, LndTellsWhatItStreams) {
  LndWallet lnd(http, ports());
  const auto news = heard(lnd, [&] {
    http.fed.at(0).opened();
    http.fed.at(0).said(json{{"result", lnd_invoice("OPEN")}}.dump());
    http.fed.at(0).said("garbage");
    http.fed.at(0).said(json{{"result", lnd_invoice("SETTLED")}}.dump());
  });
  EXPECT_EQ(news, (std::vector<std::optional<Hash256>>{std::nullopt, kHash}));
}

TEST_F(WalletTest, LndHoldsTakesAndGivesBack) {
  LndWallet lnd(http, ports());
  auto held = order();
  held.hold = true;
  http.says({{"payment_request", "lnbcrt1"}});
  std::optional<Result<MadeInvoice>> made;
  lnd.create_invoice(held, [&](Result<MadeInvoice> said) { made = std::move(said); });
  EXPECT_EQ((*made)->payment_hash, kHash);
  EXPECT_EQ(http.asked[0].path, "/v2/invoices/hodl");
  EXPECT_EQ(http.body(0)["hash"], base::to_base64(kHash.view()));
  EXPECT_FALSE(http.body(0).contains("r_preimage")) << "or the node would take it at once";

  auto asked = invoice();
  asked.hold = true;
  http.says(lnd_invoice("ACCEPTED"));
  EXPECT_TRUE(is<Held>(look_up(lnd, asked)));
  http.says(lnd_invoice("CANCELED"));
  EXPECT_TRUE(is<GivenBack>(look_up(lnd, asked)));

  std::vector<std::string> said;
  const auto told = [&](const Result<void>& done) { said.push_back(done ? "done" : done.error().code); };
  http.says(json::object());
  lnd.take(held, told);
  EXPECT_EQ(http.body(3), json({{"preimage", base::to_base64(kPreimage.view())}}));
  http.says({{"message", "invoice already settled"}}, 500);
  lnd.give_back(held, told);
  EXPECT_EQ(http.body(4), json({{"payment_hash", base::to_base64(kHash.view())}}));
  EXPECT_EQ(said, (std::vector<std::string>{"done", "wallet.refused"}));
}

// ---- Core Lightning -------------------------------------------------------------------------------------------------

json cln_invoices(const std::string& status) {
  json one = {{"bolt11", "lnbcrt1"}, {"payment_hash", kHash.hex()}, {"status", status}};
  if (status == "paid") {
    one.update({{"amount_received_msat", 9'001},
                {"paid_at", 1'800'000'001},
                {"pay_index", 7},
                {"payment_preimage", kPreimage.hex()}});
  }
  return {{"invoices", json::array({one})}};
}

TEST_F(WalletTest, CoreLightningMakesAnInvoiceOfOurLabelAndPreimageOnce) {
  CoreLightningWallet cln(rpc, process, ports());
  rpc.says({{"bolt11", "lnbcrt1"}});
  EXPECT_EQ(create(cln)->bolt11, "lnbcrt1");
  EXPECT_EQ(rpc.params(0), json({{"amount_msat", 9'000},
                                 {"label", label(order())},
                                 {"description", "sellcompute job 01"},
                                 {"expiry", 900},
                                 {"preimage", kPreimage.hex()}}));
  for (const std::int64_t code : {900, 901}) {
    rpc.refuses(code, "Duplicate");
    rpc.says(cln_invoices("unpaid"));
    EXPECT_EQ(create(cln)->bolt11, "lnbcrt1");
    EXPECT_EQ(json::parse(rpc.asked.back().params), json({{"label", label(order())}}));
  }
  rpc.refuses(-1, "no");
  EXPECT_EQ(create(cln).error().code, "wallet.refused");
}

TEST_F(WalletTest, CoreLightningIsReadInEachState) {
  CoreLightningWallet cln(rpc, process, ports());
  rpc.says(cln_invoices("unpaid"));
  EXPECT_TRUE(is<Open>(look_up(cln)));
  rpc.says(cln_invoices("expired"));
  EXPECT_TRUE(is<Expired>(look_up(cln)));
  rpc.says({{"invoices", json::array()}});
  EXPECT_TRUE(is<Unknown>(look_up(cln)));
  rpc.says(cln_invoices("paid"));
  const auto answer = look_up(cln);
  EXPECT_EQ(std::get<InvoiceSettled>(answer.value()).received, Msat{9'001});
  EXPECT_EQ(std::get<InvoiceSettled>(answer.value()).index, 7U);
  auto old = cln_invoices("paid");
  old["invoices"][0]["amount_received_msat"] = "9001msat";
  rpc.says(old);
  EXPECT_EQ(std::get<InvoiceSettled>(look_up(cln).value()).received, Msat{9'001}) << "as older versions write it";
}

TEST_F(WalletTest, CoreLightningTellsOfEachPaymentInTurn) {
  CoreLightningWallet cln(rpc, process, ports());
  rpc.says({{"payment_hash", kHash.hex()}, {"pay_index", 7}});
  rpc.refuses(904, "Timed out");
  const auto news = heard(cln, [&] {
    while (world.step(kNow + 100)) {
    }
  });
  EXPECT_EQ(news, std::vector<std::optional<Hash256>>{kHash});
  EXPECT_EQ(rpc.params(0)["lastpay_index"], 0);
  EXPECT_EQ(rpc.params(1)["lastpay_index"], 7);
}

// ---- phoenixd -------------------------------------------------------------------------------------------------------

json phoenixd_payment(bool paid) {
  json out = {{"paymentHash", kHash.hex()},
              {"preimage", kPreimage.hex()},
              {"externalId", label(order())},
              {"invoice", "lnbcrt1"},
              {"isPaid", paid},
              {"isExpired", false},
              {"requestedSat", 9}};
  if (paid) out.update({{"receivedSat", 8}, {"fees", 1'000}, {"completedAt", kNow.ms}});
  return out;
}

TEST_F(WalletTest, PhoenixdIsAskedForTheOrderBeforeItIsGiven) {
  PhoenixdWallet phoenixd(http, ports());
  http.says(json::array());
  http.says({{"serialized", "lnbcrt2"}});
  EXPECT_EQ(create(phoenixd)->bolt11, "lnbcrt2");
  EXPECT_EQ(http.asked[0].path, "/payments/incoming?all=true&externalId=" + label(order()));
  EXPECT_EQ(http.asked[1].content_type, "application/x-www-form-urlencoded");
  EXPECT_THAT(http.asked[1].body, HasSubstr("amountSat=9&description=sellcompute%20job%2001&expirySeconds=900"));
  http.says(json::array({phoenixd_payment(false)}));
  EXPECT_EQ(create(phoenixd)->bolt11, "lnbcrt1") << "made before";
  auto other = phoenixd_payment(false);
  other["requestedSat"] = 10;
  http.says(json::array({other}));
  http.says({{"serialized", "lnbcrt2"}});
  EXPECT_EQ(create(phoenixd)->bolt11, "lnbcrt2") << "for another amount";
}

TEST_F(WalletTest, PhoenixdIsBelievedOnlyWhenItSaysPaid) {
  PhoenixdWallet phoenixd(http, ports());
  http.says(phoenixd_payment(false));
  EXPECT_TRUE(is<Open>(look_up(phoenixd))) << "it shows the preimage before";
  http.says(phoenixd_payment(false));
  EXPECT_TRUE(is<Expired>(look_up(phoenixd, invoice(kNow))));
  http.says("not found", 404);
  EXPECT_TRUE(is<Unknown>(look_up(phoenixd)));
  http.says(phoenixd_payment(true));
  const auto answer = look_up(phoenixd);
  EXPECT_EQ(std::get<InvoiceSettled>(answer.value()).received, Msat{9'000});
  EXPECT_EQ(std::get<InvoiceSettled>(answer.value()).fee, Msat{1'000}) << "taken from what arrived";
  const auto news = heard(phoenixd, [&] {
    http.fed.at(0).said(json{{"type", "payment_received"}, {"paymentHash", kHash.hex()}}.dump());
  });
  EXPECT_EQ(news, std::vector<std::optional<Hash256>>{kHash});
}

// ---- LNbits ---------------------------------------------------------------------------------------------------------

TEST_F(WalletTest, LnbitsMakesInvoicesAndPaysNothing) {
  LnbitsWallet lnbits(http, ports(), "key");
  http.says(json::array());
  http.says({{"bolt11", "lnbcrt1"}}, 201);
  EXPECT_EQ(create(lnbits)->bolt11, "lnbcrt1");
  EXPECT_EQ(http.body(1)["out"], false);
  EXPECT_EQ(http.body(1)["amount"], 9);
  http.says(json::array({{{"extra", http.body(1)["extra"]}, {"amount", 9'000}, {"bolt11", "lnbcrt1"}}}));
  EXPECT_EQ(create(lnbits)->bolt11, "lnbcrt1");
  EXPECT_TRUE(http.replies.empty()) << "found: not made again";
}

TEST_F(WalletTest, LnbitsIsReadInEachState) {
  LnbitsWallet lnbits(http, ports(), "key");
  http.says({{"paid", false}});
  EXPECT_TRUE(is<Open>(look_up(lnbits)));
  http.says({{"detail", "Payment does not exist."}}, 404);
  EXPECT_TRUE(is<Unknown>(look_up(lnbits)));
  http.says({{"paid", true},
             {"preimage", kPreimage.hex()},
             {"details", {{"payment_hash", kHash.hex()}, {"amount", 9'000}, {"fee", -10}}}});
  const auto answer = look_up(lnbits);
  EXPECT_EQ(std::get<InvoiceSettled>(answer.value()).received, Msat{9'000});
  http.says({{"detail", "Wallet not found."}}, 404);
  EXPECT_THAT(status(lnbits).error().message, HasSubstr("Wallet not found."));
}

// ---- Electrum -------------------------------------------------------------------------------------------------------

TEST_F(WalletTest, ElectrumIsAskedInBitcoins) {
  ElectrumWallet electrum(http, ports());
  http.says({{"result", "4.3.4"}});
  http.says({{"result", {{"lightning_invoice", "lnbcrt1"}, {"request_id", "r1"}, {"rhash", kHash.hex()}}}});
  const auto made = create(electrum);
  EXPECT_EQ(made->reference, "r1");
  EXPECT_EQ(http.body(1)["params"]["amount"], "0.00000009");
  http.says({{"error", {{"code", -32'000}, {"message", "no wallet loaded"}}}});
  EXPECT_THAT(create(electrum).error().message, HasSubstr("no wallet loaded"));
  http.says({{"result", "4.6.0"}});
  http.says({{"result", {{"is_lightning", false}, {"address", "bcrt1qexample"}, {"request_id", "aa"}}}});
  EXPECT_THAT(create(electrum).error().message, HasSubstr("without a Lightning invoice"));
}

TEST_F(WalletTest, ElectrumIsCalledAsItsVersionWantsIt) {
  ElectrumWallet electrum(http, ports());
  const auto params = [&](const json& version) {
    http.says({{"result", version}});
    http.says({{"error", {{"message", "internal error while executing RPC"}, {"data", {{"exception", "TypeError"}}}}}});
    EXPECT_THAT(create(electrum).error().message, HasSubstr("RPC: TypeError")) << "in its own words";
    return json::parse(http.asked.back().body)["params"];
  };
  json old = {{"amount", "0.00000009"}, {"memo", "sellcompute job 01"}, {"force", true}, {"expiration", 900}};
  EXPECT_EQ(params("4.3.4"), old);
  json newer = {{"amount", "0.00000009"}, {"memo", "sellcompute job 01"}, {"force", true}, {"expiry", 900}};
  EXPECT_EQ(params("4.4.0"), newer);
  EXPECT_EQ(params("4.5.8"), newer);
  newer["lightning"] = true;
  EXPECT_EQ(params("4.6.0b1"), newer);
  EXPECT_EQ(params("5.0"), newer);
  EXPECT_EQ(params(json::object()), newer) << "what cannot be read is the newest";
}

TEST_F(WalletTest, ElectrumSaysThatItForgotARequest) {
  ElectrumWallet electrum(http, ports());
  http.says({{"error", {{"code", 1}, {"message", "Request not found"}}}});
  EXPECT_TRUE(is<Unknown>(look_up(electrum)));
  http.says({{"error", {{"code", 1}, {"message", "no wallet loaded"}}}});
  EXPECT_EQ(look_up(electrum).error().code, "wallet.refused");
}

TEST_F(WalletTest, ElectrumsPreimageIsInItsHistory) {
  ElectrumWallet electrum(http, ports());
  const auto request = [](int status) {
    return json{{"result", {{"rhash", kHash.hex()}, {"status", status}, {"amount_sat", 9}}}};
  };
  http.says(request(0));
  EXPECT_TRUE(is<Open>(look_up(electrum)));
  EXPECT_EQ(http.body(0)["params"]["request_id"], "ref");
  http.says(request(3));
  http.says({{"result", json::array({{{"payment_hash", kHash.hex()},
                                      {"preimage", kPreimage.hex()},
                                      {"amount_msat", 9'001},
                                      {"timestamp", 1'800'000'001}}})}});
  const auto answer = look_up(electrum);
  EXPECT_EQ(std::get<InvoiceSettled>(answer.value()).received, Msat{9'001});
  EXPECT_EQ(std::get<InvoiceSettled>(answer.value()).preimage, kPreimage);
  http.says({{"result", {{"network", "regtest"}, {"version", "4.3.4"}}}});
  http.says({{"result", {{"lightning", "0.05"}}}});
  const auto well = status(electrum);
  EXPECT_EQ(well->balance, Msat{5'000'000'000});
  EXPECT_EQ(well->network, "regtest");
}

// ---- Spark ----------------------------------------------------------------------------------------------------------

TEST_F(WalletTest, SparkIsReadInEachState) {
  SparkWallet spark(rpc, ports());
  rpc.says({{"bolt11", "lnbcrt1"}, {"id", "SparkLightningReceiveRequest:1"}});
  EXPECT_EQ(create(spark)->reference, "SparkLightningReceiveRequest:1");
  EXPECT_EQ(rpc.params(0)["preimage"], kPreimage.hex());
  rpc.says({{"state", "open"}, {"evidence", "{}"}});
  EXPECT_TRUE(is<Open>(look_up(spark)));
  rpc.says({{"state", "failed"}, {"evidence", "{}"}});
  EXPECT_TRUE(is<Expired>(look_up(spark)));
  rpc.says({{"state", "settled"}, {"received_msat", 9'000}, {"evidence", "{}"}});
  EXPECT_TRUE(is<InvoiceSettled>(look_up(spark)));
  rpc.refuses(-32'000, "the operators are unreachable");
  EXPECT_THAT(look_up(spark).error().message, HasSubstr("operators"));
  const auto news = heard(spark, [&] { rpc.said("news", "{}"); });
  EXPECT_EQ(news, std::vector<std::optional<Hash256>>{std::nullopt});
}

TEST_F(WalletTest, SparkHoldsAPaymentUntilItIsTaken) {
  SparkWallet spark(rpc, ports());
  InvoiceOrder held_order = order();
  held_order.hold = true;
  InvoiceIssued held_invoice = invoice();
  held_invoice.hold = true;
  rpc.says({{"bolt11", "lnbcrt1"}});
  spark.create_invoice(held_order, [](const Result<MadeInvoice>&) {});
  EXPECT_EQ(rpc.params(0)["hold"], true);
  rpc.says({{"state", "held"}, {"received_msat", 9'000}, {"evidence", "{}"}});
  EXPECT_TRUE(is<Held>(look_up(spark, held_invoice)));
  EXPECT_EQ(rpc.params(1)["hold"], true);
  rpc.says({{"state", "returned"}, {"evidence", "{}"}});
  EXPECT_TRUE(is<GivenBack>(look_up(spark, held_invoice)));
  rpc.says(json::object());
  bool taken = false;
  spark.take(held_order, [&](const Result<void>& done) { taken = done.has_value(); });
  EXPECT_TRUE(taken);
  EXPECT_EQ(rpc.params(3), json({{"payment_hash", kHash.hex()}, {"preimage", kPreimage.hex()}}));
}

// ---- amounts that cannot be -----------------------------------------------------------------------------------------

TEST_F(WalletTest, NoAmountIsBelievedBeyondAllBitcoin) {
  LndWallet lnd(http, ports());
  const auto settled_for = [&](const json& amount) {
    json said = lnd_invoice("SETTLED");
    said["amt_paid_msat"] = amount;
    http.says(said);
    return look_up(lnd);
  };
  EXPECT_TRUE(settled_for(std::to_string(Msat::kMax)));
  for (const json& wrong : {json("9223372036854775807"), json("99999999999999999999"), json(18446744073709551615ull),
                            json(1e30), json("0"), json("-1"), json("many"), json::array()}) {
    EXPECT_EQ(settled_for(wrong).error().code, "wallet.amount") << wrong;
  }
  auto held = invoice();
  held.hold = true;
  json said = lnd_invoice("ACCEPTED");
  said["amt_paid_msat"] = "9223372036854775807";
  http.says(said);
  EXPECT_EQ(look_up(lnd, held).error().code, "wallet.amount");
}

TEST_F(WalletTest, SumsOfAbsurdAmountsAreRefusedAndNotComputed) {
  constexpr std::int64_t kAbsurd = INT64_MAX;
  PhoenixdWallet phoenixd(http, ports());
  json payment = phoenixd_payment(true);
  for (const char* field : {"receivedSat", "fees"}) {
    payment = phoenixd_payment(true);
    payment[field] = kAbsurd;
    http.says(payment);
    EXPECT_EQ(look_up(phoenixd).error().code, "wallet.amount") << field;
  }
  SparkWallet spark(rpc, ports());
  rpc.says({{"state", "settled"}, {"received_msat", Msat::kMax}, {"fee_msat", Msat::kMax}, {"evidence", "{}"}});
  EXPECT_EQ(look_up(spark).error().code, "wallet.amount");
  ElectrumWallet electrum(http, ports());
  http.says({{"result", {{"rhash", kHash.hex()}, {"status", 3}, {"amount_sat", kAbsurd}}}});
  http.says({{"result", json::array()}});
  EXPECT_EQ(look_up(electrum).error().code, "wallet.amount");
  CoreLightningWallet cln(rpc, process, ports());
  auto said = cln_invoices("paid");
  said["invoices"][0]["amount_received_msat"] = "9223372036854775807msat";
  rpc.says(said);
  EXPECT_EQ(look_up(cln).error().code, "wallet.amount");
  http.says({{"name", "w"}, {"balance", kAbsurd}});
  LnbitsWallet lnbits(http, ports(), "key");
  EXPECT_EQ(status(lnbits)->balance, std::nullopt);
}

TEST_F(WalletTest, AMomentBeyondTheCalendarIsNow) {
  LndWallet lnd(http, ports());
  json said = lnd_invoice("SETTLED");
  said["settle_date"] = "9223372036854775807";
  http.says(said);
  EXPECT_EQ(std::get<InvoiceSettled>(look_up(lnd).value()).settled_at, kNow);
}

TEST_F(WalletTest, SettledWithoutAnAmountIsTheInvoicesAndSaysSo) {
  LnbitsWallet lnbits(http, ports(), "key");
  http.says({{"paid", true}, {"preimage", kPreimage.hex()}});  // as versions without `details` write it
  const auto answer = look_up(lnbits);
  const auto& settled = std::get<InvoiceSettled>(answer.value());
  EXPECT_EQ(settled.received, Msat{9'000});
  EXPECT_THAT(settled.evidence, testing::StartsWith(kUnprovenAmount));
}

// ---- the credential of LND ------------------------------------------------------------------------------------------

TEST(Macaroon, IsReadInEachFormThatPeopleHave) {
  const std::string bytes = std::string("\x02\x01\x03lnd", 6) + std::string(60, '\xfb');
  const std::string hex = base::to_hex(bytes);
  EXPECT_EQ(macaroon_hex(bytes).value(), hex) << "LND's own file";
  EXPECT_EQ(macaroon_hex(bytes + " \n").value(), hex + "200a") << "every byte counts";
  EXPECT_EQ(macaroon_hex(hex + "\n").value(), hex);
  EXPECT_EQ(macaroon_hex(hex.substr(0, 40) + "\r\n  " + hex.substr(40)).value(), hex);
  std::string base64 = base::to_base64(bytes);
  EXPECT_EQ(macaroon_hex(base64).value(), hex);
  EXPECT_EQ(macaroon_hex(base64.substr(0, 30) + "\n" + base64.substr(30) + "\n").value(), hex);
  for (char& c : base64) c = c == '+' ? '-' : c == '/' ? '_' : c;
  while (base64.ends_with('=')) base64.pop_back();
  EXPECT_EQ(macaroon_hex(base64).value(), hex) << "as in an lndconnect link";
}

TEST(Macaroon, WhatIsNoneIsRefusedWithoutRepeatingIt) {
  for (const char* wrong : {"", "invoice.macaroon", "deadbeef", "02", "lnbits-key-0123456789abcdef0123456789abcdef"}) {
    const auto refused = macaroon_hex(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code, "wallet.macaroon");
    EXPECT_EQ(refused.error().describe().find("deadbeef"), std::string::npos);
  }
}

// ---- Lightning address ----------------------------------------------------------------------------------------------

class AddressTest : public WalletTest {
 protected:
  AddressTest() {
    offer = {{"tag", "payRequest"},
             {"callback", "https://pay.example/cb"},
             {"minSendable", 1'000},
             {"maxSendable", 100'000'000},
             {"metadata", "[]"}};
  }
  static std::string bolt11(const std::string& description, bool hashed) {
    Invoice invoice{.network = Network::regtest,
                    .amount = Msat{9'000},
                    .timestamp_s = kNow.ms / 1000,
                    .payment_hash = kHash,
                    .payment_secret = kHash};
    if (hashed) {
      invoice.description_hash = base::sha256(description);
    } else {
      invoice.description = description;
    }
    return encode_bolt11(invoice, *NodeKey::from_hex(std::string(64, '1'))).value();
  }

  json offer;
  ScriptedWeb server;
  std::vector<std::string> warnings;
  LightningAddressWallet wallet{server,
                                {.clock = [] { return kNow; },
                                 .preimage = [](const InvoiceOrder&) { return kPreimage; },
                                 .warn = [this](const std::string& what) { warnings.push_back(what); }},
                                *LightningAddress::parse("me@pay.example")};
};

TEST_F(AddressTest, AnAddressThatDoesNotTellWhatWasPaidMakesNoInvoice) {
  server.says(offer);
  server.says({{"pr", bolt11("[]", true)}});
  EXPECT_EQ(create(wallet).error().code, "wallet.no_verify");
}

TEST_F(AddressTest, AnotherDescriptionIsWarnedAboutOnce) {
  for (const bool hashed : {true, false, false}) {
    server.says(offer);
    server.says({{"pr", bolt11(hashed ? "[]" : "tips", hashed)}, {"verify", "https://pay.example/v"}});
    EXPECT_EQ(create(wallet)->reference, "https://pay.example/v");
    EXPECT_EQ(warnings.size(), hashed ? 0U : 1U);
  }
}

TEST_F(AddressTest, ItsInvoiceIsTheSameInCapitals) {
  auto asked = invoice();
  asked.bolt11 = bolt11("[]", true);
  std::string capitals = asked.bolt11;
  for (char& c : capitals) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  server.says({{"settled", true}, {"preimage", kPreimage.hex()}, {"pr", capitals}});
  const auto answer = look_up(wallet, asked);
  EXPECT_EQ(std::get<InvoiceSettled>(answer.value()).received, Msat{9'000});
  asked.payment_hash = kPreimage;
  server.says({{"settled", true}, {"pr", capitals}});
  EXPECT_EQ(look_up(wallet, asked).error().code, "wallet.malformed") << "that is another invoice";
}

TEST_F(AddressTest, OnlyNotFoundMeansThatItDoesNotKnow) {
  server.says({{"status", "ERROR"}, {"reason", "Not found"}});
  EXPECT_TRUE(is<Unknown>(look_up(wallet)));
  server.says({{"status", "ERROR"}, {"reason", "database is down"}});
  EXPECT_THAT(look_up(wallet).error().message, HasSubstr("database is down"));
  server.says({{"status", "ERROR"}, {"reason", "Too many requests"}});
  EXPECT_EQ(look_up(wallet).error().code, "wallet.rate_limited");
  server.fails("web.too_many_requests");
  EXPECT_EQ(look_up(wallet).error().code, "wallet.rate_limited");
  server.fails("web.too_many_requests", "30 s");
  EXPECT_EQ(asked_pause_ms(look_up(wallet).error()), 30'000);
  server.fails("web.timeout");
  EXPECT_EQ(look_up(wallet).error().code, "wallet.unreachable");
}

TEST_F(AddressTest, AnotherServersJsonSaysNothingAboutAnInvoice) {
  auto over = invoice();
  over.expires_at = kNow - 1;
  server.says({{"detail", "Not Found"}});
  const auto told = look_up(wallet, over);
  EXPECT_EQ(told.error().code, "wallet.malformed") << "neither expired nor unknown";
  EXPECT_THAT(told.error().message, HasSubstr("it says: Not Found"));
  server.says(json::object());
  EXPECT_EQ(look_up(wallet, over).error().code, "wallet.malformed");
  server.says(offer);
  server.says(json::object());
  EXPECT_EQ(create(wallet).error().code, "wallet.malformed") << "and not an address without LUD-21";
}

TEST_F(AddressTest, ItsLimitsMayBeDecimals) {
  offer["minSendable"] = 10'000.5;
  server.says(offer);
  EXPECT_THAT(create(wallet).error().message, HasSubstr("10000 to 100000000 msat"));
  server.says(offer);
  ASSERT_TRUE(status(wallet));
  EXPECT_EQ(wallet.minimum(), Msat{10'000});
}

// ---- what all share -------------------------------------------------------------------------------------------------

TEST(LightningAddress, IsReadStrictly) {
  EXPECT_EQ(LightningAddress::parse("me@pay.example")->url(), "https://pay.example/.well-known/lnurlp/me");
  EXPECT_EQ(LightningAddress::parse("me@127.0.0.1:8080")->url(), "http://127.0.0.1:8080/.well-known/lnurlp/me");
  for (const char* wrong :
       {"", "me", "me@", "@pay.example", "Me@pay.example", "me@pay.example/x?y", "m/e@pay.example"}) {
    EXPECT_FALSE(LightningAddress::parse(wrong)) << wrong;
  }
}

TEST(RpcMessage, IsReadBack) {
  EXPECT_EQ(json::parse(to_json(7, {.method = "getinfo"})),
            json({{"jsonrpc", "2.0"}, {"id", 7}, {"method", "getinfo"}, {"params", json::object()}}));
  EXPECT_EQ(parse_rpc(R"({"jsonrpc":"2.0","id":7,"result":{"a":1}})")->reply.result, R"({"a":1})");
  EXPECT_EQ(parse_rpc(R"({"jsonrpc":"2.0","id":7,"error":{"code":900,"message":"no"}})")->reply.error_code, 900);
  EXPECT_EQ(parse_rpc(R"({"jsonrpc":"2.0","method":"news","params":{}})")->method, "news");
  for (const char* wrong : {"", "[]", "{}", "{", "7"}) EXPECT_FALSE(parse_rpc(wrong)) << wrong;
}

}  // namespace
}  // namespace wallet
