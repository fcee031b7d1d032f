// What each wallet is told when it pays back, and what is made of its answers: paid and failed only by its own word.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "pipeline/wallet/core_lightning.h"
#include "pipeline/wallet/electrum.h"
#include "pipeline/wallet/lnbits.h"
#include "pipeline/wallet/lnd.h"
#include "pipeline/wallet/phoenixd.h"
#include "tests/unit/pipeline/wallet/scripted_links.h"

namespace wallet {
namespace {

using base::Msat;
using base::Result;
using nlohmann::json;
using testing::HasSubstr;

const Preimage kTheirPreimage = base::sha256("their preimage");
const std::string kTheirHash = base::sha256(kTheirPreimage.view()).hex();

class PayerTest : public testing::Test {
 protected:
  static PaymentOrder payment() {
    return {.bolt11 = "lnbc90n1",
            .payment_hash = base::sha256(kTheirPreimage.view()),
            .amount = Msat{9'000},
            .fee_limit = Msat{10'000}};
  }
  static std::string pay(Payer& payer) {
    std::string out = "silence";
    payer.pay(payment(), [&](const Result<PaymentAnswer>& answer) { out = words(answer); });
    return out;
  }
  static std::string look_up(Payer& payer) {
    std::string out = "silence";
    payer.look_up(payment(), [&](const Result<PaymentAnswer>& answer) { out = words(answer); });
    return out;
  }
  static std::string words(const Result<PaymentAnswer>& answer) {
    if (!answer) return answer.error().code;
    if (const auto* made = std::get_if<PaymentMade>(&*answer)) {
      return "paid for " + std::to_string(made->fee.value) + (made->preimage.is_zero() ? "" : " with proof");
    }
    if (const auto* failed = std::get_if<PaymentFailed>(&*answer)) return "failed: " + failed->message;
    return std::holds_alternative<Unknown>(*answer) ? "unknown" : "under way";
  }
  static WalletPorts ports() {
    return {.clock = [] { return base::TimeMs{1'800'000'000'000}; }};
  }

  ScriptedHttp http;
  ScriptedRpc rpc;
};

json lnd_payment(const std::string& status) {
  return {{"result",
           {{"payment_hash", kTheirHash},
            {"status", status},
            {"fee_msat", "12"},
            {"payment_preimage", kTheirPreimage.hex()},
            {"failure_reason", "FAILURE_REASON_NO_ROUTE"}}}};
}

TEST_F(PayerTest, LndIsToldTheFeeLimitAndBelievedInItsLastLine) {
  LndPayer lnd(http, ports());
  http.says_lines({lnd_payment("IN_FLIGHT"), lnd_payment("SUCCEEDED")});
  EXPECT_EQ(pay(lnd), "paid for 12 with proof");
  EXPECT_EQ(http.asked[0].path, "/v2/router/send");
  EXPECT_EQ(http.body(0)["fee_limit_msat"], "10000");
  EXPECT_EQ(http.body(0)["payment_request"], "lnbc90n1");
  http.says(lnd_payment("FAILED"));
  EXPECT_EQ(pay(lnd), "failed: LND says: FAILURE_REASON_NO_ROUTE");
}

TEST_F(PayerTest, LndKnowsItsPayments) {
  LndPayer lnd(http, ports());
  http.says(lnd_payment("IN_FLIGHT"));
  EXPECT_EQ(look_up(lnd), "under way");
  EXPECT_THAT(http.asked[0].path, HasSubstr("/v2/router/track/"));
  http.says({{"error", {{"code", 5}, {"message", "payment isn't initiated"}}}}, 404);
  EXPECT_EQ(look_up(lnd), "unknown");
  http.says({{"code", 6}, {"message", "invoice is already paid"}}, 409);
  EXPECT_EQ(pay(lnd), "wallet.refused");
  auto another = lnd_payment("SUCCEEDED");
  another["result"]["payment_preimage"] = kTheirHash;
  http.says(another);
  EXPECT_EQ(look_up(lnd), "wallet.preimage") << "a payment without its proof is asked about again";
}

json cln_pay(const std::string& status) {
  return {{"status", status}, {"amount_msat", 9'000}, {"amount_sent_msat", 9'003}, {"preimage", kTheirPreimage.hex()}};
}

TEST_F(PayerTest, CoreLightningPaysWithinTheFeeLimit) {
  CoreLightningPayer lightning(rpc, ports());
  json paid = cln_pay("complete");
  paid["payment_preimage"] = kTheirPreimage.hex();
  rpc.says(paid);
  EXPECT_EQ(pay(lightning), "paid for 3 with proof");
  EXPECT_EQ(rpc.params(0)["maxfee"], 10'000);
  rpc.refuses(205, "no route");
  EXPECT_EQ(pay(lightning), "wallet.refused");
}

TEST_F(PayerTest, CoreLightningsPaymentIsFailedWhenAllItsAttemptsAre) {
  CoreLightningPayer lightning(rpc, ports());
  rpc.says({{"pays", json::array()}});
  EXPECT_EQ(look_up(lightning), "unknown");
  rpc.says({{"pays", {cln_pay("failed"), cln_pay("pending")}}});
  EXPECT_EQ(look_up(lightning), "under way");
  rpc.says({{"pays", {cln_pay("failed"), cln_pay("failed")}}});
  EXPECT_THAT(look_up(lightning), HasSubstr("failed"));
  rpc.says({{"pays", {cln_pay("failed"), cln_pay("complete")}}});
  EXPECT_EQ(look_up(lightning), "paid for 3 with proof");
}

TEST_F(PayerTest, LnbitsIsAskedWhatBecameOfIt) {
  LnbitsPayer lnbits(http, ports());
  http.says({{"payment_hash", kTheirHash}}, 201);
  EXPECT_EQ(pay(lnbits), "under way");
  EXPECT_EQ(http.body(0), json({{"out", true}, {"bolt11", "lnbc90n1"}}));
  http.says({{"detail", "no such payment"}}, 404);
  EXPECT_EQ(look_up(lnbits), "unknown");
  http.says({{"paid", false}, {"status", "pending"}});
  EXPECT_EQ(look_up(lnbits), "under way");
  http.says({{"paid", false}, {"details", {{"status", "failed"}}}});
  EXPECT_THAT(look_up(lnbits), HasSubstr("failed"));
  http.says({{"paid", true}, {"preimage", kTheirPreimage.hex()}, {"details", {{"fee", -2'000}}}});
  EXPECT_EQ(look_up(lnbits), "paid for 2000 with proof");
}

TEST_F(PayerTest, PhoenixdIsNotAskedToPayAboveTheLimit) {
  PhoenixdPayer phoenixd(http, ports());
  http.says({{"paymentHash", kTheirHash}});
  EXPECT_EQ(pay(phoenixd), "under way");
  EXPECT_EQ(http.asked[0].body, "invoice=lnbc90n1");
  http.says({{"paymentHash", kTheirHash}, {"reason", "no route"}});
  EXPECT_EQ(pay(phoenixd), "wallet.refused");
  PaymentOrder dear = payment();
  dear.fee_limit = Msat{4'000};
  std::string said;
  phoenixd.pay(dear, [&](const Result<PaymentAnswer>& answer) { said = words(answer); });
  EXPECT_EQ(said, "wallet.refused");
  EXPECT_EQ(http.asked.size(), 2u);
}

TEST_F(PayerTest, PhoenixdsPaymentFailedWhenItIsCompletedAndNotPaid) {
  PhoenixdPayer phoenixd(http, ports());
  json said = {{"paymentHash", kTheirHash}, {"isPaid", false}};
  http.says(said);
  EXPECT_EQ(look_up(phoenixd), "under way");
  said["completedAt"] = 1'800'000'000'000;
  http.says(said);
  EXPECT_THAT(look_up(phoenixd), HasSubstr("failed"));
  said.update({{"isPaid", true}, {"fees", 4'036}, {"preimage", kTheirPreimage.hex()}});
  http.says(said);
  EXPECT_EQ(look_up(phoenixd), "paid for 4036 with proof");
  http.says({}, 404);
  EXPECT_EQ(look_up(phoenixd), "unknown");
}

// ---- Electrum -------------------------------------------------------------------------------------------------------

json electrum_invoices(int status) {
  return {{"result",
           {{{"invoice_id", kTheirPreimage.hex()}, {"status", 3}, {"lightning_invoice", "lnbc80n1"}},
            {{"invoice_id", kTheirHash}, {"status", status}, {"lightning_invoice", "lnbc90n1"}}}}};
}

json electrum_history(std::int64_t amount_msat, const json& fee_msat) {
  return {{"result",
           {{{"type", "channel_opening"}, {"amount_msat", 5'000'000}},
            {{"type", "payment"},
             {"payment_hash", kTheirHash},
             {"preimage", kTheirPreimage.hex()},
             {"amount_msat", amount_msat},
             {"fee_msat", fee_msat},
             {"timestamp", 1'800'000'000}}}}};
}

const json kNothing = {{"result", json::array()}};
constexpr int kUnpaid = 0, kExpired = 1, kPaid = 3, kInFlight = 4, kFailed = 5, kUnconfirmed = 7;

TEST_F(PayerTest, ElectrumIsNotAskedToPayWhereItsOwnFeeLimitIsHigher) {
  ElectrumPayer electrum(http, ports());
  http.says({{"result", {{"success", true}, {"preimage", kTheirPreimage.hex()}}}});
  EXPECT_EQ(pay(electrum), "under way") << "the history tells its fee";
  EXPECT_EQ(http.body(0)["method"], "lnpay");
  EXPECT_EQ(http.body(0)["params"], json({{"invoice", "lnbc90n1"}}));
  http.says({{"result", {{"success", false}, {"log", json::array()}}}});
  EXPECT_EQ(pay(electrum), "under way") << "one part failed, and others may not have";
  http.says({{"error", {{"code", 1}, {"message", "This invoice has expired"}}}});
  EXPECT_EQ(pay(electrum), "wallet.refused");
  for (const auto& [amount, limit] : {std::pair{9'000, 9'999}, std::pair{2'000'000, 19'999}}) {
    PaymentOrder dear = payment();
    dear.amount = Msat{amount};
    dear.fee_limit = Msat{limit};
    std::string said;
    electrum.pay(dear, [&](const Result<PaymentAnswer>& answer) { said = words(answer); });
    EXPECT_EQ(said, "wallet.refused");
  }
  EXPECT_EQ(http.asked.size(), 3u);
}

TEST_F(PayerTest, ElectrumsPaymentIsMadeWhenItsHistoryHasAllOfIt) {
  ElectrumPayer electrum(http, ports());
  const auto look_up_with = [&](const json& invoices, const json& history) {
    http.says(invoices);
    http.says(history);
    return look_up(electrum);
  };
  EXPECT_EQ(look_up_with(electrum_invoices(kPaid), electrum_history(-9'012, 12)), "paid for 12 with proof");
  EXPECT_EQ(look_up_with(kNothing, electrum_history(-9'012, 12)), "paid for 12 with proof")
      << "a list that was cleared";
  EXPECT_EQ(look_up_with(electrum_invoices(kFailed), electrum_history(-9'012, nullptr)), "paid for 12 with proof");
  EXPECT_EQ(look_up_with(electrum_invoices(kFailed), electrum_history(-5'012, -3'988)), "under way") << "a part of it";
  EXPECT_EQ(look_up_with(electrum_invoices(kPaid), electrum_history(9'000, nullptr)), "under way") << "its own invoice";
  EXPECT_EQ(look_up_with(kNothing, kNothing), "unknown");
  json another = electrum_history(-9'012, 12);
  another["result"][1]["preimage"] = kTheirHash;
  EXPECT_EQ(look_up_with(electrum_invoices(kPaid), another), "wallet.preimage");
}

TEST_F(PayerTest, ElectrumsPaymentFailedOnlyByItsOwnWord) {
  ElectrumPayer electrum(http, ports());
  for (const int status : {kUnpaid, kExpired, kPaid, kInFlight, kUnconfirmed}) {
    http.says(electrum_invoices(status));
    http.says(kNothing);
    EXPECT_EQ(look_up(electrum), "under way") << status;
  }
  http.says(electrum_invoices(kFailed));
  http.says(kNothing);
  http.says({{"result", {{{"type", "CHANNEL"}}, {{"type", "BACKUP"}}}}});
  EXPECT_THAT(look_up(electrum), HasSubstr("failed"));
  http.says(electrum_invoices(kFailed));
  http.says({{"error", {{"code", 1}, {"message", "wallet not loaded"}}}});
  EXPECT_EQ(look_up(electrum), "wallet.refused");
}

TEST_F(PayerTest, ElectrumsPaymentThatCouldHaveBeenSplitNeverFailed) {
  ElectrumPayer electrum(http, ports());
  http.says(electrum_invoices(kFailed));
  http.says(kNothing);
  http.says({{"result", {{{"type", "CHANNEL"}}, {{"type", "CHANNEL"}, {"state", "CLOSED"}}}}});
  EXPECT_EQ(look_up(electrum), "under way") << "over two channels";
  PaymentOrder large = payment();
  large.amount = Msat{20'000'000};
  http.says(electrum_invoices(kFailed));
  http.says(kNothing);
  std::string said;
  electrum.look_up(large, [&](const Result<PaymentAnswer>& answer) { said = words(answer); });
  EXPECT_EQ(said, "under way") << "in one";
}

}  // namespace
}  // namespace wallet
