// The ciphers and the derivation of keys that the NIPs about encryption ask for, over OpenSSL. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace nostr {

inline constexpr std::size_t kCipherKeyBytes = 32;
inline constexpr std::size_t kChaCha20NonceBytes = 12;
inline constexpr std::size_t kAesBlockBytes = 16;  // also the length of an IV

// RFC 8439, the counter starting at 0; the same call encrypts and decrypts.
std::string chacha20(std::string_view key, std::string_view nonce, std::string_view text);

// AES-256-CBC with PKCS #7 padding.
std::string encrypt_aes_cbc(std::string_view key, std::string_view iv, std::string_view plaintext);
// Nothing where the padding is wrong or the ciphertext no whole number of blocks.
std::optional<std::string> decrypt_aes_cbc(std::string_view key, std::string_view iv, std::string_view ciphertext);

// The second half of HKDF-SHA256 (RFC 5869); the first, HKDF-Extract, is hmac_sha256(salt, secret).
void hkdf_expand(std::string_view key, std::string_view info, std::span<std::uint8_t> out);

}  // namespace nostr
