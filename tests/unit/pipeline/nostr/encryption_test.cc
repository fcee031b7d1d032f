#include "pipeline/nostr/encryption.h"

#include <gtest/gtest.h>

namespace nostr {
namespace {

const SecretKey kSeller = *SecretKey::from_bytes(std::string(31, '\0') + '\1');
const SecretKey kCustomer = *SecretKey::from_bytes(std::string(31, '\0') + '\2');
const auto kRandom = *Nip44Nonce::from_bytes(std::string(32, 'r'));

std::string to_customer(Encryption form, std::string_view plaintext) {
  return encrypt(form, plaintext, kSeller, kCustomer.public_key(), kRandom).value();
}

TEST(Encryption, IsReadInTheFormInWhichItWasWritten) {
  for (const Encryption form : {Encryption::nip04, Encryption::nip44}) {
    const std::string payload = to_customer(form, "an answer");
    EXPECT_EQ(detect_encryption(payload), form);
    EXPECT_EQ(*decrypt(payload, kCustomer, kSeller.public_key()), (Decrypted{form, "an answer"}));
  }
}

TEST(Encryption, NoneLeavesTheTextAsItIs) {
  EXPECT_EQ(to_customer(Encryption::none, "in clear text"), "in clear text");
}

TEST(Encryption, ItsSizeIsKnownBeforehand) {
  for (const Encryption form : {Encryption::none, Encryption::nip04, Encryption::nip44}) {
    for (std::size_t size = 1; size < 2'000; ++size) {
      ASSERT_EQ(to_customer(form, std::string(size, 'x')).size(), encrypted_size(form, size)) << size;
    }
  }
}

TEST(Encryption, IsToldByItsForm) {
  EXPECT_EQ(detect_encryption("AAAA?iv=AAAA"), Encryption::nip04);
  EXPECT_EQ(detect_encryption("AgAA"), Encryption::nip44);
  for (const char* other : {"", "Ag", "AgA", "AAAA", "AQAA", "AwAA", "#AgAA", "[[\"i\",\"in clear text\"]]"}) {
    EXPECT_EQ(detect_encryption(other), Encryption::none) << other;
    EXPECT_EQ(decrypt(other, kCustomer, kSeller.public_key()).error().code, "encryption.unknown") << other;
  }
}

TEST(Encryption, FailsAsItsFormDoes) {
  EXPECT_EQ(decrypt("AAAA?iv=AAAA", kCustomer, kSeller.public_key()).error().code, "nip04.length");
  EXPECT_EQ(decrypt("AgAA", kCustomer, kSeller.public_key()).error().code, "nip44.length");
  EXPECT_EQ(encrypt(Encryption::nip44, "", kSeller, kCustomer.public_key(), kRandom).error().code, "nip44.plaintext");
  for (const Encryption form : {Encryption::nip04, Encryption::nip44}) {
    EXPECT_EQ(encrypt(form, "x", kSeller, PublicKey{}, kRandom).error().code, "key.no_point");
    EXPECT_EQ(decrypt(to_customer(form, "x"), kSeller, PublicKey{}).error().code, "key.no_point");
  }
}

}  // namespace
}  // namespace nostr
