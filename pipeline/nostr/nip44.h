// NIP-44, version 2: encryption that its reader can check, between the owners of two keys. Pure: randomness is an
// argument.
//
//   payload = base64(0x02 || nonce[32] || ciphertext || mac[32])
//   padded  = size of the plaintext as 16 bits, big-endian || plaintext || zeros up to padded_size()
#pragma once

#include <string>
#include <string_view>

#include "pipeline/nostr/cipher.h"
#include "pipeline/nostr/keys.h"

namespace nostr {

inline constexpr std::size_t kMaxNip44PlaintextBytes = 65'535;
inline constexpr std::size_t kMaxNip44PayloadChars = 87'472;

using Nip44Nonce = base::FixedBytes<32, struct Nip44NonceTag>;  // fresh randomness for one message

// The same for all messages between two keys, in either direction.
using ConversationKey = Wiped<base::FixedBytes<32, struct ConversationKeyTag>>;

// The keys of one message.
struct MessageKeys : Wiped<base::FixedBytes<76, struct MessageKeysTag>> {
  std::string_view chacha_key() const { return view().substr(0, 32); }
  std::string_view chacha_nonce() const { return view().substr(32, kChaCha20NonceBytes); }
  std::string_view hmac_key() const { return view().substr(44, 32); }
};

// Fails with "key.no_point".
Result<ConversationKey> conversation_key(const SecretKey& ours, const PublicKey& theirs);
MessageKeys message_keys(const ConversationKey& key, const Nip44Nonce& nonce);

// The number of bytes to which a plaintext of `size` bytes is padded, which hides its exact size.
std::size_t padded_size(std::size_t size);

// The number of characters in the payload for a plaintext of this size.
std::size_t nip44_payload_size(std::size_t plaintext_bytes);

// Fails with "nip44.plaintext": it is empty or too long.
Result<std::string> encrypt_nip44(std::string_view plaintext, const ConversationKey& key, const Nip44Nonce& nonce);

// The bytes as they were encrypted; whether they are text is for the caller to see. Fails with "nip44.version",
// "nip44.length", "nip44.base64", "nip44.mac" (for another key, or altered) or "nip44.padding".
Result<std::string> decrypt_nip44(std::string_view payload, const ConversationKey& key);

}  // namespace nostr
