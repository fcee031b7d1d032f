#include "pipeline/nostr/nip49.h"

#include <gtest/gtest.h>

#include "pipeline/nostr/bech32.h"
#include "pipeline/nostr/nip19.h"

namespace nostr {
namespace {

// The example in the NIP's own text; its log_n is 16.
constexpr std::string_view kExample =
    "ncryptsec1qgg9947rlpvqu76pj5ecreduf9jxhselq2nae2kghhvd5g7dgjtcxfqtd67p9m0w57lspw8gsq6yphnm8623nsl8xn9j4jdzz84zm3fr"
    "z"
    "tj3z7s35vpzmqf6ksu8r89qk5z2zxfmu5gv8th8wclt0h4p";
// The secret key 3, made with nostr-tools 2.20.0 at a log_n of 2, behind "nostr" and behind ÅΩẛ̣ as U+212B U+2126
// U+1E9B U+0323.
constexpr std::string_view kQuick =
    "ncryptsec1qgprn8qcm8ctpw4nxc6uevfvcvjy2sha5mcc6lftepmkqze5tnz4cyl6gn2z9mw7kz0qy7xy8g06yhj8xwgp8g6t66jhmnlf9d3nhc0s"
    "ppn3273y26uxsgyuxc4e58m59tzc04hs798ajl5e856ags0l";
constexpr std::string_view kAccents =
    "ncryptsec1qgpww4kepccc7lkjew7kve92gra5sqchw9atszf7xvukkhvr5a6jqugpvt60x478swrqz8qjnl4frspzglarduksca9nzgh4cg965jcn"
    "d"
    "8zw38xpje4murmudru5p4thxuc8ygj3n6keeanjnyd8rrq6";
const SecretKey kThree = *SecretKey::from_bytes(std::string(31, '\0') + '\3');

// kQuick with one of its bytes turned into another.
std::string altered(std::size_t at, char difference) {
  std::string bytes = *decode_ncryptsec(kQuick);
  bytes[at] = static_cast<char>(bytes[at] ^ difference);
  return encode_bech32("ncryptsec",
                       *convert_bits({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}, 8, 5, true));
}

std::string with_log_n(int log_n) {
  return altered(1, static_cast<char>(log_n ^ 2));
}

std::string nip49_refusal(std::string_view text, std::string_view passphrase = "nostr") {
  const auto key = decrypt_ncryptsec(text, passphrase);
  if (key) return "";
  EXPECT_EQ(key.error().describe().find(text.substr(9)), std::string::npos) << "it is not repeated";
  return key.error().code;
}

TEST(Nip49, ItsOwnExampleHolds) {
  const auto key = decrypt_ncryptsec(kExample, "nostr");
  ASSERT_TRUE(key) << key.error().describe();
  EXPECT_EQ(key->reveal().hex(), "3501454135014541350145413501453fefb02227e449e57cf4d3a3ce05378683");
}

TEST(Nip49, ReadsWhatNostrToolsWrote) {
  EXPECT_EQ(decrypt_ncryptsec(kQuick, "nostr")->public_key(), kThree.public_key());
}

TEST(Nip49, APassphraseIsTheSameHoweverItIsTyped) {
  for (const char* passphrase : {"\u212b\u2126\u1e9b\u0323", "\u00c5\u03a9\u1e69", "A\u030a\u03a9s\u0323\u0307"}) {
    const auto key = decrypt_ncryptsec(kAccents, passphrase);
    ASSERT_TRUE(key) << passphrase;
    EXPECT_EQ(key->public_key(), kThree.public_key());
  }
}

TEST(Nip49, RefusesAnotherPassphrase) {
  EXPECT_EQ(nip49_refusal(kQuick, "Nostr"), "nip49.passphrase");
  EXPECT_EQ(nip49_refusal(kQuick, ""), "nip49.passphrase");
  EXPECT_EQ(nip49_refusal(kQuick, "\xff"), "nip49.not_utf8");
}

TEST(Nip49, RefusesDamage) {
  EXPECT_EQ(nip49_refusal(std::string(kQuick.substr(0, kQuick.size() - 1)) + "q"), "bech32.checksum");
  EXPECT_EQ(nip49_refusal("nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"), "nip19.prefix");
  EXPECT_EQ(nip49_refusal(altered(0, 1)), "nip49.version");
  EXPECT_EQ(nip49_refusal(encode_bech32("ncryptsec", {})), "nip49.version");
  EXPECT_EQ(nip49_refusal(altered(2, 1)), "nip49.passphrase") << "its salt";
  EXPECT_EQ(nip49_refusal(altered(42, 1)), "nip49.passphrase") << "how it was kept, which is no secret";
  EXPECT_EQ(nip49_refusal(altered(43, 1)), "nip49.passphrase") << "the key itself";
}

TEST(Nip49, RefusesToTakeAllMemory) {
  EXPECT_EQ(nip49_refusal(with_log_n(23)), "nip49.log_n");
  EXPECT_EQ(nip49_refusal(with_log_n(255)), "nip49.log_n");
  EXPECT_EQ(nip49_refusal(with_log_n(0)), "nip49.log_n");
  EXPECT_NE(decrypt_ncryptsec(with_log_n(23), "nostr").error().message.find("2^23 KiB"), std::string::npos);
}

TEST(Nip49, IsToldByItsPrefix) {
  EXPECT_TRUE(is_ncryptsec(kQuick));
  EXPECT_FALSE(is_ncryptsec("nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5"));
}

}  // namespace
}  // namespace nostr
