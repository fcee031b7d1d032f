// NIP-04: the old encryption between two keys, still the only one that some customers read. It does not detect an
// altered text, and it reveals the length of the text. So use it only to answer a message that uses it. Pure:
// randomness is an argument.
//
//   payload = base64(AES-256-CBC of the plaintext, under the shared secret) || "?iv=" || base64(iv[16])
#pragma once

#include <string>
#include <string_view>

#include "pipeline/nostr/cipher.h"
#include "pipeline/nostr/keys.h"

namespace nostr {

inline constexpr std::string_view kNip04Separator = "?iv=";
inline constexpr std::size_t kMaxNip04PlaintextBytes = 64 * 1024;  // the NIP sets no limit; relays refuse more

using Nip04Iv = base::FixedBytes<kAesBlockBytes, struct Nip04IvTag>;  // fresh randomness for one message

// The size of the payload of so many bytes, in characters.
std::size_t nip04_payload_size(std::size_t plaintext_bytes);

// Fails with "nip04.plaintext": it is too long.
Result<std::string> encrypt_nip04(std::string_view plaintext, const SharedSecret& key, const Nip04Iv& iv);

// Returns the plaintext. May return garbage: an altered payload, or one for another key, is detected only most of the
// time. Fails with "nip04.form" (no "?iv="), "nip04.length", "nip04.base64", "nip04.iv" or "nip04.key" (for another
// key, or altered).
Result<std::string> decrypt_nip04(std::string_view payload, const SharedSecret& key);

}  // namespace nostr
