// Where the secret key lives: a file of mode 0600 whose first line is an nsec or 64 digits of hex.
#pragma once

#include <filesystem>

#include "pipeline/nostr/keys.h"

namespace nostr {

// The key in the file. Fails with "key_file.missing", "key_file.permissions" (others can read it), "key_file.malformed"
// or "key_file.unreadable"; the hint says what to do, and nothing of the contents is repeated.
Result<SecretKey> read_key_file(const std::filesystem::path& path);

// Writes the key as nsec into a new file of mode 0600, whole or not at all. Fails with "key_file.exists" (an existing
// file, or a link in its place, is never touched) or "key_file.unwritable".
Result<void> create_key_file(const std::filesystem::path& path, const SecretKey& key);

// From OpenSSL's random generator; fails with "key.no_randomness".
Result<SecretKey> generate_key();
Result<AuxRandom> generate_aux();

}  // namespace nostr
