// The wallet over Nostr Wallet Connect, with one at the other end that speaks it back.
#include "pipeline/wallet/nwc.h"

#include <gtest/gtest.h>

#include "pipeline/wallet/replies.h"
#include "tests/unit/pipeline/wallet/wallet_at_relay.h"

namespace wallet {
namespace {

using base::TimeMs;
using ledger::Encryption;
using nlohmann::json;

class NwcTest : public testing::Test, protected NwcWorld {
 protected:
  base::Result<MadeInvoice> create() {
    std::optional<base::Result<MadeInvoice>> out;
    wallet.create_invoice({.amount = base::Msat{9'000}, .description = "job", .expiry_ms = 900'000},
                          [&](base::Result<MadeInvoice> made) { out = std::move(made); });
    pass(60'000);
    return *out;
  }
  base::Result<LookupAnswer> look_up() {
    std::optional<base::Result<LookupAnswer>> out;
    wallet.look_up({.payment_hash = kNwcHash, .amount = base::Msat{9'000}, .expires_at = process.now() + 100'000},
                   [&](base::Result<LookupAnswer> answer) { out = std::move(answer); });
    pass(60'000);
    return *out;
  }

  base::Result<WalletStatus> status() {
    std::optional<base::Result<WalletStatus>> out;
    wallet.status([&](base::Result<WalletStatus> answer) { out = std::move(answer); });
    pass(60'000);
    return *out;
  }

  NwcWallet wallet{
      connection,
      {.clock = [this] { return process.now(); }, .preimage = [](const InvoiceOrder&) { return kNwcPreimage; }}};
};

TEST_F(NwcTest, AnInvoiceIsLookedForAndThenMade) {
  relay.answers["list_transactions"] = {{"result", {{"transactions", json::array()}}}};
  relay.answers["make_invoice"] = {{"result", {{"invoice", "lnbcrt1"}}}};
  EXPECT_EQ(create()->bolt11, "lnbcrt1");
  ASSERT_EQ(relay.requests.size(), 2u);
  EXPECT_EQ(relay.requests[1]["params"]["amount"], 9'000);
  EXPECT_EQ(relay.requests[1]["params"]["expiry"], 900);
  EXPECT_EQ(relay.forms[1], Encryption::nip44);
  relay.answers["list_transactions"]["result"]["transactions"].push_back(
      {{"invoice", "lnbcrt1"}, {"amount", 9'000}, {"metadata", relay.requests[1]["params"]["metadata"]}});
  EXPECT_EQ(create()->bolt11, "lnbcrt1");
  EXPECT_EQ(relay.requests.back()["method"], "list_transactions") << "found: not made again";
  EXPECT_EQ(relay.info_asked, 1);
}

TEST_F(NwcTest, SettledIsWhatItSaysInEitherWay) {
  json paid = {{"payment_hash", kNwcHash.hex()},
               {"amount", 9'000},
               {"preimage", kNwcPreimage.hex()},
               {"settled_at", 1'800'000'000}};
  relay.answers["lookup_invoice"] = {{"result", paid}};
  EXPECT_EQ(std::get<ledger::InvoiceSettled>(look_up().value()).received, base::Msat{9'000});
  paid["state"] = "settled";
  relay.answers["lookup_invoice"] = {{"result", paid}};
  EXPECT_TRUE(std::holds_alternative<ledger::InvoiceSettled>(look_up().value()));
  paid["state"] = "pending";
  relay.answers["lookup_invoice"] = {{"result", paid}};
  EXPECT_TRUE(std::holds_alternative<Open>(look_up().value())) << "the state has the last word";
  paid["state"] = "expired";
  relay.answers["lookup_invoice"] = {{"result", paid}};
  EXPECT_TRUE(std::holds_alternative<Expired>(look_up().value()));
  relay.answers["lookup_invoice"] = {{"error", {{"code", "NOT_FOUND"}, {"message", "?"}}}};
  EXPECT_TRUE(std::holds_alternative<Unknown>(look_up().value()));
}

// As coinos says of payments between its own users.
TEST_F(NwcTest, SettledWithoutAnAmountIsTheInvoicesAndSaysSo) {
  json paid = {{"payment_hash", kNwcHash.hex()}, {"state", "settled"}, {"preimage", "user-to-user"}};
  relay.answers["lookup_invoice"] = {{"result", paid}};
  const auto answer = look_up();
  const auto& settled = std::get<ledger::InvoiceSettled>(answer.value());
  EXPECT_EQ(settled.received, base::Msat{9'000});
  EXPECT_TRUE(settled.preimage.is_zero());
  EXPECT_EQ(settled.evidence, kUnprovenAmount + relay.answers["lookup_invoice"].dump());
  paid["amount"] = 0;
  relay.answers["lookup_invoice"] = {{"result", paid}};
  EXPECT_EQ(look_up().error().code, "wallet.amount") << "told, and nothing";
}

TEST_F(NwcTest, WhatItCanIsKnownWhenItHasAnswered) {
  EXPECT_TRUE(wallet.abilities().holds) << "until then we hope so";
  relay.answers["get_info"] = {{"result", {{"alias", "hub"}, {"network", "mainnet"}}}};
  EXPECT_EQ(status()->network, "bitcoin");
  EXPECT_FALSE(wallet.abilities().holds);
  EXPECT_TRUE(wallet.abilities().pushes);
  relay.info->tags.pop_back();
  connection.on_connected("wss://relay.example");
  status();
  EXPECT_FALSE(wallet.abilities().pushes) << "an info event without notifications";
}

TEST_F(NwcTest, AConnectionThatMayOnlyReceiveIsWell) {
  relay.info->content = "make_invoice lookup_invoice";
  relay.answers["get_info"] = {{"error", {{"code", "NOT_IMPLEMENTED"}, {"message", "not implemented"}}}};
  EXPECT_EQ(status()->name, "NWC");
}

TEST_F(NwcTest, AConnectionThatTheWalletDoesNotKnowIsNotWell) {
  relay.answers["get_info"] = {{"error", {{"code", "UNAUTHORIZED"}, {"message", "unknown connection"}}}};
  const auto told = status();
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, "wallet.unauthorized");
}

// No info event, and get_info refused: what it can is found out by trying, and promised in nothing.
TEST_F(NwcTest, AWalletThatTellsNothingIsTried) {
  EXPECT_FALSE(wallet.abilities().pushes) << "before it has answered, payments are looked for";
  const json no = {{"error", {{"code", "NOT_IMPLEMENTED"}, {"message", "no"}}}};
  relay.info.reset();
  for (const char* method : {"get_info", "get_balance", "list_transactions"}) relay.answers[method] = no;
  relay.answers["make_invoice"] = {{"result", {{"invoice", "lnbcrt1"}}}};
  const auto told = status();
  ASSERT_TRUE(told) << told.error().describe();
  EXPECT_EQ(told->balance, std::nullopt);
  EXPECT_FALSE(wallet.abilities().holds);
  EXPECT_TRUE(wallet.abilities().lists) << "until it refuses";
  EXPECT_EQ(create()->bolt11, "lnbcrt1");
  EXPECT_FALSE(wallet.abilities().lists);
  std::string code;
  wallet.list_paid({}, [&](const auto& listed) { code = listed ? "listed" : listed.error().code; });
  EXPECT_EQ(code, "wallet.no_list");
  const std::size_t asked = relay.requests.size();
  EXPECT_TRUE(status());
  EXPECT_EQ(relay.requests.size(), asked) << "nothing that it has refused is asked again";
}

TEST_F(NwcTest, AWalletThatIgnoresWhatItDoesNotKnowMakesInvoicesAllTheSame) {
  relay.info.reset();
  relay.answers["get_info"] = {{"error", "unknown method"}};
  relay.answers["make_invoice"] = {{"result", {{"invoice", "lnbcrt1"}}}};
  EXPECT_EQ(create()->bolt11, "lnbcrt1") << "list_transactions has no answer";
}

TEST_F(NwcTest, ARefusalForBeingAskedTooOftenIsNotTakenForAnEmptyList) {
  relay.answers["list_transactions"] = {{"error", {{"code", "RATE_LIMITED"}, {"message", "slow down"}}}};
  EXPECT_EQ(create().error().code, "wallet.rate_limited");
  EXPECT_EQ(relay.requests.back()["method"], "list_transactions");
}

TEST_F(NwcTest, AMissingMethodIsNotAMissingInvoice) {
  relay.answers["lookup_invoice"] = {{"error", "Method not found"}};
  EXPECT_EQ(look_up().error().code, "wallet.refused");
}

TEST_F(NwcTest, AWalletHoldsOnlyWhatItCanTakeAndGiveBack) {
  relay.answers["get_info"] = {{"result", json::object()}};
  relay.info->content += " make_hold_invoice cancel_hold_invoice";
  status();
  EXPECT_FALSE(wallet.abilities().holds);
  relay.info->content += " settle_hold_invoice";
  connection.on_connected("wss://relay.example");
  status();
  EXPECT_TRUE(wallet.abilities().holds);
}

// ---- payments that are held -----------------------------------------------------------------------------------------

class NwcHold : public NwcTest {
 protected:
  NwcHold() { relay.info->content += " make_hold_invoice settle_hold_invoice cancel_hold_invoice"; }
  static InvoiceOrder order() { return {.amount = base::Msat{9'000}, .expiry_ms = 900'000, .hold = true}; }
  ledger::InvoiceIssued invoice() const {
    return {.payment_hash = kNwcHash, .amount = base::Msat{9'000}, .expires_at = process.now() + 1, .hold = true};
  }
};

TEST_F(NwcHold, TheInvoiceIsLookedForByOurHashAndThenMade) {
  relay.answers["lookup_invoice"] = {{"error", {{"code", "NOT_FOUND"}}}};
  relay.answers["make_hold_invoice"] = {{"result", {{"invoice", "lnbcrt1"}}}};
  std::string made;
  wallet.create_invoice(order(), [&](const base::Result<MadeInvoice>& said) { made = said->bolt11; });
  pass(1'000);
  EXPECT_EQ(made, "lnbcrt1");
  EXPECT_EQ(relay.requests.back()["params"]["payment_hash"], kNwcHash.hex());
}

TEST_F(NwcHold, AWalletWithoutHoldInvoicesIsNotAskedForOne) {
  relay.info->content = "make_invoice lookup_invoice";
  std::string code;
  wallet.create_invoice(order(), [&](const base::Result<MadeInvoice>& said) { code = said.error().code; });
  pass(1'000);
  EXPECT_EQ(code, "wallet.refused");
  EXPECT_TRUE(relay.requests.empty());
  EXPECT_FALSE(wallet.abilities().holds);
}

TEST_F(NwcHold, IsTakenWithThePreimageAndGivenBackByTheHash) {
  relay.answers["settle_hold_invoice"] = {{"result", json::object()}};
  relay.answers["cancel_hold_invoice"] = {{"error", {{"code", "OTHER"}, {"message", "no"}}}};
  std::vector<bool> done;
  const auto told = [&](const base::Result<void>& said) { done.push_back(said.has_value()); };
  wallet.take(order(), told);
  wallet.give_back(order(), told);
  pass(1'000);
  EXPECT_EQ(done, (std::vector<bool>{true, false}));
  EXPECT_EQ(relay.requests[0]["params"]["preimage"], kNwcPreimage.hex());
  EXPECT_EQ(relay.requests[1]["params"]["payment_hash"], kNwcHash.hex());
}

TEST_F(NwcHold, AcceptedIsHeldAndFailedIsGivenBack) {
  const auto say = [&](const char* state) {
    relay.answers["lookup_invoice"] = {
        {"result", {{"payment_hash", kNwcHash.hex()}, {"state", state}, {"amount", 9'000}}}};
    std::optional<base::Result<LookupAnswer>> out;
    wallet.look_up(invoice(), [&](base::Result<LookupAnswer> said) { out = std::move(said); });
    pass(1'000);
    return **out;
  };
  EXPECT_TRUE(std::holds_alternative<Held>(say("accepted")));
  EXPECT_TRUE(std::holds_alternative<GivenBack>(say("failed")));
  EXPECT_TRUE(std::holds_alternative<Open>(say("pending")));
}

// As Alby Hub speaks of an invoice that is past its time.
TEST_F(NwcHold, ExpiredMayStillBeHeldUntilTheWalletHasAnsweredToGivingItBack) {
  const base::TimeMs expired_at = process.now() - 1;
  const auto look_up = [&](const json& more) {
    json said = {{"payment_hash", kNwcHash.hex()}, {"state", "expired"}, {"amount", 9'000}};
    said.update(more);
    relay.answers["lookup_invoice"] = {{"result", said}};
    ledger::InvoiceIssued over = invoice();
    over.expires_at = expired_at;
    std::optional<base::Result<LookupAnswer>> out;
    wallet.look_up(over, [&](base::Result<LookupAnswer> answer) { out = std::move(answer); });
    pass(1'000);
    return **out;
  };
  const json held = {{"settle_deadline", 800'144}};
  EXPECT_TRUE(std::holds_alternative<Expired>(look_up(json::object()))) << "nobody ever paid";
  EXPECT_TRUE(std::holds_alternative<Held>(look_up(held)));
  relay.answers["cancel_hold_invoice"] = {{"error", {{"code", "NOT_FOUND"}}}};
  wallet.give_back(order(), [](const base::Result<void>&) {});
  pass(1'000);
  EXPECT_TRUE(std::holds_alternative<GivenBack>(look_up(held)));
}

}  // namespace
}  // namespace wallet
