#include "pipeline/wallet/bolt11.h"

#include <gtest/gtest.h>

#include <random>

#include "pipeline/nostr/bech32.h"

using namespace wallet;

namespace {

const NodeKey kKey = *NodeKey::from_hex("e126f68f7eafcc8b74f54d269fe206be715000f94dac067d1c04a8ca3b2db734");

Hash256 hash(std::string_view text) {
  return base::sha256(text);
}

Invoice small_invoice() {
  return {.network = Network::regtest,
          .amount = Msat{9'000},
          .timestamp_s = 1'763'800'000,
          .payment_hash = hash("preimage"),
          .payment_secret = hash("secret"),
          .description = "one answer",
          .expiry_s = 600,
          .features = {8, 14}};
}

std::string small_text() {
  return encode_bolt11(small_invoice(), kKey).value();
}

// The text with its groups changed by `change` and signed anew: what a careless or hostile writer could send.
template <class Change>
std::string forged(std::string_view text, Change change) {
  auto parts = *nostr::decode_bech32(text, kMaxBolt11Chars);
  parts.groups.resize(parts.groups.size() - 104);
  change(parts);
  std::string bytes = parts.prefix;
  const auto padded = *nostr::convert_bits(parts.groups, 5, 8, true);
  bytes.append(padded.begin(), padded.end());
  const auto signature = sign(kKey, base::sha256(bytes)).value();
  std::vector<std::uint8_t> raw(signature.r_and_s.bytes.begin(), signature.r_and_s.bytes.end());
  raw.push_back(signature.recovery_id);
  const auto tail = *nostr::convert_bits(raw, 8, 5, true);
  parts.groups.insert(parts.groups.end(), tail.begin(), tail.end());
  return nostr::encode_bech32(parts.prefix, parts.groups);
}

std::string with_prefix(const std::string& prefix) {
  return forged(small_text(), [&](nostr::Bech32& parts) { parts.prefix = prefix; });
}

std::string with_field(std::uint8_t type, std::vector<std::uint8_t> data) {
  return forged(small_text(), [&](nostr::Bech32& parts) {
    parts.groups.push_back(type);
    parts.groups.push_back(static_cast<std::uint8_t>(data.size() / 32));
    parts.groups.push_back(static_cast<std::uint8_t>(data.size() % 32));
    parts.groups.insert(parts.groups.end(), data.begin(), data.end());
  });
}

std::string code_of(const std::string& text) {
  const auto invoice = decode_bolt11(text);
  return invoice ? "accepted" : invoice.error().code;
}

std::optional<std::int64_t> amount_of(const std::string& prefix) {
  const auto invoice = decode_bolt11(with_prefix(prefix));
  return invoice && invoice->amount ? std::optional(invoice->amount->value) : std::nullopt;
}

std::string prefix_of(std::int64_t msat) {
  Invoice invoice = small_invoice();
  invoice.amount = Msat{msat};
  const std::string text = encode_bolt11(invoice, kKey).value();
  return text.substr(0, text.rfind('1'));
}

// ---- amounts and networks -------------------------------------------------------------------------------------------

TEST(Bolt11, ReadsAmountsExactly) {
  EXPECT_EQ(amount_of("lnbc1"), 100'000'000'000);
  EXPECT_EQ(amount_of("lnbc21000000"), Msat::kMax);
  EXPECT_EQ(amount_of("lnbc1m"), 100'000'000);
  EXPECT_EQ(amount_of("lnbc1u"), 100'000);
  EXPECT_EQ(amount_of("lnbc1n"), 100);
  EXPECT_EQ(amount_of("lnbc10p"), 1);
  EXPECT_EQ(amount_of("lnbc123450p"), 12'345);
  EXPECT_EQ(amount_of("lnbc21000000000000000000p"), Msat::kMax);
}

TEST(Bolt11, RefusesAmountsThatAreNone) {
  for (const char* prefix :
       {"lnbc0", "lnbc0u", "lnbc01u", "lnbc1x", "lnbc1uu", "lnbc1u1", "lnbc1p", "lnbc15p", "lnbc1.5u", "lnbc21000001",
        "lnbc99999999999999999999", "lnbc21000000000000000010p", "lnbc999999999999999999999999999999m"}) {
    EXPECT_EQ(code_of(with_prefix(prefix)), "bolt11.amount") << prefix;
  }
}

TEST(Bolt11, WritesTheShortestAmount) {
  EXPECT_EQ(prefix_of(100'000'000'000), "lnbcrt1");
  EXPECT_EQ(prefix_of(250'000'000), "lnbcrt2500u");
  EXPECT_EQ(prefix_of(2'000'000'000), "lnbcrt20m");
  EXPECT_EQ(prefix_of(9'000), "lnbcrt90n");
  EXPECT_EQ(prefix_of(1), "lnbcrt10p");
  EXPECT_EQ(prefix_of(Msat::kMax), "lnbcrt21000000");
}

TEST(Bolt11, KnowsTheNetworksOfBitcoinAndNoOther) {
  for (const Network network : {Network::bitcoin, Network::testnet, Network::signet, Network::regtest}) {
    EXPECT_EQ(decode_bolt11(with_prefix("ln" + std::string(prefix(network))))->network, network);
    EXPECT_EQ(decode_bolt11(with_prefix("ln" + std::string(prefix(network)) + "10u"))->network, network);
  }
  for (const char* other : {"ln", "lnltc", "lnbcr", "lnbcrtx", "lntbx10u", "lnsb", "ln10u", "lnbcp"}) {
    EXPECT_EQ(code_of(with_prefix(other)), "bolt11.network") << other;
  }
  EXPECT_EQ(code_of(with_prefix("bc")), "bolt11.prefix");
  EXPECT_EQ(code_of(with_prefix("lightning")), "bolt11.prefix");
}

// ---- fields ---------------------------------------------------------------------------------------------------------

TEST(Bolt11, OfRepeatedFieldsTheFirstCounts) {
  const std::vector<std::uint8_t> another_hash(52, 0);
  const auto invoice = decode_bolt11(with_field(1, another_hash));
  ASSERT_TRUE(invoice) << invoice.error().describe();
  EXPECT_EQ(invoice->payment_hash, hash("preimage"));
  EXPECT_EQ(invoice->unknown_fields, (std::vector<UnknownField>{{1, another_hash}}));
  EXPECT_EQ(decode_bolt11(with_field(6, {1}))->expiry_s, 600);
  EXPECT_EQ(decode_bolt11(with_field(13, {}))->description, "one answer");
}

TEST(Bolt11, SkipsAndKeepsWhatItDoesNotKnow) {
  const auto invoice = decode_bolt11(with_field(2, {1, 2, 3}));
  ASSERT_TRUE(invoice) << invoice.error().describe();
  EXPECT_EQ(invoice->unknown_fields, (std::vector<UnknownField>{{2, {1, 2, 3}}}));
  EXPECT_EQ(code_of(with_field(1, {1, 2})), "accepted") << "a payment hash of another length is another field";
  EXPECT_EQ(code_of(with_field(9, {19, 1})), "accepted") << "a fallback of an unknown version";
}

TEST(Bolt11, RefusesFieldsThatContradictThemselves) {
  std::vector<std::uint8_t> no_point(53, 0);
  EXPECT_EQ(code_of(with_field(19, no_point)), "bolt11.payee");
  EXPECT_EQ(code_of(with_field(3, {})), "bolt11.route");
  EXPECT_EQ(code_of(with_field(3, std::vector<std::uint8_t>(80, 0))), "bolt11.route");
  EXPECT_EQ(code_of(with_field(27, {0, 1})), "bolt11.padding");
  EXPECT_EQ(code_of(with_field(27, {0})), "bolt11.padding");
  EXPECT_EQ(code_of(with_field(24, std::vector<std::uint8_t>(1023, 31))), "bolt11.number");
  EXPECT_EQ(code_of(with_field(23, std::vector<std::uint8_t>(52, 0))), "bolt11.description") << "described twice";
}

TEST(Bolt11, LeadingZerosOfANumberMeanNothing) {
  std::vector<std::uint8_t> padded(1000, 0);
  padded.push_back(10);
  EXPECT_EQ(decode_bolt11(with_field(24, padded))->min_final_cltv_expiry, 10u);
}

TEST(Bolt11, RefusesATruncatedField) {
  for (const std::vector<std::uint8_t>& tail : {std::vector<std::uint8_t>{2}, {2, 0}, {2, 0, 5, 1}}) {
    EXPECT_EQ(code_of(forged(
                  small_text(),
                  [&](nostr::Bech32& parts) { parts.groups.insert(parts.groups.end(), tail.begin(), tail.end()); })),
              "bolt11.cut_off");
  }
}

TEST(Bolt11, RefusesAnInvoiceWithoutWhatItNeeds) {
  const auto keep = [](std::size_t groups) { return [groups](nostr::Bech32& parts) { parts.groups.resize(groups); }; };
  EXPECT_EQ(code_of(forged(small_text(), keep(6))), "bolt11.too_short");
  EXPECT_EQ(code_of(forged(small_text(), keep(7 + 55))), "bolt11.no_payment_hash");
  EXPECT_EQ(code_of(forged(small_text(), keep(7 + 55 + 55))), "bolt11.description");
  EXPECT_EQ(code_of(forged(small_text(),
                           [](nostr::Bech32& parts) {
                             parts.groups.erase(parts.groups.begin() + 7, parts.groups.begin() + 7 + 55);
                           })),
            "bolt11.no_payment_secret");
}

TEST(Bolt11, NamesTheFeatureThatItDoesNotKnow) {
  const auto refused = decode_bolt11(forged(small_text(), [](nostr::Bech32& parts) {
    parts.groups.resize(parts.groups.size() - 6);  // the features 8 and 14 are the last field
    for (const std::uint8_t group : {5, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0}) parts.groups.push_back(group);
  }));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "bolt11.feature");
  EXPECT_NE(refused.error().message.find("feature 40"), std::string::npos) << refused.error().message;
}

TEST(Bolt11, AnyFlippedCharacterIsNoticed) {
  const std::string text = small_text();
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string flipped = text;
    flipped[i] = flipped[i] == 'q' ? 'p' : 'q';
    EXPECT_FALSE(decode_bolt11(flipped)) << i;
  }
}

TEST(Bolt11, AForeignSignatureNeverPassesForTheNamedPayee) {
  Invoice named = small_invoice();
  named.names_payee = true;
  auto parts = *nostr::decode_bech32(encode_bolt11(named, kKey).value(), kMaxBolt11Chars);
  parts.prefix = "lnbcrt900n";  // another amount under the same signature
  EXPECT_EQ(code_of(nostr::encode_bech32(parts.prefix, parts.groups)), "bolt11.signature");
}

TEST(Bolt11, RefusesTextsBeyondTheLimit) {
  EXPECT_EQ(code_of(std::string(kMaxBolt11Chars + 1, 'q')), "bolt11.length");
  EXPECT_EQ(code_of(""), "bolt11.separator");
}

// ---- writing --------------------------------------------------------------------------------------------------------

TEST(Bolt11, TheSameInvoiceAndKeyGiveTheSameText) {
  EXPECT_EQ(small_text(), small_text());
}

TEST(Bolt11, WritesNothingThatCannotBeReadBack) {
  const auto code = [](auto change) {
    Invoice invoice = small_invoice();
    change(invoice);
    const auto text = encode_bolt11(invoice, kKey);
    return text ? "written" : text.error().code;
  };
  EXPECT_EQ(code([](Invoice& i) { i.description = std::string(kMaxBolt11DescriptionBytes, 'x'); }), "written");
  EXPECT_EQ(code([](Invoice& i) { i.description = std::string(kMaxBolt11DescriptionBytes + 1, 'x'); }), "bolt11.field");
  EXPECT_EQ(code([](Invoice& i) { i.description.reset(); }), "bolt11.description");
  EXPECT_EQ(code([](Invoice& i) { i.description_hash = hash("too"); }), "bolt11.description");
  EXPECT_EQ(code([](Invoice& i) { i.description = "caf\xe9"; }), "bolt11.description");
  EXPECT_EQ(code([](Invoice& i) { i.amount = Msat{0}; }), "bolt11.amount");
  EXPECT_EQ(code([](Invoice& i) { i.amount = Msat{Msat::kMax + 1}; }), "bolt11.amount");
  EXPECT_EQ(code([](Invoice& i) { i.timestamp_s = -1; }), "bolt11.timestamp");
  EXPECT_EQ(code([](Invoice& i) { i.timestamp_s = std::int64_t{1} << 35; }), "bolt11.timestamp");
  EXPECT_EQ(code([](Invoice& i) { i.expiry_s = -1; }), "bolt11.number");
  EXPECT_EQ(code([](Invoice& i) { i.features = {8, 14, 100}; }), "bolt11.feature");
  EXPECT_EQ(code([](Invoice& i) { i.features = {8, 14, 5115}; }), "bolt11.feature");
  EXPECT_EQ(code([](Invoice& i) { i.fallbacks = {{19, "unknown"}}; }), "bolt11.ambiguous");
  EXPECT_EQ(code([](Invoice& i) { i.unknown_fields = {{24, {1}}}; }), "bolt11.ambiguous");
  EXPECT_EQ(code([](Invoice& i) { i.unknown_fields = {{32, {1}}}; }), "bolt11.field");
  EXPECT_EQ(code([](Invoice& i) {
              i.unknown_fields.assign(9, {2, std::vector<std::uint8_t>(1000, 0)});
            }),
            "bolt11.length");
  EXPECT_EQ(encode_bolt11(small_invoice(), NodeKey{}).error().code, "node_key.invalid");
}

// A random invoice that uses any of the fields; the same seed gives the same invoices everywhere.
class RandomInvoices {
 public:
  explicit RandomInvoices(std::uint64_t seed) : bits_(seed) {}

  Invoice next() {
    Invoice out;
    out.network = static_cast<Network>(below(4));
    if (coin()) out.amount = Msat{static_cast<std::int64_t>(1 + bits_() % (std::uint64_t{1} << below(60)))};
    out.timestamp_s = static_cast<std::int64_t>(bits_() >> 29);
    out.payment_hash = Hash256{bytes<32>()};
    out.payment_secret = Hash256{bytes<32>()};
    if (coin()) out.description = std::string(below(640), static_cast<char>('a' + below(26)));
    if (!out.description) out.description_hash = Hash256{bytes<32>()};
    if (coin()) out.metadata = text(below(100));
    out.names_payee = coin();
    if (coin()) out.expiry_s = static_cast<std::int64_t>(bits_() % (std::uint64_t{1} << below(40)));
    if (coin()) out.min_final_cltv_expiry = below(5000);
    for (auto n = below(3); n > 0; --n) out.fallbacks.push_back(fallback());
    for (auto n = below(3); n > 0; --n) out.routes.push_back(route());
    if (coin()) out.features = {8, 9 + 2 * below(100), 1001 + 2 * below(2000)};
    for (auto n = below(3); n > 0; --n) out.unknown_fields.push_back({2, std::vector<std::uint8_t>(below(40), 7)});
    return out;
  }

 private:
  std::uint32_t below(std::uint32_t limit) { return static_cast<std::uint32_t>(bits_() % limit); }
  bool coin() { return below(2) == 0; }
  template <std::size_t N>
  std::array<std::uint8_t, N> bytes() {
    std::array<std::uint8_t, N> out;
    for (auto& byte : out) byte = static_cast<std::uint8_t>(bits_());
    return out;
  }
  std::string text(std::size_t size) {
    std::string out(size, '\0');
    for (char& c : out) c = static_cast<char>(bits_());
    return out;
  }
  FallbackAddress fallback() {
    switch (below(4)) {
      case 0:
        return {17, text(20)};
      case 1:
        return {18, text(20)};
      case 2:
        return {0, text(coin() ? 20 : 32)};
      default:
        return {static_cast<std::uint8_t>(1 + below(16)), text(2 + below(39))};
    }
  }
  std::vector<RouteHop> route() {
    std::vector<RouteHop> out(1 + below(5));
    for (RouteHop& hop : out) {
      hop = {NodeId{bytes<33>()}, bits_(), static_cast<std::uint32_t>(bits_()), static_cast<std::uint32_t>(bits_()),
             static_cast<std::uint16_t>(bits_())};
    }
    return out;
  }

  std::mt19937_64 bits_;
};

TEST(Bolt11, WhatIsWrittenIsRead) {
  RandomInvoices invoices(20261122);
  for (int i = 0; i < 500; ++i) {
    const Invoice invoice = invoices.next();
    const auto text = encode_bolt11(invoice, kKey);
    ASSERT_TRUE(text) << i << ": " << text.error().describe();
    const auto read = decode_bolt11(*text);
    ASSERT_TRUE(read) << i << ": " << read.error().describe();
    ASSERT_EQ(static_cast<const Invoice&>(*read), invoice) << i;
    ASSERT_EQ(read->payee, *node_id(kKey)) << i;
  }
}

// ---- before a wallet is believed ------------------------------------------------------------------------------------

class CheckInvoice : public ::testing::Test {
 protected:
  std::string code(Msat amount, const std::vector<Network>& networks, TimeMs now,
                   const std::optional<Hash256>& payment_hash = std::nullopt) const {
    const auto checked = check_invoice(text, amount, networks, now, payment_hash);
    return checked ? "believed" : checked.error().code;
  }

  const std::string text = small_text();
  const TimeMs made{1'763'800'000'000};
  const TimeMs expiry = made + 600'000;
};

TEST_F(CheckInvoice, BelievesWhatWasOrdered) {
  const auto checked = check_invoice(text, Msat{9'000}, {Network::regtest}, made, hash("preimage"));
  ASSERT_TRUE(checked) << checked.error().describe();
  EXPECT_EQ(checked->payment_hash, hash("preimage"));
  EXPECT_EQ(checked->expires_at(), expiry);
  EXPECT_EQ(code(Msat{9'000}, {Network::bitcoin, Network::regtest}, made), "believed");
}

TEST_F(CheckInvoice, RefusesAnythingElse) {
  EXPECT_EQ(code(Msat{9'001}, {Network::regtest}, made), "bolt11.wrong_amount");
  EXPECT_EQ(code(Msat{9'000}, {Network::bitcoin}, made), "bolt11.wrong_network");
  EXPECT_EQ(code(Msat{9'000}, {}, made), "bolt11.wrong_network");
  EXPECT_EQ(code(Msat{9'000}, {Network::regtest}, made, hash("another")), "bolt11.wrong_payment_hash");
  EXPECT_EQ(code(Msat{9'000}, {Network::regtest}, expiry - 1), "believed");
  EXPECT_EQ(code(Msat{9'000}, {Network::regtest}, expiry), "bolt11.expired");
}

TEST_F(CheckInvoice, RefusesAnAmountlessInvoice) {
  Invoice open = small_invoice();
  open.amount.reset();
  const auto refused = check_invoice(encode_bolt11(open, kKey).value(), Msat{9'000}, {Network::regtest}, made);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "bolt11.amountless");
}

}  // namespace
