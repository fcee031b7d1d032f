#include "pipeline/nostr/nip44.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <bit>

#include "base/base64.h"

namespace nostr {
namespace {

constexpr char kVersion = 2;
constexpr std::size_t kMacBytes = 32;
constexpr std::size_t kSizeBytes = 2;
constexpr std::size_t kMinChunkBytes = 32;
constexpr std::size_t kOverheadBytes = 1 + Nip44Nonce::kSize + kSizeBytes + kMacBytes;
constexpr std::size_t kMinRawBytes = kOverheadBytes + kMinChunkBytes;
constexpr std::size_t kMaxRawBytes = kOverheadBytes + kMaxNip44PlaintextBytes + 1;

auto nip44_error(std::string code, std::string message, std::string hint = {}) {
  return base::fail(base::ErrorKind::job_request, "nip44." + std::move(code), std::move(message), {}, std::move(hint));
}

std::string pad(std::string_view plaintext) {
  std::string out{static_cast<char>(plaintext.size() >> 8), static_cast<char>(plaintext.size())};
  out.append(plaintext);
  out.resize(kSizeBytes + padded_size(plaintext.size()), '\0');
  return out;
}

Result<std::string> unpad(const std::string& padded) {
  const auto byte = [&](std::size_t at) { return static_cast<std::uint8_t>(padded[at]); };
  const std::size_t size = byte(0) * 256U + byte(1);
  const bool fits = size > 0 && padded.size() == kSizeBytes + padded_size(size);
  if (!fits || padded.find_first_not_of('\0', kSizeBytes + size) != std::string::npos) {
    return nip44_error("padding", "what was encrypted is not padded as NIP-44 says");
  }
  return padded.substr(kSizeBytes, size);
}

// `message` is nonce and ciphertext.
base::Hash256 mac(const MessageKeys& keys, std::string_view message) {
  return base::hmac_sha256(keys.hmac_key(), message);
}

// The payload's bytes, at least as many as the shortest has.
Result<std::string> read_payload(std::string_view payload) {
  static constexpr std::string_view kHint = "encrypt it with NIP-44 version 2";
  if (payload.starts_with('#')) {
    return nip44_error("version", "this is encrypted in a version of NIP-44 to come", std::string(kHint));
  }
  if (payload.size() > kMaxNip44PayloadChars) return nip44_error("length", "the encrypted text is too long for NIP-44");
  auto raw = base::from_base64(payload);
  if (!raw) return nip44_error("base64", "the encrypted text is no base64");
  if (raw->size() < kMinRawBytes) return nip44_error("length", "the encrypted text is too short for NIP-44");
  if (raw->size() > kMaxRawBytes) return nip44_error("length", "the encrypted text is too long for NIP-44");
  if (raw->front() != kVersion) {
    const auto version = std::to_string(static_cast<std::uint8_t>(raw->front()));
    return nip44_error("version", "this is encrypted in version " + version + " of NIP-44", std::string(kHint));
  }
  return std::move(*raw);
}

}  // namespace

Result<ConversationKey> conversation_key(const SecretKey& ours, const PublicKey& theirs) {
  const auto shared = ours.shared_secret(theirs);
  if (!shared) return tl::unexpected(shared.error());
  const Wiped<base::Hash256> extracted{base::hmac_sha256("nip44-v2", shared->view())};
  return ConversationKey{{extracted.bytes}};
}

MessageKeys message_keys(const ConversationKey& key, const Nip44Nonce& nonce) {
  MessageKeys out;
  hkdf_expand(key.view(), nonce.view(), out.bytes);
  return out;
}

std::size_t padded_size(std::size_t size) {
  const std::size_t chunk = std::max(kMinChunkBytes, std::bit_ceil(size) / 8);
  return (size + chunk - 1) / chunk * chunk;
}

std::size_t nip44_payload_size(std::size_t plaintext_bytes) {
  return base::base64_size(kOverheadBytes + padded_size(plaintext_bytes));
}

Result<std::string> encrypt_nip44(std::string_view plaintext, const ConversationKey& key, const Nip44Nonce& nonce) {
  if (plaintext.empty() || plaintext.size() > kMaxNip44PlaintextBytes) {
    return base::fail(base::ErrorKind::job_processing, "nip44.plaintext",
                      "NIP-44 encrypts 1 to 65,535 bytes, not " + std::to_string(plaintext.size()));
  }
  const MessageKeys keys = message_keys(key, nonce);
  std::string message(nonce.view());
  message += chacha20(keys.chacha_key(), keys.chacha_nonce(), pad(plaintext));
  return base::to_base64(kVersion + message + std::string(mac(keys, message).view()));
}

Result<std::string> decrypt_nip44(std::string_view payload, const ConversationKey& key) {
  const auto raw = read_payload(payload);
  if (!raw) return raw;
  const std::string_view message = std::string_view(*raw).substr(1, raw->size() - 1 - kMacBytes);
  const MessageKeys keys = message_keys(key, *Nip44Nonce::from_bytes(message.substr(0, Nip44Nonce::kSize)));
  if (CRYPTO_memcmp(mac(keys, message).bytes.data(), raw->data() + raw->size() - kMacBytes, kMacBytes) != 0) {
    return nip44_error("mac", "this was encrypted for another key, or altered on its way",
                       "encrypt it for the key that it is addressed to");
  }
  return unpad(chacha20(keys.chacha_key(), keys.chacha_nonce(), message.substr(Nip44Nonce::kSize)));
}

}  // namespace nostr
