// What each wallet lists as paid into it, page by page.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/base64.h"
#include "pipeline/wallet/core_lightning.h"
#include "pipeline/wallet/electrum.h"
#include "pipeline/wallet/lightning_address.h"
#include "pipeline/wallet/lnbits.h"
#include "pipeline/wallet/lnd.h"
#include "pipeline/wallet/phoenixd.h"
#include "pipeline/wallet/replies.h"
#include "pipeline/wallet/spark.h"
#include "tests/sim/virtual_time.h"
#include "tests/unit/pipeline/wallet/scripted_links.h"

namespace wallet {
namespace {

using base::Hash256;
using base::Result;
using base::TimeMs;
using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kPaidS = 1'800'000'100;
constexpr TimeMs kSince{1'800'000'000'000};

Hash256 id(int n) {
  return base::sha256("invoice " + std::to_string(n));
}

class ListingTest : public testing::Test {
 protected:
  static WalletPorts ports() {
    return {.clock = [] { return TimeMs{1'800'000'200'000}; }};
  }
  // "9000 coffee", or the error's code.
  static std::vector<std::string> list(Wallet& wallet) {
    std::vector<std::string> out{"silence"};
    wallet.list_paid({.since = kSince}, [&](const Result<std::vector<PaidInvoice>>& listed) {
      out.clear();
      if (!listed) return out.push_back(listed.error().code);
      for (const auto& one : *listed) {
        EXPECT_EQ(one.settled_at.ms / 1000, kPaidS);
        out.push_back(std::to_string(one.received.value) + " " + one.description);
      }
    });
    return out;
  }

  ScriptedHttp http;
  ScriptedRpc rpc;
  sim::VirtualTime world{kSince};
  sim::ProcessTime process{world};
};

json lnd_entry(int n, const std::string& state, std::int64_t at_s = kPaidS) {
  return {{"r_hash", base::to_base64(id(n).view())}, {"state", state},          {"creation_date", std::to_string(at_s)},
          {"settle_date", std::to_string(at_s)},     {"amt_paid_msat", "9000"}, {"memo", "coffee"}};
}

TEST_F(ListingTest, LndIsReadBackwardsUntilItGetsTooOld) {
  LndWallet lnd(http, ports());
  json page = {{"invoices", json::array()}, {"first_index_offset", "301"}};
  for (int n = 0; n < 99; ++n) page["invoices"].push_back(lnd_entry(n, "OPEN"));
  page["invoices"].push_back(lnd_entry(99, "SETTLED"));
  http.says(page);
  http.says({{"invoices", {lnd_entry(200, "SETTLED"), lnd_entry(201, "SETTLED", 1'700'000'000)}},
             {"first_index_offset", "1"}});
  EXPECT_THAT(list(lnd), ElementsAre("9000 coffee", "9000 coffee"));
  EXPECT_THAT(http.asked[1].path, HasSubstr("index_offset=301"));
}

TEST_F(ListingTest, CoreLightningIsReadForwardsPageByPage) {
  CoreLightningWallet lightning(rpc, process, ports());
  const auto entry = [](int n) {
    return json{{"status", "paid"},       {"payment_hash", id(n).hex()},   {"paid_at", kPaidS},
                {"created_index", 7 * n}, {"amount_received_msat", 9'000}, {"description", "coffee"}};
  };
  json page = {{"invoices", json::array()}};
  for (int n = 1; n <= 500; ++n) page["invoices"].push_back(entry(n));
  rpc.says(page);
  rpc.says({{"invoices", {entry(501)}}});
  EXPECT_EQ(list(lightning).size(), 501u);
  EXPECT_EQ(rpc.params(0), json({{"index", "created"}, {"start", 1}, {"limit", 500}}));
  EXPECT_EQ(rpc.params(1)["start"], 3'501);
}

TEST_F(ListingTest, CoreLightningsOtherInvoicesAreLeftOut) {
  CoreLightningWallet lightning(rpc, process, ports());
  rpc.says({{"invoices",
             {{{"status", "paid"},
               {"payment_hash", id(1).hex()},
               {"paid_at", kPaidS},
               {"amount_received_msat", 9'000},
               {"description", "coffee"}},
              {{"status", "unpaid"}, {"payment_hash", id(2).hex()}},
              {{"status", "paid"}, {"payment_hash", id(3).hex()}, {"paid_at", 5}}}}});
  EXPECT_THAT(list(lightning), ElementsAre("9000 coffee"));
}

TEST_F(ListingTest, PhoenixdListsPageByPageAndItsFeeBelongsToIt) {
  PhoenixdWallet phoenixd(http, ports());
  const json entry = {{"paymentHash", id(1).hex()}, {"isPaid", true}, {"completedAt", kPaidS * 1000},
                      {"receivedSat", 8},           {"fees", 1'000},  {"description", "coffee"}};
  http.says(json(200, entry));
  http.says(json::array());
  EXPECT_EQ(list(phoenixd).size(), 200u);
  EXPECT_THAT(http.asked[1].path, HasSubstr("offset=200"));
  http.says(json::array({entry}));
  EXPECT_THAT(list(phoenixd), ElementsAre("9000 coffee"));
}

TEST_F(ListingTest, LnbitsTellsTheTimeInEitherForm) {
  LnbitsWallet lnbits(http, ports(), "key");
  const json entry = {
      {"payment_hash", id(1).hex()}, {"amount", 9'000}, {"pending", false}, {"time", kPaidS}, {"memo", "coffee"}};
  json newer = entry;
  newer["time"] = "2027-01-15T08:01:40+00:00";
  newer["status"] = "success";
  json out = entry;
  out["amount"] = -9'000;
  http.says(json::array({entry, newer, out}));
  EXPECT_THAT(list(lnbits), ElementsAre("9000 coffee", "9000 coffee"));
}

TEST_F(ListingTest, ElectrumsHistoryHasWhatWasSentAndItsChannelsToo) {
  ElectrumWallet electrum(http, ports());
  const auto entry = [](int n, std::int64_t msat, std::int64_t at_s) {
    return json{{"payment_hash", id(n).hex()}, {"amount_msat", msat}, {"timestamp", at_s}, {"label", "coffee"}};
  };
  const json channel = {{"type", "channel_opening"}, {"amount_msat", 9'000}, {"timestamp", kPaidS}};
  http.says({{"result", {entry(1, 9'000, kPaidS), entry(2, -9'000, kPaidS), entry(3, 9'000, 5), channel}}});
  EXPECT_THAT(list(electrum), ElementsAre("9000 coffee"));
}

TEST_F(ListingTest, SparkListsWhatWasMadeLongEnoughBefore) {
  SparkWallet spark(rpc, ports());
  const json paid = {{"payment_hash", id(1).hex()},    {"state", "settled"}, {"received_msat", 9'000},
                     {"settled_at_ms", kPaidS * 1000}, {"memo", "coffee"},   {"created_at_ms", kSince.ms - 1}};
  const json open = {{"payment_hash", id(2).hex()}, {"state", "open"}, {"memo", "tea"}};
  rpc.says({{"invoices", {paid, open}}, {"more", false}});
  EXPECT_THAT(list(spark), ElementsAre("9000 coffee"));
  EXPECT_LT(json::parse(rpc.asked[0].params)["since_ms"].get<std::int64_t>(), kSince.ms - 1);
}

TEST(Listing, RefusesMoreThanAllBitcoinTogether) {
  std::string code = "silence";
  Listing listing{.order = {.since = kSince},
                  .done = [&](const auto& listed) { code = listed ? "" : listed.error().code; }};
  for (int n = 0; n < 3; ++n) listing.keep(id(n), base::Msat{base::Msat::kMax / 3}, kSince, "");
  listing.end();
  EXPECT_EQ(code, "");
  for (int n = 3; n < 10; ++n) listing.keep(id(n), base::Msat{base::Msat::kMax / 3}, kSince, "");
  listing.end();
  EXPECT_EQ(code, "wallet.amount");
}

TEST_F(ListingTest, AListThatIsCutOffIsNoList) {
  SparkWallet spark(rpc, ports());
  rpc.says({{"invoices", json::array()}, {"more", true}});
  EXPECT_THAT(list(spark), ElementsAre("wallet.refused"));
}

TEST_F(ListingTest, WhoCannotListSaysSo) {
  class NoWeb final : public web::PageReader {
    void get(const std::string&, std::function<void(Result<std::string>)>) override {}
  } web;
  LightningAddressWallet address(web, ports(), *LightningAddress::parse("me@example.com"));
  EXPECT_THAT(list(address), ElementsAre("wallet.no_list"));
  EXPECT_FALSE(address.abilities().lists);
}

}  // namespace
}  // namespace wallet
