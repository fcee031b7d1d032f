// Where the secret key lives: a file of mode 0600 whose first line is an nsec, 64 digits of hex, or an ncryptsec, which
// is behind a passphrase (NIP-49).
#pragma once

#include <filesystem>
#include <functional>
#include <string>

#include "pipeline/nostr/keys.h"

namespace nostr {

// Gives the passphrase of the key file that is named; asked only where it needs one.
using PassphraseSource = std::function<Result<std::string>(const std::filesystem::path& key_file)>;

// The key in the file. Fails with "key_file.missing", "key_file.permissions" (others can read it), "key_file.malformed"
// or "key_file.unreadable", as `passphrase` does, and as decrypt_ncryptsec (NIP-49) does; the hint says what to do, and
// nothing of the contents is repeated.
Result<SecretKey> read_key_file(const std::filesystem::path& path, const PassphraseSource& passphrase);

// Writes the key as nsec into a new file of mode 0600, whole or not at all. Fails with "key_file.exists" (an existing
// file, or a link in its place, is never touched) or "key_file.unwritable".
Result<void> create_key_file(const std::filesystem::path& path, const SecretKey& key);

// Writes the first line of one key file into a new one, so that an ncryptsec stays behind its passphrase. Fails as
// read_key_file and create_key_file do.
Result<void> copy_key_file(const std::filesystem::path& from, const std::filesystem::path& to);

// From OpenSSL's random generator; fails with "key.no_randomness".
Result<SecretKey> generate_key();
Result<AuxRandom> generate_aux();

}  // namespace nostr
