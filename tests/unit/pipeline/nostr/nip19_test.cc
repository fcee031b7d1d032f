#include "pipeline/nostr/nip19.h"

#include <gtest/gtest.h>

#include "pipeline/nostr/bech32.h"

namespace nostr {
namespace {

const auto kKey = *PublicKey::from_hex("3bf0c63fcb93463407af97a5e5ee64fa883d107ef9e558472c4eb9aaaefa459d");
const auto kId = *EventId::from_hex("a53c938921b8f3e98d9d4339bfe628f80e45f0f9daa48f8685734921d02f4c87");
// The example of NIP-19, made by somebody else.
constexpr std::string_view kNprofile =
    "nprofile1qqsrhuxx8l9ex335q7he0f09aej04zpazpl0ne2cgukyawd24mayt8gpp4mhxue69uhhytnc9e3k7mgpz4mhxue69uhkg6nzv9ejuumpv"
    "34k"
    "ytnrdaksjlyr9p";

TEST(Nip19, ItsOwnExamplesHold) {
  EXPECT_EQ(encode_npub(*PublicKey::from_hex("7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e")),
            "npub10elfcs4fr0l0r8af98jlmgdh9c8tcxjvz9qkw038js35mp4dma8qzvjptg");
  const Nprofile profile{.key = kKey, .relays = {"wss://r.x.com", "wss://djbas.sadkb.com"}};
  EXPECT_EQ(*decode_nprofile(kNprofile), profile);
  EXPECT_EQ(encode_nprofile(profile), kNprofile);
}

TEST(Nip19, EveryFormRoundTrips) {
  EXPECT_EQ(*decode_npub(encode_npub(kKey)), kKey);
  EXPECT_EQ(*decode_note(encode_note(kId)), kId);
  const auto secret = *SecretBytes::from_hex("67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa");
  EXPECT_EQ(*decode_nsec(encode_nsec(secret)), secret);
  for (const Nevent& nevent :
       {Nevent{.id = kId}, Nevent{.id = kId, .relays = {"wss://a", ""}, .author = kKey, .kind = 5050}}) {
    EXPECT_EQ(*decode_nevent(encode_nevent(nevent)), nevent);
  }
}

TEST(Nip19, ARelayTooLongForItsRecordIsLeftOut) {
  EXPECT_TRUE(decode_nevent(encode_nevent({.id = kId, .relays = {std::string(256, 'x')}}))->relays.empty());
}

TEST(Nip19, RefusesOtherKindsAndDamage) {
  EXPECT_EQ(decode_npub(encode_note(kId)).error().code, "nip19.prefix");
  EXPECT_EQ(decode_npub("npub1").error().code, "bech32.separator");
  const auto with_payload = [](std::string_view prefix, std::vector<std::uint8_t> payload) {
    return encode_bech32(prefix, *convert_bits(payload, 8, 5, true));
  };
  EXPECT_EQ(decode_npub(with_payload("npub", {1, 2, 3})).error().code, "nip19.data");
  EXPECT_EQ(decode_nevent(with_payload("nevent", {})).error().code, "nip19.data");
  EXPECT_EQ(decode_nevent(with_payload("nevent", {0})).error().code, "nip19.data");
  EXPECT_EQ(decode_nevent(with_payload("nevent", {0, 3, 1, 2})).error().code, "nip19.data");
  EXPECT_EQ(decode_nevent(with_payload("nevent", {1, 1, 'a'})).error().code, "nip19.data");
  std::vector<std::uint8_t> bad_kind = {0, 32};
  bad_kind.insert(bad_kind.end(), kId.bytes.begin(), kId.bytes.end());
  std::vector<std::uint8_t> unknown_record = bad_kind;
  bad_kind.insert(bad_kind.end(), {3, 1, 9});
  unknown_record.insert(unknown_record.end(), {77, 1, 9});
  EXPECT_EQ(decode_nevent(with_payload("nevent", bad_kind)).error().code, "nip19.data");
  EXPECT_EQ(decode_nevent(with_payload("nevent", unknown_record))->id, kId);
}

TEST(WhatAPersonMayGive, IsAnyFormOfAKeyOrAnId) {
  for (const std::string& text :
       {kKey.hex(), encode_npub(kKey), "nostr:" + encode_npub(kKey), std::string(kNprofile)}) {
    EXPECT_EQ(*parse_public_key(text), kKey) << text;
  }
  for (const std::string& text : {kId.hex(), encode_note(kId), "nostr:" + encode_nevent({.id = kId})}) {
    EXPECT_EQ(*parse_event_id(text), kId) << text;
  }
  EXPECT_EQ(parse_public_key("alice").error().code, "nip19.not_a_key");
  EXPECT_EQ(parse_event_id(encode_npub(kKey)).error().code, "nip19.not_an_id");
}

TEST(WhatAPersonMayGive, IsNeverASecretKey) {
  const std::string nsec = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5";
  const auto refused = parse_public_key(nsec);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().describe().find("secret"), std::string::npos);
  EXPECT_EQ(refused.error().describe().find(nsec), std::string::npos);
}

}  // namespace
}  // namespace nostr
