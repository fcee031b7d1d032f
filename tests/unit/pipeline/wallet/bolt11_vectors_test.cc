// The examples of the BOLT11 specification.
#include <gtest/gtest.h>

#include <map>
#include <nlohmann/json.hpp>

#include "pipeline/wallet/bolt11.h"
#include "tests/support/vectors.h"

using namespace wallet;
using nlohmann::json;

namespace {

constexpr std::string_view kPayee = "03e7156ae33b0a208d0744199163177e909e80176e55d97a2f221ede0f934dd9ad";
constexpr std::string_view kPaymentHash = "0001020304050607080900010203040506070809000102030405060708090102";

class Bolt11Vectors : public ::testing::Test {
 protected:
  DecodedInvoice valid(std::size_t index) const {
    return decode_bolt11(examples.at("valid").at(index).at("invoice").get<std::string>()).value();
  }

  const json examples = json::parse(vectors::read("bolt11.json"));
  const NodeKey key = NodeKey::from_hex(examples.at("private_key").get<std::string>()).value();
};

TEST_F(Bolt11Vectors, ValidInvoicesAreRead) {
  ASSERT_EQ(examples.at("valid").size(), 16u);
  for (const json& vector : examples.at("valid")) {
    SCOPED_TRACE(vector.at("title").get<std::string>());
    const auto invoice = decode_bolt11(vector.at("invoice").get<std::string>());
    ASSERT_TRUE(invoice) << invoice.error().describe();
    if (vector.at("timestamp").is_number()) {
      EXPECT_EQ(invoice->timestamp_s, vector.at("timestamp").get<std::int64_t>());
    }
    EXPECT_EQ(invoice->payment_secret.hex(), examples.at("payment_secret").get<std::string>());
  }
}

TEST_F(Bolt11Vectors, InvalidInvoicesAreRefusedForTheRightReason) {
  const std::map<std::string, std::string> reasons = {
      {"Same, but adding invalid unknown feature 100", "bolt11.feature"},
      {"Bech32 checksum is invalid.", "bolt11.checksum"},
      {"Malformed bech32 string (no 1)", "bolt11.separator"},
      {"Malformed bech32 string (mixed case)", "bolt11.case"},
      {"Signature is not recoverable.", "bolt11.signature"},
      {"String is too short.", "bolt11.too_short"},
      {"Invalid multiplier", "bolt11.amount"},
      {"Invalid sub-millisatoshi precision.", "bolt11.amount"},
      {"Missing required `s` field.", "bolt11.no_payment_secret"},
      {"Non canonical signature (high-S) with 'n' field defined", "bolt11.signature"}};
  ASSERT_EQ(reasons.size(), 10u);
  ASSERT_EQ(examples.at("invalid").size(), reasons.size());
  for (const json& vector : examples.at("invalid")) {
    SCOPED_TRACE(vector.at("title").get<std::string>());
    const auto invoice = decode_bolt11(vector.at("invoice").get<std::string>());
    ASSERT_FALSE(invoice);
    EXPECT_EQ(invoice.error().code, reasons.at(vector.at("title").get<std::string>()));
    EXPECT_EQ(invoice.error().kind, base::ErrorKind::payment);
  }
}

TEST_F(Bolt11Vectors, TheSignatureTellsThePayee) {
  for (std::size_t i = 0; i < 16; ++i) {
    const bool signed_by_another = i == 15;  // the high-S form of the same numbers has another signer
    EXPECT_EQ(valid(i).payee.hex() == kPayee, !signed_by_another) << i;
    EXPECT_FALSE(valid(i).names_payee);
  }
  EXPECT_EQ(node_id(key)->hex(), kPayee);
}

TEST_F(Bolt11Vectors, WrittenAgainTheySayTheSame) {
  for (std::size_t i = 0; i < 16; ++i) {
    const Invoice invoice = valid(i);
    const auto text = encode_bolt11(invoice, key);
    ASSERT_TRUE(text) << i << text.error().describe();
    EXPECT_EQ(static_cast<const Invoice&>(*decode_bolt11(*text)), invoice) << i;
  }
}

TEST_F(Bolt11Vectors, ADonation) {
  const auto invoice = valid(0);
  EXPECT_EQ(invoice.network, Network::bitcoin);
  EXPECT_EQ(invoice.amount, std::nullopt);
  EXPECT_EQ(invoice.payment_hash.hex(), kPaymentHash);
  EXPECT_EQ(invoice.description, "Please consider supporting this project");
  EXPECT_EQ(invoice.expires_at().ms, (1496314658 + 3600) * 1000LL);
  EXPECT_EQ(invoice.features, (std::vector<std::uint32_t>{8, 14}));
}

TEST_F(Bolt11Vectors, ACupOfNonsenseWithinAMinute) {
  const auto invoice = valid(2);
  EXPECT_EQ(invoice.amount->value, 250'000'000);
  EXPECT_EQ(invoice.description, "ナンセンス 1杯");
  EXPECT_EQ(invoice.expires_at().ms, (1496314658 + 60) * 1000LL);
}

TEST_F(Bolt11Vectors, ADescriptionByItsHash) {
  const auto invoice = valid(3);
  EXPECT_EQ(invoice.amount->value, 2'000'000'000);
  EXPECT_EQ(invoice.description, std::nullopt);
  EXPECT_EQ(invoice.description_hash,
            base::sha256("One piece of chocolate cake, one icecream cone, one pickle, one slice of swiss cheese, "
                         "one slice of salami, one lollypop, one piece of cherry pie, one sausage, one cupcake, "
                         "and one slice of watermelon"));
}

TEST_F(Bolt11Vectors, FallbackAddressesOfEveryKind) {
  const std::vector<std::pair<std::size_t, FallbackAddress>> expected = {
      {4, {17, *base::from_hex("3172b5654f6683c8fb146959d347ce303cae4ca7")}},
      {5, {17, *base::from_hex("04b61f7dc1ea0dc99424464cc4064dc564d91e89")}},
      {6, {18, *base::from_hex("8f55563b9a19f321c211e9b9f38cdf686ea07845")}},
      {7, {0, *base::from_hex("751e76e8199196d454941c45d1b3a323f1433bd6")}},
      {8, {0, *base::from_hex("1863143c14c5166804bd19203356da136c985678cd4d27a1b8c6329604903262")}},
      {9, {1, *base::from_hex("0adac43daa9c8a5a68e09ea10692b82226ee190e572db9b90e17a410484ab405")}}};
  for (const auto& [index, address] : expected) {
    SCOPED_TRACE(index);
    ASSERT_EQ(valid(index).fallbacks.size(), 1u);
    EXPECT_EQ(valid(index).fallbacks[0].version, address.version);
    EXPECT_EQ(base::to_hex(valid(index).fallbacks[0].program), base::to_hex(address.program));
  }
  EXPECT_EQ(valid(4).network, Network::testnet);
}

TEST_F(Bolt11Vectors, APrivateRoute) {
  const auto hop = [](const char* node, std::uint64_t channel, std::uint32_t base, std::uint32_t rate,
                      std::uint16_t delta) {
    return RouteHop{*NodeId::from_hex(node), channel, base, rate, delta};
  };
  const std::vector<RouteHop> route = {
      hop("029e03a901b85534ff1e92c43c74431f7ce72046060fcf7a95c37e148f78c77255", 0x0102030405060708, 1, 20, 3),
      hop("039e03a901b85534ff1e92c43c74431f7ce72046060fcf7a95c37e148f78c77255", 0x030405060708090a, 2, 30, 4)};
  EXPECT_EQ(valid(5).routes, (std::vector<std::vector<RouteHop>>{route}));
}

TEST_F(Bolt11Vectors, AnAmountInPicoBitcoin) {
  const auto invoice = valid(10);
  EXPECT_EQ(invoice.amount->value, 967'878'534);
  EXPECT_EQ(invoice.expiry_s, 604'800);
  EXPECT_EQ(invoice.min_final_cltv_expiry, 10u);
}

TEST_F(Bolt11Vectors, UpperCaseIsTheSameInvoice) {
  EXPECT_EQ(static_cast<const Invoice&>(valid(11)), static_cast<const Invoice&>(valid(12)));
  EXPECT_EQ(valid(11).features, (std::vector<std::uint32_t>{8, 14, 99}));
}

TEST_F(Bolt11Vectors, FieldsToBeIgnoredAreKeptAside) {
  const auto invoice = valid(13);
  EXPECT_EQ(invoice.payment_hash.hex(), kPaymentHash);
  EXPECT_FALSE(invoice.names_payee);
  EXPECT_TRUE(invoice.fallbacks.empty());
  EXPECT_EQ(invoice.unknown_fields.size(), 10u);
}

TEST_F(Bolt11Vectors, PaymentMetadata) {
  EXPECT_EQ(valid(14).metadata, base::from_hex("01fafaf0"));
  EXPECT_EQ(valid(14).features, (std::vector<std::uint32_t>{8, 14, 48}));
}

// The signer of the examples uses the nonce of RFC 6979 as we do, and these have their fields in our order.
TEST_F(Bolt11Vectors, WeWriteTheVeryTexts) {
  for (const std::size_t index : {0, 1, 2, 3, 5, 9}) {
    EXPECT_EQ(encode_bolt11(valid(index), key), examples.at("valid").at(index).at("invoice").get<std::string>())
        << index;
  }
}

}  // namespace
