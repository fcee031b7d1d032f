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

TEST_F(NwcConnectionTest, AnOldWalletIsSpokenToAsItCan) {
  relay.info.reset();
  relay.answers["get_info"] = {{"result", {{"alias", "hub"}}}};
  EXPECT_TRUE(ask());
  EXPECT_EQ(relay.forms.back(), Encryption::nip04);
  EXPECT_TRUE(connection.can("make_invoice")) << "it said nothing against it";
}

TEST_F(NwcConnectionTest, WhatItCanIsInItsInfoEvent) {
  connection.learn_abilities([] {});
  EXPECT_TRUE(connection.can("make_invoice"));
  EXPECT_FALSE(connection.can("make_hold_invoice"));
}

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
  connection.ask("get_info", json::object(), [&](const base::Result<NwcReply>& reply) { out = reply; });
  connection.on_disconnected();
  EXPECT_THAT(out->error().message, HasSubstr("connection"));
}

TEST_F(NwcConnectionTest, APaymentIsToldAndSoIsALostConnection) {
  std::vector<std::optional<base::Hash256>> news;
  connection.on_news([&](const std::optional<base::Hash256>& hash) { news.push_back(hash); });
  relay.say(kNwcNotificationKind,
            {{"notification_type", "payment_received"}, {"notification", {{"payment_hash", kNwcHash.hex()}}}});
  relay.say(kNwcNotificationKind,
            {{"notification_type", "payment_sent"}, {"notification", {{"payment_hash", kNwcHash.hex()}}}});
  connection.on_connected();
  EXPECT_EQ(news, (std::vector<std::optional<base::Hash256>>{kNwcHash, std::nullopt}));
}

}  // namespace
}  // namespace wallet
