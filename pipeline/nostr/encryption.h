// The forms of encryption between two keys, in one vocabulary: an encrypted job is answered in the form in which it was
// asked (NIP-90). Pure: randomness is an argument.
#pragma once

#include <string>
#include <string_view>

#include "ledger/fact.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/nostr/nip44.h"

namespace nostr {

using ledger::Encryption;

struct Decrypted {
  Encryption form = Encryption::none;
  std::string plaintext;
  bool operator==(const Decrypted&) const = default;
};

// The form that the payload claims by its looks: `?iv=` is NIP-04's, base64 whose first byte is 2 is NIP-44's.
Encryption detect_encryption(std::string_view payload);

// Encrypts for the owner of `theirs`; the form `none` returns the text unchanged. NIP-04 takes the first half of the
// randomness. Fails with "key.no_point", "nip04.plaintext" or "nip44.plaintext".
Result<std::string> encrypt(Encryption form, std::string_view plaintext, const SecretKey& ours, const PublicKey& theirs,
                            const Nip44Nonce& random);

// The number of characters that a plaintext of so many bytes becomes. For `none`, that is the number of bytes.
std::size_t encrypted_size(Encryption form, std::size_t plaintext_bytes);

// Fails with "encryption.unknown" where the payload has neither form, with "key.no_point", and as decrypt_nip04 and
// decrypt_nip44 do.
Result<Decrypted> decrypt(std::string_view payload, const SecretKey& ours, const PublicKey& theirs);

}  // namespace nostr
