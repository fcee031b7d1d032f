// NIP-49: a secret key behind a passphrase, as bech32 text (ncryptsec). Pure.
#pragma once

#include <string_view>

#include "pipeline/nostr/keys.h"

namespace nostr {

// The cost of one guess: scrypt takes 2^log_n KiB of memory. A key that asks for more than 4 GiB is refused.
inline constexpr int kMaxNip49LogN = 22;

bool is_ncryptsec(std::string_view text);

// The key. Takes about a second at the usual cost, and much longer at the highest. Fails as decode_ncryptsec (NIP-19)
// does and with "nip49.version", "nip49.log_n", "nip49.not_utf8" (the passphrase), "nip49.memory", "nip49.passphrase"
// (it is the wrong one, or the text was altered) or "key.invalid"; no message repeats the text or the passphrase.
Result<SecretKey> decrypt_ncryptsec(std::string_view text, std::string_view passphrase);

}  // namespace nostr
