// The official test vectors of NIP-44.
#include <gtest/gtest.h>

#include <iostream>
#include <map>
#include <nlohmann/json.hpp>

#include "pipeline/nostr/nip44.h"
#include "tests/support/vectors.h"

namespace nostr {
namespace {

using nlohmann::json;

std::string text(const json& vector, const char* name) {
  return vector.at(name).get<std::string>();
}

template <class Bytes>
Bytes bytes(const json& vector, const char* name) {
  return *Bytes::from_hex(text(vector, name));
}

ConversationKey key_of(const json& vector) {
  return {*base::FixedBytes<32, ConversationKeyTag>::from_hex(text(vector, "conversation_key"))};
}

std::string sha256_hex(std::string_view data) {
  return base::sha256(data).hex();
}

class Nip44Vectors : public testing::Test {
 protected:
  // The vectors of one group, which must be as many as the official file holds.
  const json& group(const char* pointer, std::size_t count) const {
    const json& found = vectors_.at(json::json_pointer(pointer));
    EXPECT_EQ(found.size(), count);
    std::cout << "[ VECTORS  ] " << pointer << ": " << found.size() << "\n";
    return found;
  }

  const json vectors_ = json::parse(vectors::read("nip44.vectors.json")).at("v2");
};

TEST_F(Nip44Vectors, ConversationKeys) {
  for (const json& vector : group("/valid/get_conversation_key", 35)) {
    const auto ours = SecretKey::from_text(text(vector, "sec1"));
    ASSERT_TRUE(ours);
    EXPECT_EQ(conversation_key(*ours, bytes<PublicKey>(vector, "pub2"))->hex(), text(vector, "conversation_key"));
  }
}

TEST_F(Nip44Vectors, KeysThatAreNone) {
  for (const json& vector : group("/invalid/get_conversation_key", 8)) {
    const auto ours = SecretKey::from_text(text(vector, "sec1"));
    EXPECT_FALSE(ours && conversation_key(*ours, bytes<PublicKey>(vector, "pub2"))) << vector;
  }
}

TEST_F(Nip44Vectors, MessageKeys) {
  const ConversationKey key = key_of(vectors_.at("valid").at("get_message_keys"));
  for (const json& vector : group("/valid/get_message_keys/keys", 32)) {
    const auto keys = message_keys(key, bytes<Nip44Nonce>(vector, "nonce"));
    EXPECT_EQ(base::to_hex(keys.chacha_key()), text(vector, "chacha_key"));
    EXPECT_EQ(base::to_hex(keys.chacha_nonce()), text(vector, "chacha_nonce"));
    EXPECT_EQ(base::to_hex(keys.hmac_key()), text(vector, "hmac_key"));
  }
}

TEST_F(Nip44Vectors, PaddedSizes) {
  for (const json& vector : group("/valid/calc_padded_len", 24)) {
    EXPECT_EQ(padded_size(vector.at(0).get<std::size_t>()), vector.at(1).get<std::size_t>());
  }
}

TEST_F(Nip44Vectors, Messages) {
  for (const json& vector : group("/valid/encrypt_decrypt", 10)) {
    const auto first = *SecretKey::from_text(text(vector, "sec1"));
    const auto second = *SecretKey::from_text(text(vector, "sec2"));
    EXPECT_EQ(*conversation_key(first, second.public_key()), key_of(vector));
    EXPECT_EQ(*conversation_key(second, first.public_key()), key_of(vector));
    EXPECT_EQ(*encrypt_nip44(text(vector, "plaintext"), key_of(vector), bytes<Nip44Nonce>(vector, "nonce")),
              text(vector, "payload"));
    EXPECT_EQ(*decrypt_nip44(text(vector, "payload"), key_of(vector)), text(vector, "plaintext"));
  }
}

TEST_F(Nip44Vectors, LongMessages) {
  for (const json& vector : group("/valid/encrypt_decrypt_long_msg", 3)) {
    std::string plaintext;
    for (int i = 0; i < vector.at("repeat").get<int>(); ++i) plaintext += text(vector, "pattern");
    EXPECT_EQ(sha256_hex(plaintext), text(vector, "plaintext_sha256"));
    const auto payload = encrypt_nip44(plaintext, key_of(vector), bytes<Nip44Nonce>(vector, "nonce"));
    ASSERT_TRUE(payload);
    EXPECT_EQ(sha256_hex(*payload), text(vector, "payload_sha256"));
    EXPECT_EQ(*decrypt_nip44(*payload, key_of(vector)), plaintext);
  }
}

TEST_F(Nip44Vectors, LengthsThatCannotBeEncrypted) {
  for (const json& length : group("/invalid/encrypt_msg_lengths", 4)) {
    EXPECT_FALSE(encrypt_nip44(std::string(length.get<std::size_t>(), 'x'), ConversationKey{}, Nip44Nonce{})) << length;
  }
}

TEST_F(Nip44Vectors, PayloadsAreRefusedForTheRightReason) {
  const std::map<std::string, std::string> reasons = {{"unknown encryption version", "nip44.version"},
                                                      {"unknown encryption version 0", "nip44.version"},
                                                      {"invalid base64", "nip44.base64"},
                                                      {"invalid MAC", "nip44.mac"},
                                                      {"invalid padding", "nip44.padding"},
                                                      {"invalid payload length: 0", "nip44.length"},
                                                      {"invalid payload length: 4", "nip44.length"},
                                                      {"invalid payload length: 48", "nip44.length"},
                                                      {"invalid payload length: 92", "nip44.length"}};
  for (const json& vector : group("/invalid/decrypt", 12)) {
    const auto plaintext = decrypt_nip44(text(vector, "payload"), key_of(vector));
    ASSERT_FALSE(plaintext) << vector;
    EXPECT_EQ(plaintext.error().code, reasons.at(text(vector, "note"))) << vector;
    EXPECT_EQ(plaintext.error().kind, base::ErrorKind::job_request);
  }
}

}  // namespace
}  // namespace nostr
