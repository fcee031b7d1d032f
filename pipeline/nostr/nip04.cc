#include "pipeline/nostr/nip04.h"

#include "base/base64.h"

namespace nostr {
namespace {

constexpr std::size_t kMaxCiphertextBytes = kMaxNip04PlaintextBytes + kAesBlockBytes;
constexpr std::size_t kIvChars = 24;
constexpr std::size_t kMaxPayloadChars = base::base64_size(kMaxCiphertextBytes) + kNip04Separator.size() + kIvChars;

auto nip04_error(std::string code, std::string message, std::string hint = {}) {
  return base::fail(base::ErrorKind::job_request, "nip04." + std::move(code), std::move(message), {}, std::move(hint));
}

}  // namespace

std::size_t nip04_payload_size(std::size_t plaintext_bytes) {
  const std::size_t ciphertext_bytes = (plaintext_bytes / kAesBlockBytes + 1) * kAesBlockBytes;
  return base::base64_size(ciphertext_bytes) + kNip04Separator.size() + kIvChars;
}

Result<std::string> encrypt_nip04(std::string_view plaintext, const SharedSecret& key, const Nip04Iv& iv) {
  if (plaintext.size() > kMaxNip04PlaintextBytes) {
    return base::fail(base::ErrorKind::job_processing, "nip04.plaintext",
                      "up to 65,536 bytes are encrypted as NIP-04, not " + std::to_string(plaintext.size()));
  }
  const std::string ciphertext = encrypt_aes_cbc(key.view(), iv.view(), plaintext);
  return base::to_base64(ciphertext).append(kNip04Separator).append(base::to_base64(iv.view()));
}

Result<std::string> decrypt_nip04(std::string_view payload, const SharedSecret& key) {
  if (payload.size() > kMaxPayloadChars) return nip04_error("length", "the encrypted text is too long");
  const std::size_t separator = payload.find(kNip04Separator);
  if (separator == std::string_view::npos)
    return nip04_error("form", "this is not encrypted as NIP-04: it has no ?iv=");
  const auto ciphertext = base::from_base64(payload.substr(0, separator));
  if (!ciphertext) return nip04_error("base64", "the encrypted text is no base64");
  if (ciphertext->empty() || ciphertext->size() % kAesBlockBytes != 0) {
    return nip04_error("length", "the encrypted text is cut off: it is no whole number of blocks");
  }
  const auto iv_bytes = base::from_base64(payload.substr(separator + kNip04Separator.size()));
  const auto iv = iv_bytes ? Nip04Iv::from_bytes(*iv_bytes) : std::nullopt;
  if (!iv) return nip04_error("iv", "what follows ?iv= is not the base64 of 16 bytes");
  auto plaintext = decrypt_aes_cbc(key.view(), iv->view(), *ciphertext);
  if (!plaintext) {
    return nip04_error("key", "this was encrypted for another key, or altered on its way",
                       "encrypt it for the key that it is addressed to");
  }
  if (plaintext->size() > kMaxNip04PlaintextBytes) return nip04_error("length", "the encrypted text is too long");
  return std::move(*plaintext);
}

}  // namespace nostr
