#include "pipeline/nostr/keys.h"

#include <gtest/gtest.h>

#include <sstream>

#include "tests/support/vectors.h"

namespace nostr {
namespace {

struct SignatureVector {
  std::string secret, pubkey, aux, message, signature;  // hex
};

void expect_signs(const SignatureVector& vector) {
  const auto message = *base::from_hex(vector.message);
  const auto key = SecretKey::from_text(vector.secret);
  ASSERT_TRUE(key) << vector.pubkey;
  EXPECT_EQ(key->public_key(), *PublicKey::from_hex(vector.pubkey));
  EXPECT_EQ(key->sign(message, *AuxRandom::from_hex(vector.aux)), *Signature::from_hex(vector.signature))
      << vector.pubkey;
}

// Computed from the BIP's text with integers alone, by other means than libsecp256k1; messages of several lengths.
TEST(Bip340, SignsAndVerifiesAsAnIndependentComputationDoes) {
  const std::vector<SignatureVector> vectors = {
      {"0000000000000000000000000000000000000000000000000000000000000003",
       "f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
       "0000000000000000000000000000000000000000000000000000000000000000",
       "0000000000000000000000000000000000000000000000000000000000000000",
       "e907831f80848d1069a5371b402410364bdf1c5f8307b0084c55f1ce2dca821525f66a4a85ea8b71e482a74f382d2ce5ebeee8fdb2172f4"
       "77df4900d310536c0"},
      {"fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140",
       "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798",
       "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "",
       "15a4538204f371149d122c9c0039742676ac4e123658bff8427df9126b31d6c4bb403b8dfa8d326aaddd2b89f730aa3fe9e8b75273eeb37"
       "79b3b6fbfc5a59ada"},
      {"67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa",
       "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e",
       "0000000000000000000000000000000000000000000000000000000000000001", "11",
       "02c26c03afbfd572627f5853bb4758b20de7088227fe4948151187515a61db22738715c1cdd364a8f9f252279580889b2ec518e09e90b0a"
       "d47fe403b35e1c5d3"},
      {"0000000000000000000000000000000000000000000000000000000000000007",
       "5cbdf0646e5db4eaa398f365f2ea7a0e3d419b7e0330e39ce92bddedcac4f9bc",
       "0000000000000000000000000000000000000000000000000000000000abcdef", "000102030405060708090a0b0c0d0e0f10",
       "f875548ec64591f93f6d4aae5c0790fcde119f1ff98675027572d604e5a0b03d75da2381d4f90cc446605ee9f8563c5d74004521a1a54a9"
       "e7d5bc13ac2451b05"},
      {"0000000000000000000000000000000000000000000000000000000000003039",
       "f01d6b9018ab421dd410404cb869072065522bf85734008f105cf385a023a80f",
       "0000000000000000000000000000000000000000000000000000000000000005",
       "999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999999"
       "99999999999999999999999999999999999999999999999999999999999999999999999999999999999999999",
       "6e6c56f5984ed7b81e03cd9d7dfce7b80733b0273b15f739c5182a33884cdcdc9a3493a30e528e48260a28e310cc2c556c958ebad4cf8ca"
       "a930635ff5d3ed784"},
  };
  for (const SignatureVector& vector : vectors) {
    expect_signs(vector);
    const auto key = *PublicKey::from_hex(vector.pubkey);
    const auto message = *base::from_hex(vector.message);
    const auto signature = *Signature::from_hex(vector.signature);
    EXPECT_TRUE(verify_signature(key, message, signature));
    EXPECT_FALSE(verify_signature(key, message + "x", signature));
  }
}

// Nostr signs 32 bytes, the hash of an event. The functions take any length, as BIP-340 does.
TEST(Bip340, TheOfficialVectorsHold) {
  std::istringstream rows(vectors::read("bip340.csv"));
  std::string line;
  std::getline(rows, line);  // the names of the columns
  int cases = 0, signing_cases = 0, cases_of_other_lengths = 0;
  for (; std::getline(rows, line); ++cases) {
    std::istringstream row(line);
    std::string index, secret, pubkey, aux, message, signature, valid;
    for (std::string* cell : {&index, &secret, &pubkey, &aux, &message, &signature, &valid})
      std::getline(row, *cell, ',');
    SCOPED_TRACE("case " + index);
    if (!secret.empty()) {
      expect_signs({secret, pubkey, aux, message, signature});
      ++signing_cases;
    }
    const std::string bytes = base::from_hex(message).value();
    if (bytes.size() != 32) ++cases_of_other_lengths;
    const bool verified =
        verify_signature(PublicKey::from_hex(pubkey).value(), bytes, Signature::from_hex(signature).value());
    EXPECT_EQ(verified ? "TRUE" : "FALSE", valid);
  }
  EXPECT_EQ(cases, 19);
  EXPECT_EQ(signing_cases, 8);
  EXPECT_EQ(cases_of_other_lengths, 4);
}

TEST(SecretKey, RefusesWhatIsNoKeyWithoutRepeatingIt) {
  const std::string order = "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141";
  for (const std::string& text :
       {std::string(), std::string(64, '0'), order, std::string(63, '1'), std::string("nsec1qqq"),
        std::string("npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg")}) {
    const auto key = SecretKey::from_text(text);
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().code, "key.invalid");
    EXPECT_TRUE(text.empty() || key.error().describe().find(text) == std::string::npos);
  }
}

TEST(SecretKey, ReadsHexAndNsec) {
  // The example of NIP-19.
  const auto from_nsec = SecretKey::from_text("nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5");
  const auto from_hex = SecretKey::from_text("67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa");
  ASSERT_TRUE(from_nsec && from_hex);
  EXPECT_EQ(from_nsec->public_key(), from_hex->public_key());
  EXPECT_EQ(from_hex->public_key().hex(), "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e");
  EXPECT_EQ(from_nsec->reveal(), from_hex->reveal());
}

TEST(SecretKey, MovesAndStillSigns) {
  auto first = *SecretKey::from_bytes(std::string(31, '\0') + '\7');
  const PublicKey key = first.public_key();
  SecretKey second = std::move(first);
  SecretKey third = *SecretKey::from_bytes(std::string(31, '\0') + '\1');
  third = std::move(second);
  EXPECT_EQ(third.public_key(), key);
  EXPECT_TRUE(verify_signature(key, "any length", third.sign("any length", {})));
  EXPECT_FALSE(verify_signature(key, "another text", third.sign("any length", {})));
}

TEST(SharedSecret, IsTheSameFromEitherSide) {
  const auto ours = *SecretKey::from_bytes(std::string(31, '\0') + '\1');
  const auto theirs = *SecretKey::from_bytes(std::string(31, '\0') + '\7');
  EXPECT_EQ(*ours.shared_secret(theirs.public_key()), *theirs.shared_secret(ours.public_key()));
  // One times a point is the point: its x coordinate is the public key.
  EXPECT_EQ(ours.shared_secret(theirs.public_key())->hex(), theirs.public_key().hex());
  EXPECT_EQ(ours.shared_secret(PublicKey{}).error().code, "key.no_point");
}

TEST(Point, HalfOfAllNumbersAreOne) {
  EXPECT_TRUE(is_point(*PublicKey::from_hex("7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e")));
  EXPECT_FALSE(is_point(PublicKey{}));
}

}  // namespace
}  // namespace nostr
