#include "pipeline/nostr/encryption.h"

#include "base/base64.h"
#include "pipeline/nostr/nip04.h"

namespace nostr {
namespace {

Result<std::string> decrypt_as(Encryption form, std::string_view payload, const SecretKey& ours,
                               const PublicKey& theirs) {
  switch (form) {
    case Encryption::nip04:
      return ours.shared_secret(theirs).and_then([&](const auto& key) { return decrypt_nip04(payload, key); });
    case Encryption::nip44:
      return conversation_key(ours, theirs).and_then([&](const auto& key) { return decrypt_nip44(payload, key); });
    case Encryption::none:
      break;
  }
  return base::fail(base::ErrorKind::job_request, "encryption.unknown",
                    "this is encrypted neither as NIP-44 version 2 nor as NIP-04", {},
                    "encrypt it with NIP-44 version 2");
}

}  // namespace

Encryption detect_encryption(std::string_view payload) {
  if (payload.find(kNip04Separator) != std::string_view::npos) return Encryption::nip04;
  const auto first_bytes = base::from_base64(payload.substr(0, 4));
  return first_bytes && first_bytes->starts_with('\2') ? Encryption::nip44 : Encryption::none;
}

Result<std::string> encrypt(Encryption form, std::string_view plaintext, const SecretKey& ours, const PublicKey& theirs,
                            const Nip44Nonce& random) {
  switch (form) {
    case Encryption::nip04: {
      const auto iv = *Nip04Iv::from_bytes(random.view().substr(0, Nip04Iv::kSize));
      return ours.shared_secret(theirs).and_then([&](const auto& key) { return encrypt_nip04(plaintext, key, iv); });
    }
    case Encryption::nip44:
      return conversation_key(ours, theirs).and_then([&](const auto& key) {
        return encrypt_nip44(plaintext, key, random);
      });
    case Encryption::none:
      break;
  }
  return std::string(plaintext);
}

std::size_t encrypted_size(Encryption form, std::size_t plaintext_bytes) {
  switch (form) {
    case Encryption::nip04:
      return nip04_payload_size(plaintext_bytes);
    case Encryption::nip44:
      return nip44_payload_size(plaintext_bytes);
    case Encryption::none:
      break;
  }
  return plaintext_bytes;
}

Result<Decrypted> decrypt(std::string_view payload, const SecretKey& ours, const PublicKey& theirs) {
  const Encryption form = detect_encryption(payload);
  auto plaintext = decrypt_as(form, payload, ours, theirs);
  if (!plaintext) return tl::unexpected(plaintext.error());
  return Decrypted{form, std::move(*plaintext)};
}

}  // namespace nostr
