// What goes over the wire of Nostr Wallet Connect, with a wallet at the other end that speaks it back.
#include "pipeline/wallet/nwc_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/pipeline/wallet/wallet_at_relay.h"

namespace wallet {
namespace {

using ledger::Encryption;
using nlohmann::json;
using testing::HasSubstr;

class NwcConnectionTest : public testing::Test, protected NwcWorld {
 protected:
  base::Result<NwcReply> ask() {
    std::optional<base::Result<NwcReply>> out;
    connection.ask("get_info", json::object(), [&](const base::Result<NwcReply>& reply) { out = reply; });
    pass(60'000);
    return *out;
  }
};

TEST(NwcUri, IsReadWhole) {
  const auto uri = NwcUri::parse(kNwcUri);
  ASSERT_TRUE(uri) << uri.error().describe();
  EXPECT_EQ(uri->relays, std::vector<std::string>{"wss://relay.example"});
  for (const char* wrong :
       {"", "nostr+walletconnect://", "https://relay.example",
        "nostr+walletconnect://c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5?secret=03"}) {
    const auto refused = NwcUri::parse(wrong);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_EQ(refused.error().code, "wallet.nwc_uri");
    EXPECT_EQ(refused.error().describe().find("c6047f"), std::string::npos) << "nothing of it is repeated";
  }
}

TEST_F(NwcConnectionTest, AQuestionIsEncryptedAsTheWalletCanRead) {
  relay.answers["get_info"] = {{"result", {{"alias", "hub"}}}};
  EXPECT_EQ(result_of(*ask())->at("alias"), "hub");
  EXPECT_EQ(relay.requests.back(), (json{{"method", "get_info"}, {"params", json::object()}}));
  EXPECT_EQ(relay.forms.back(), Encryption::nip44);
  ask();
  EXPECT_EQ(relay.info_asked, 1) << "what it can is known now";
}

TEST_F(NwcConnectionTest, WhatItCanIsInItsInfoEvent) {
  EXPECT_FALSE(connection.learnt());
  connection.learn_abilities([](const base::Result<void>&) {});
  EXPECT_TRUE(connection.learnt());
  EXPECT_TRUE(connection.can("make_invoice"));
  EXPECT_FALSE(connection.can("make_hold_invoice"));
  EXPECT_TRUE(connection.notifies("payment_received"));
}

TEST_F(NwcConnectionTest, WithoutAnInfoEventItIsAskedInTheOldEncryption) {
  relay.info.reset();
  relay.answers["get_info"] = {{"result", {{"methods", {"make_invoice", "make_hold_invoice"}}}}};
  EXPECT_TRUE(ask());
  EXPECT_EQ(relay.forms.back(), Encryption::nip04);
  EXPECT_TRUE(connection.can("make_hold_invoice"));
  EXPECT_FALSE(connection.notifies("payment_received")) << "it said nothing of them";
  EXPECT_FALSE(connection.may("list_transactions"));
}

TEST_F(NwcConnectionTest, AWalletThatSaysNothingMayBeTriedButIsPromisedNothing) {
  relay.info.reset();
  relay.answers["get_info"] = {{"error", {{"code", "NOT_IMPLEMENTED"}, {"message", "no"}}}};
  EXPECT_TRUE(ask());
  EXPECT_TRUE(connection.learnt());
  EXPECT_TRUE(connection.may("make_invoice"));
  EXPECT_FALSE(connection.can("make_hold_invoice"));
}

TEST_F(NwcConnectionTest, WithoutAnInfoEventTheNewEncryptionIsTriedToo) {
  relay.info.reset();
  relay.answers["get_info"] = {{"result", {{"methods", {"make_invoice"}}}}};
  relay.deaf = {Encryption::nip04};
  EXPECT_TRUE(ask());
  EXPECT_EQ(relay.forms.back(), Encryption::nip44);
  EXPECT_TRUE(connection.can("make_invoice"));
}

TEST_F(NwcConnectionTest, AWalletThatWasAwayIsAskedAgainWhatItCan) {
  const auto info = std::exchange(relay.info, std::nullopt);
  EXPECT_EQ(ask().error().code, "wallet.unreachable");
  EXPECT_FALSE(connection.learnt());
  relay.info = info;  // as it sends when it starts
  relay.answers["get_info"] = {{"result", json::object()}};
  EXPECT_TRUE(ask());
  EXPECT_EQ(relay.forms.back(), Encryption::nip44);
  EXPECT_TRUE(connection.can("make_invoice"));
}

TEST_F(NwcConnectionTest, WhatTheConnectionMayCountsBeforeWhatTheWalletCan) {
  relay.info->content += " make_hold_invoice";
  relay.answers["get_info"] = {
      {"result", {{"methods", {"get_info", "make_invoice"}}, {"notifications", {"payment_sent"}}}}};
  EXPECT_TRUE(ask());
  EXPECT_FALSE(connection.can("make_hold_invoice"));
  EXPECT_FALSE(connection.notifies("payment_received"));
}

TEST_F(NwcConnectionTest, AMethodThatWasRefusedAsNotImplementedIsNotTriedAgain) {
  relay.answers["get_info"] = {{"error", {{"code", "NOT_IMPLEMENTED"}, {"message", "no"}}}};
  EXPECT_TRUE(ask());
  EXPECT_FALSE(connection.may("get_info"));
  EXPECT_TRUE(connection.may("make_invoice"));
}

TEST_F(NwcConnectionTest, AnErrorMayBeAMereText) {
  relay.answers["get_info"] = {{"error", "Failed to decrypt request"}};
  EXPECT_EQ(result_of(*ask()).error().message, "the wallet says: Failed to decrypt request");
  relay.answers["get_info"] = {{"error", "invoice not found"}};
  EXPECT_EQ(ask()->error_code, "NOT_FOUND");
  relay.answers["get_info"] = {{"error", {{"message", "invoice not found"}}}};
  EXPECT_EQ(ask()->error_code, "NOT_FOUND") << "or one without a code";
  relay.answers["get_info"] = {{"error", "Method not found"}};
  EXPECT_EQ(ask()->error_code, "NOT_IMPLEMENTED") << "which is no missing invoice";
  relay.answers["get_info"] = {{"error", {{"code", "RATE_LIMITED"}, {"message", "slow down"}}}};
  EXPECT_EQ(result_of(*ask()).error().code, "wallet.rate_limited");
}

// ---- several relays -------------------------------------------------------------------------------------------------

constexpr char kDead[] = "wss://dead.example";
constexpr char kLive[] = "wss://relay.example";

class SeveralRelays : public testing::Test, protected NwcWorld {
 protected:
  static std::string uri(const std::string& first, const std::string& second) {
    std::string out(kNwcUri);
    return out.replace(out.find("relay="), out.find("&secret") - out.find("relay="),
                       "relay=" + first + "&relay=" + second);
  }
  explicit SeveralRelays(const std::string& text = uri(kDead, kLive)) : NwcWorld(text) {
    relay.dead = {kDead};
    relay.answers["get_info"] = {{"result", {{"alias", "hub"}}}};
  }
  void start_to_ask() {
    connection.ask("get_info", json::object(), [this](const base::Result<NwcReply>& reply) { answer = reply; });
  }
  std::optional<base::Result<NwcReply>> answer;
};

TEST_F(SeveralRelays, AnyLiveOneServes) {
  start_to_ask();
  ASSERT_TRUE(answer);
  EXPECT_TRUE(*answer) << answer->error().describe();
}

TEST_F(SeveralRelays, ADeadOneThatIsDialledInVainDisturbsNothing) {
  connection.on_connected(kLive);
  relay.answers.clear();  // the wallet is slow
  start_to_ask();
  connection.on_disconnected(kDead);
  EXPECT_FALSE(answer) << "it waits on";
  connection.on_disconnected(kLive);
  ASSERT_TRUE(answer);
  EXPECT_THAT(answer->error().message, HasSubstr("connection"));
}

TEST_F(SeveralRelays, WhenAllAreDeadTheyAreNamed) {
  relay.dead.insert(kLive);
  start_to_ask();
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->error().code, "wallet.unreachable");
  EXPECT_THAT(answer->error().hint, HasSubstr(kDead));
  EXPECT_THAT(answer->error().hint, HasSubstr(kLive));
}

// ---- one relay ------------------------------------------------------------------------------------------------------

TEST_F(NwcConnectionTest, SilenceAndRefusalsAreAnswersToo) {
  EXPECT_EQ(ask().error().code, "wallet.unreachable");
  relay.refusal = "blocked: not you";
  EXPECT_THAT(ask().error().message, HasSubstr("not you"));
  relay.refusal.clear();
  relay.answers["get_info"] = {{"error", {{"code", "RESTRICTED"}, {"message", "may not"}}}};
  EXPECT_EQ(result_of(*ask()).error().code, "wallet.unauthorized");
  relay.answers["get_info"] = {{"error", {{"code", "OTHER"}, {"message", "no"}}}};
  EXPECT_EQ(result_of(*ask()).error().code, "wallet.refused");
}

TEST_F(NwcConnectionTest, ALostConnectionAnswersWhatWaits) {
  std::optional<base::Result<NwcReply>> out;
  connection.on_connected("wss://relay.example");
  connection.ask("get_info", json::object(), [&](const base::Result<NwcReply>& reply) { out = reply; });
  connection.on_disconnected("wss://relay.example");
  EXPECT_THAT(out->error().message, HasSubstr("connection"));
}

TEST_F(NwcConnectionTest, APaymentIsToldAndSoIsALostConnection) {
  std::vector<std::optional<base::Hash256>> news;
  connection.on_news([&](const std::optional<base::Hash256>& hash) { news.push_back(hash); });
  relay.say(kNwcNotificationKind,
            {{"notification_type", "payment_received"}, {"notification", {{"payment_hash", kNwcHash.hex()}}}});
  relay.say(kNwcNotificationKind,
            {{"notification_type", "payment_sent"}, {"notification", {{"payment_hash", kNwcHash.hex()}}}});
  connection.on_connected("wss://relay.example");
  EXPECT_EQ(news, (std::vector<std::optional<base::Hash256>>{kNwcHash, std::nullopt}));
}

}  // namespace
}  // namespace wallet
