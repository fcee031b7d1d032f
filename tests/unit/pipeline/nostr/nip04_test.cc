#include "pipeline/nostr/nip04.h"

#include <gtest/gtest.h>

#include "base/base64.h"

namespace nostr {
namespace {

SecretKey secret(char number) {
  return *SecretKey::from_bytes(std::string(31, '\0') + number);
}

const SharedSecret kShared = *secret(1).shared_secret(secret(2).public_key());
// Made with nostr-tools 2.20.0 between the same two keys.
constexpr std::string_view kCiphertext =
    "4uvKpiA34GcbiJCeKZeF223pzTkXVmENZwB0f+4Uf/EbDZ/ie6Eyj3WQvsmI2vwWv65DraZlLxihNHwq4paoTs6IZoJB8mVKtsOuZMCavVg=";
constexpr std::string_view kIv = "tiXAkCINwcRSTTWxY/cdYw==";
constexpr std::string_view kPlaintext = R"([["i","Grüße, 世界 🌍","text"],["param","max_tokens","100"]])";

std::string joined(std::string_view ciphertext, std::string_view iv) {
  return std::string(ciphertext).append("?iv=").append(iv);
}

std::string nip04_refusal(std::string_view payload) {
  const auto plaintext = decrypt_nip04(payload, kShared);
  return plaintext ? "" : plaintext.error().code;
}

TEST(Nip04, ReadsAndWritesWhatNostrToolsDoes) {
  const auto iv = *Nip04Iv::from_bytes(*base::from_base64(kIv));
  EXPECT_EQ(*decrypt_nip04(joined(kCiphertext, kIv), kShared), kPlaintext);
  EXPECT_EQ(*encrypt_nip04(kPlaintext, kShared, iv), joined(kCiphertext, kIv));
  EXPECT_EQ(*decrypt_nip04("RvmYhCPnIIXhu3kPQvOTHA==?iv=gJqsxtJGsoWmDDIScrkqgw==", kShared), "");
}

TEST(Nip04, EverySizeRoundTripsUpToTheLargest) {
  for (const std::size_t size : {0, 1, 15, 16, 17, 65'535, 65'536}) {
    const std::string plaintext(size, 'x');
    EXPECT_EQ(*decrypt_nip04(*encrypt_nip04(plaintext, kShared, Nip04Iv{}), kShared), plaintext) << size;
  }
  EXPECT_EQ(encrypt_nip04(std::string(65'537, 'x'), kShared, Nip04Iv{}).error().code, "nip04.plaintext");
}

TEST(Nip04, AnotherKeyDoesNotReadIt) {
  const auto other = *secret(1).shared_secret(secret(3).public_key());
  EXPECT_EQ(decrypt_nip04(joined(kCiphertext, kIv), other).error().code, "nip04.key");
}

TEST(Nip04, SaysWhatIsWrongWithAPayload) {
  EXPECT_EQ(nip04_refusal(kCiphertext), "nip04.form");
  EXPECT_EQ(nip04_refusal(joined("!" + std::string(kCiphertext.substr(1)), kIv)), "nip04.base64");
  EXPECT_EQ(nip04_refusal(joined("", kIv)), "nip04.length");
  EXPECT_EQ(nip04_refusal(joined(base::to_base64(std::string(15, 'x')), kIv)), "nip04.length");
  EXPECT_EQ(nip04_refusal(joined(base::to_base64(std::string(65'552, 'x')), kIv)), "nip04.key");
  EXPECT_EQ(nip04_refusal(joined(base::to_base64(std::string(65'568, 'x')), kIv)), "nip04.length");
  const auto too_long = encrypt_aes_cbc(kShared.view(), std::string(16, '\0'), std::string(65'537, 'x'));
  EXPECT_EQ(nip04_refusal(joined(base::to_base64(too_long), kIv)), "nip04.length");
  EXPECT_EQ(nip04_refusal(joined(kCiphertext, "")), "nip04.iv");
  EXPECT_EQ(nip04_refusal(joined(kCiphertext, base::to_base64(std::string(15, 'x')))), "nip04.iv");
  EXPECT_EQ(nip04_refusal(joined(kCiphertext, joined(kIv, kIv))), "nip04.iv");
  EXPECT_EQ(decrypt_nip04("", kShared).error().kind, base::ErrorKind::job_request);
}

}  // namespace
}  // namespace nostr
