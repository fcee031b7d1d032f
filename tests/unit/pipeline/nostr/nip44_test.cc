#include "pipeline/nostr/nip44.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace nostr {
namespace {

SecretKey secret(char number) {
  return *SecretKey::from_bytes(std::string(31, '\0') + number);
}

// The example in the NIP's own text.
const ConversationKey kConversation = *conversation_key(secret(1), secret(2).public_key());
const auto kNonce = *Nip44Nonce::from_hex(std::string(63, '0') + "1");
constexpr std::string_view kPayload =
    "AgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAABee0G5VSK0/"
    "9YypIObAtDKfYEAjD35uVkHyB0F4DwrcNaCXlCWZKaArsGrY6M9wnuTMxWfp1R"
    "TN9Xga8no+kF5Vsb";

std::string nip44_refusal(std::string_view payload) {
  const auto plaintext = decrypt_nip44(payload, kConversation);
  return plaintext ? "" : plaintext.error().code;
}

// What a careless peer could send: the MAC is right, whatever the padded plaintext is.
std::string with_mac(std::string_view padded) {
  const MessageKeys keys = message_keys(kConversation, kNonce);
  const std::string message = std::string(kNonce.view()) + chacha20(keys.chacha_key(), keys.chacha_nonce(), padded);
  return base::to_base64("\2" + message + std::string(base::hmac_sha256(keys.hmac_key(), message).view()));
}

TEST(Nip44, ItsOwnExampleHolds) {
  EXPECT_EQ(kConversation.hex(), "c41c775356fd92eadc63ff5a0dc1da211b268cbea22316767095b2871ea1412d");
  EXPECT_EQ(*encrypt_nip44("a", kConversation, kNonce), kPayload);
  EXPECT_EQ(*decrypt_nip44(kPayload, kConversation), "a");
}

TEST(Nip44, TheConversationKeyIsTheSameFromEitherSide) {
  EXPECT_EQ(*conversation_key(secret(2), secret(1).public_key()), kConversation);
  EXPECT_NE(*conversation_key(secret(2), secret(3).public_key()), kConversation);
  EXPECT_EQ(conversation_key(secret(1), PublicKey{}).error().code, "key.no_point");
}

TEST(Nip44, EverySizeRoundTripsInTheFewSizesOfPaddings) {
  for (const std::size_t size : {1, 31, 32, 33, 64, 65, 256, 257, 1'024, 1'025, 65'535}) {
    const std::string plaintext(size, 'x');
    const auto payload = encrypt_nip44(plaintext, kConversation, kNonce);
    ASSERT_TRUE(payload) << size;
    EXPECT_EQ(*decrypt_nip44(*payload, kConversation), plaintext) << size;
    EXPECT_EQ(base::from_base64(*payload)->size(), 1 + 32 + 2 + padded_size(size) + 32) << size;
  }
  EXPECT_EQ(encrypt_nip44(std::string(65'535, 'x'), kConversation, kNonce)->size(), kMaxNip44PayloadChars);
}

TEST(Nip44, PaddingIsInChunksOfAnEighthOfThePowerOfTwo) {
  EXPECT_EQ(padded_size(1), 32u);
  EXPECT_EQ(padded_size(32), 32u);
  EXPECT_EQ(padded_size(33), 64u);
  EXPECT_EQ(padded_size(257), 320u);
  EXPECT_EQ(padded_size(65'535), 65'536u);
}

TEST(Nip44, EncryptsNeitherNothingNorTooMuch) {
  EXPECT_EQ(encrypt_nip44("", kConversation, kNonce).error().code, "nip44.plaintext");
  EXPECT_EQ(encrypt_nip44(std::string(65'536, 'x'), kConversation, kNonce).error().code, "nip44.plaintext");
}

TEST(Nip44, AnotherNonceHidesThatTheTextIsTheSame) {
  EXPECT_NE(*encrypt_nip44("a", kConversation, Nip44Nonce{}), *encrypt_nip44("a", kConversation, kNonce));
}

TEST(Nip44, EveryAlteredBitIsNoticed) {
  const std::string raw = *base::from_base64(kPayload);
  for (std::size_t bit = 0; bit < raw.size() * 8; ++bit) {
    std::string altered = raw;
    altered[bit / 8] = static_cast<char>(altered[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(nip44_refusal(base::to_base64(altered)), bit < 8 ? "nip44.version" : "nip44.mac") << bit;
  }
}

TEST(Nip44, OnlyTheTwoCanRead) {
  EXPECT_EQ(decrypt_nip44(kPayload, *conversation_key(secret(1), secret(3).public_key())).error().code, "nip44.mac");
}

TEST(Nip44, SaysWhatIsWrongWithAPayload) {
  EXPECT_EQ(nip44_refusal("#" + std::string(kPayload)), "nip44.version");
  EXPECT_EQ(nip44_refusal("A" + std::string(kPayload.substr(1, 130)) + "!"), "nip44.base64");
  EXPECT_EQ(nip44_refusal("in clear text"), "nip44.base64");
  EXPECT_EQ(nip44_refusal(""), "nip44.length");
  EXPECT_EQ(nip44_refusal(base::to_base64("\2" + std::string(97, 'x'))), "nip44.length");
  EXPECT_EQ(nip44_refusal(base::to_base64("\2" + std::string(98, 'x'))), "nip44.mac");
  EXPECT_EQ(nip44_refusal(base::to_base64("\2" + std::string(65'602, 'x'))), "nip44.mac");
  EXPECT_EQ(nip44_refusal(base::to_base64("\2" + std::string(65'603, 'x'))), "nip44.length");
  EXPECT_EQ(nip44_refusal(base::to_base64("\2" + std::string(65'604, 'x'))), "nip44.length");
  EXPECT_EQ(decrypt_nip44(base::to_base64("\1" + std::string(98, 'x')), kConversation).error().message,
            "this is encrypted in version 1 of NIP-44");
}

TEST(Nip44, RefusesPaddingThatIsNotAsItShouldBe) {
  using namespace std::string_literals;
  EXPECT_EQ(*decrypt_nip44(with_mac("\0\3abc"s + std::string(29, '\0')), kConversation), "abc");
  EXPECT_EQ(nip44_refusal(with_mac("\0\3abc"s + std::string(28, '\0') + "x")), "nip44.padding") << "not only zeros";
  EXPECT_EQ(nip44_refusal(with_mac("\0\3abc"s + std::string(61, '\0'))), "nip44.padding") << "longer than it must be";
  EXPECT_EQ(nip44_refusal(with_mac("\0\41abc"s + std::string(29, '\0'))), "nip44.padding") << "shorter than it must be";
  EXPECT_EQ(nip44_refusal(with_mac(std::string(34, '\0'))), "nip44.padding") << "an empty text";
  EXPECT_EQ(nip44_refusal(with_mac("\xff\xff" + std::string(32, 'x'))), "nip44.padding")
      << "a text longer than there is";
}

}  // namespace
}  // namespace nostr
