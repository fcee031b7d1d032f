#include "pipeline/nostr/cipher.h"

#include <openssl/evp.h>
#include <openssl/kdf.h>

#include <memory>

#include "base/check.h"
#include "base/types.h"

namespace nostr {
namespace {

using base::unsigned_data;

enum Direction : int { kDecrypt = 0, kEncrypt = 1 };

// The calls below that are checked fail only when memory runs out or an argument has the wrong size.

// Nothing where the end of the text is refused: its padding is wrong.
std::optional<std::string> run(const EVP_CIPHER* cipher, Direction direction, std::string_view key, std::string_view iv,
                               std::string_view text) {
  const std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)> context(EVP_CIPHER_CTX_new(),
                                                                                EVP_CIPHER_CTX_free);
  CHECK(context != nullptr && key.size() == kCipherKeyBytes &&
        iv.size() == static_cast<std::size_t>(EVP_CIPHER_get_iv_length(cipher)));
  CHECK(EVP_CipherInit_ex2(context.get(), cipher, unsigned_data(key), unsigned_data(iv), direction, nullptr) == 1);
  std::string out(text.size() + kAesBlockBytes, '\0');
  auto* to = reinterpret_cast<unsigned char*>(out.data());
  int size = 0;
  int rest = 0;
  CHECK(EVP_CipherUpdate(context.get(), to, &size, unsigned_data(text), static_cast<int>(text.size())) == 1);
  if (EVP_CipherFinal_ex(context.get(), to + size, &rest) != 1) return std::nullopt;
  out.resize(static_cast<std::size_t>(size + rest));
  return out;
}

}  // namespace

std::string chacha20(std::string_view key, std::string_view nonce, std::string_view text) {
  const std::string iv = std::string(4, '\0').append(nonce);  // OpenSSL's begins with the counter
  return *run(EVP_chacha20(), kEncrypt, key, iv, text);       // a stream has no padding
}

std::string encrypt_aes_cbc(std::string_view key, std::string_view iv, std::string_view plaintext) {
  return *run(EVP_aes_256_cbc(), kEncrypt, key, iv, plaintext);
}

std::optional<std::string> decrypt_aes_cbc(std::string_view key, std::string_view iv, std::string_view ciphertext) {
  return run(EVP_aes_256_cbc(), kDecrypt, key, iv, ciphertext);
}

void hkdf_expand(std::string_view key, std::string_view info, std::span<std::uint8_t> out) {
  const std::unique_ptr<EVP_PKEY_CTX, decltype(&EVP_PKEY_CTX_free)> context(EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, nullptr),
                                                                            EVP_PKEY_CTX_free);
  CHECK(context != nullptr && EVP_PKEY_derive_init(context.get()) == 1);
  CHECK(EVP_PKEY_CTX_set_hkdf_mode(context.get(), EVP_PKEY_HKDEF_MODE_EXPAND_ONLY) == 1);
  CHECK(EVP_PKEY_CTX_set_hkdf_md(context.get(), EVP_sha256()) == 1);
  CHECK(EVP_PKEY_CTX_set1_hkdf_key(context.get(), unsigned_data(key), static_cast<int>(key.size())) == 1);
  CHECK(EVP_PKEY_CTX_add1_hkdf_info(context.get(), unsigned_data(info), static_cast<int>(info.size())) == 1);
  std::size_t size = out.size();
  CHECK(EVP_PKEY_derive(context.get(), out.data(), &size) == 1);
}

}  // namespace nostr
