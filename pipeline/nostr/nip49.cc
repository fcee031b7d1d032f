#include "pipeline/nostr/nip49.h"

#include <sodium.h>
#include <uninorm.h>
#include <unistr.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "pipeline/nostr/nip19.h"

namespace nostr {
namespace {

using base::unsigned_data;

constexpr char kVersion = 2;
constexpr std::size_t kSaltBytes = 16;
constexpr std::size_t kNonceBytes = crypto_aead_xchacha20poly1305_ietf_NPUBBYTES;
constexpr std::size_t kCiphertextBytes = SecretBytes::kSize + crypto_aead_xchacha20poly1305_ietf_ABYTES;
constexpr std::size_t kPayloadBytes = 1 + 1 + kSaltBytes + kNonceBytes + 1 + kCiphertextBytes;
constexpr std::uint32_t kScryptR = 8;
constexpr std::uint32_t kScryptP = 1;

using ScryptKey = Wiped<base::FixedBytes<crypto_aead_xchacha20poly1305_ietf_KEYBYTES, struct ScryptKeyTag>>;

// What is in the text, in its order.
struct Payload {
  int log_n = 0;
  std::string_view salt;
  std::string_view nonce;
  std::string_view security;  // how carefully the key was kept before: no secret, but authenticated
  std::string_view ciphertext;
};

auto refuse(std::string code, std::string message, std::string hint = {}) {
  return base::fail(base::ErrorKind::config, "nip49." + std::move(code), std::move(message), {}, std::move(hint));
}

Result<Payload> read_payload(std::string_view bytes) {
  if (!bytes.starts_with(kVersion) || bytes.size() != kPayloadBytes) {
    return refuse("version", "this ncryptsec is damaged, or of a version that is not known here", "only version 2 is");
  }
  const auto take = [&](std::size_t size) {
    const std::string_view out = bytes.substr(0, size);
    bytes.remove_prefix(size);
    return out;
  };
  take(1);
  const int log_n = static_cast<std::uint8_t>(take(1).front());
  if (log_n < 1 || log_n > kMaxNip49LogN) {
    return refuse("log_n",
                  "this ncryptsec asks for 2^" + std::to_string(log_n) + " KiB of memory; 2^1 to 2^22 are allowed",
                  "encrypt the key again with a log_n of 16 to 22");
  }
  Payload out{.log_n = log_n};
  out.salt = take(kSaltBytes);
  out.nonce = take(kNonceBytes);
  out.security = take(1);
  out.ciphertext = take(kCiphertextBytes);
  return out;
}

// The same passphrase can be typed as different bytes (é, or e and an accent): NFKC makes them one.
Result<ScryptKey> derive_key(std::string_view passphrase, const Payload& payload) {
  if (u8_check(unsigned_data(passphrase), passphrase.size()) != nullptr) {
    return refuse("not_utf8", "the passphrase is no UTF-8");
  }
  std::size_t size = 0;
  const std::unique_ptr<std::uint8_t, decltype(&std::free)> normal(
      u8_normalize(UNINORM_NFKC, unsigned_data(passphrase), passphrase.size(), nullptr, &size), std::free);
  ScryptKey key;
  const bool done = normal && sodium_init() >= 0 &&
                    crypto_pwhash_scryptsalsa208sha256_ll(normal.get(), size, unsigned_data(payload.salt),
                                                          payload.salt.size(), std::uint64_t{1} << payload.log_n,
                                                          kScryptR, kScryptP, key.bytes.data(), key.bytes.size()) == 0;
  if (normal) wipe(normal.get(), size);
  if (done) return key;
  return refuse("memory", "there is not enough memory to decrypt this ncryptsec",
                "it takes 2^" + std::to_string(payload.log_n) + " KiB");
}

}  // namespace

bool is_ncryptsec(std::string_view text) {
  return text.starts_with("ncryptsec1");
}

Result<SecretKey> decrypt_ncryptsec(std::string_view text, std::string_view passphrase) {
  const auto bytes = decode_ncryptsec(text);
  if (!bytes) return tl::unexpected(bytes.error());
  const auto payload = read_payload(*bytes);
  if (!payload) return tl::unexpected(payload.error());
  const auto key = derive_key(passphrase, *payload);
  if (!key) return tl::unexpected(key.error());
  Wiped<SecretBytes> secret;
  if (crypto_aead_xchacha20poly1305_ietf_decrypt(secret.bytes.data(), nullptr, nullptr,
                                                 unsigned_data(payload->ciphertext), payload->ciphertext.size(),
                                                 unsigned_data(payload->security), payload->security.size(),
                                                 unsigned_data(payload->nonce), key->bytes.data()) != 0) {
    return refuse("passphrase", "this is not the passphrase of the key");
  }
  return SecretKey::from_bytes(secret.view());
}

}  // namespace nostr
