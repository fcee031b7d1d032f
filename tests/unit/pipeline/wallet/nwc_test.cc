// Nostr Wallet Connect, with a wallet at the other end that speaks it back.
#include "pipeline/wallet/nwc.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "pipeline/nostr/nip01.h"
#include "tests/sim/virtual_time.h"

namespace wallet {
namespace {

using base::TimeMs;
using ledger::Encryption;
using nlohmann::json;
using testing::HasSubstr;

constexpr char kUri[] =
    "nostr+walletconnect://"
    "c6047f9441ed7d6d3045406e95c07cd85c778e4b8cef3ca7abac09b95c709ee5?relay=wss%3A%2F%2Frelay.example"
    "&secret=0000000000000000000000000000000000000000000000000000000000000003&lud16=me@pay.example\n";
const base::Hash256 kNwcPreimage = base::sha256("nwc");
const base::Hash256 kNwcHash = base::sha256(kNwcPreimage.view());

nostr::Nip44Nonce nonce() {
  return *nostr::Nip44Nonce::from_bytes(std::string(32, 'n'));
}

// Its relay and the wallet behind it.
class WalletAtRelay final : public nostr::Relays {
 public:
  explicit WalletAtRelay(sim::ProcessTime& time) : time_(time) {}

  void publish(const std::string& relay, const std::string& event_json, const base::EventId&,
               std::function<void(ledger::RelayAnswer)> done) override {
    done({.relay = relay, .accepted = refusal.empty(), .message = refusal, .at = time_.now()});
    if (!refusal.empty()) return;
    const nostr::Event request = *nostr::parse_event(event_json);
    const auto opened = nostr::decrypt(request.content, key, request.pubkey);
    requests.push_back(json::parse(opened->plaintext));
    forms.push_back(opened->form);
    const std::string method = requests.back()["method"];
    if (answers.contains(method)) say(kNwcResponseKind, answers.at(method), request.id);
  }
  void query(const std::string&, nostr::Filter,
             std::function<void(base::Result<std::vector<nostr::Event>>)> done) override {
    ++info_asked;
    std::vector<nostr::Event> out;
    if (info) out.push_back(nostr::sign(*info, key, {}));
    done(out);
  }
  base::Result<void> watch(std::vector<nostr::Filter>) override { return {}; }
  unsigned required_pow(const std::string&) const override { return 0; }

  void say(std::uint32_t kind, const json& what, const nostr::EventId& about = {}) {
    nostr::Unsigned event{.kind = kind, .created_at_s = 1};
    event.tags = {{"p", customer->hex()}, {"e", about.hex()}};
    event.content =
        *nostr::encrypt(forms.empty() ? Encryption::nip44 : forms.back(), what.dump(), key, *customer, nonce());
    wallet->on_event(nostr::sign(std::move(event), key, {}));
  }

  nostr::SecretKey key = *nostr::SecretKey::from_text(std::string(63, '0') + "2");
  std::optional<nostr::PublicKey> customer;
  NwcWallet* wallet = nullptr;
  std::optional<nostr::Unsigned> info;
  std::string refusal;
  std::map<std::string, json> answers;
  std::vector<json> requests;
  std::vector<Encryption> forms;
  int info_asked = 0;

 private:
  sim::ProcessTime& time_;
};

class NwcTest : public testing::Test {
 protected:
  NwcTest()
      : wallet(
            relay, process, [] { return base::Salt{}; },
            {.clock = [this] { return process.now(); }, .preimage = [](const InvoiceOrder&) { return kNwcPreimage; }},
            *NwcUri::parse(kUri)) {
    relay.wallet = &wallet;
    relay.customer = NwcUri::parse(kUri)->secret.public_key();
    relay.info =
        nostr::Unsigned{.kind = kNwcInfoKind, .content = "make_invoice lookup_invoice list_transactions get_info"};
    relay.info->tags = {{"encryption", "nip44_v2 nip04"}};
  }
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
  void pass(std::int64_t ms) {
    const TimeMs until = world.now() + ms;
    while (world.step(until)) {
    }
  }

  sim::VirtualTime world{TimeMs{1'800'000'000'000}};
  sim::ProcessTime process{world};
  WalletAtRelay relay{process};
  NwcWallet wallet;
};

TEST(NwcUri, IsReadWhole) {
  const auto uri = NwcUri::parse(kUri);
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

TEST_F(NwcTest, AnOldWalletIsSpokenToAsItCan) {
  relay.info.reset();
  relay.answers["list_transactions"] = {{"error", {{"code", "NOT_IMPLEMENTED"}, {"message", "no"}}}};
  relay.answers["make_invoice"] = {{"result", {{"invoice", "lnbcrt1"}}}};
  EXPECT_EQ(create()->bolt11, "lnbcrt1");
  EXPECT_EQ(relay.forms.back(), Encryption::nip04);
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

TEST_F(NwcTest, SilenceAndRefusalsAreAnswersToo) {
  EXPECT_EQ(look_up().error().code, "wallet.unreachable");
  relay.refusal = "blocked: not you";
  EXPECT_THAT(look_up().error().message, HasSubstr("not you"));
  relay.refusal.clear();
  relay.answers["lookup_invoice"] = {{"error", {{"code", "RESTRICTED"}, {"message", "may not"}}}};
  EXPECT_EQ(look_up().error().code, "wallet.unauthorized");
}

TEST_F(NwcTest, APaymentIsToldAndSoIsALostConnection) {
  std::vector<std::optional<base::Hash256>> news;
  wallet.on_news([&](const std::optional<base::Hash256>& hash) { news.push_back(hash); });
  relay.say(kNwcNotificationKind,
            {{"notification_type", "payment_received"}, {"notification", {{"payment_hash", kNwcHash.hex()}}}});
  relay.say(kNwcNotificationKind,
            {{"notification_type", "payment_sent"}, {"notification", {{"payment_hash", kNwcHash.hex()}}}});
  wallet.on_connected();
  EXPECT_EQ(news, (std::vector<std::optional<base::Hash256>>{kNwcHash, std::nullopt}));
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
