// Files that only their owner may read: keys, the wallet's secret, the sandbox's books.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/types.h"

namespace base {

using Secret = FixedBytes<32, struct SecretTag>;

// Larger files are refused: nothing that is kept this way is near it.
inline constexpr std::size_t kMaxPrivateFileBytes = 64 * 1024;

// The whole of a regular file whose mode gives others nothing (0600 or less). Fails with "secret_file.missing",
// "secret_file.permissions", "secret_file.not_a_file", "secret_file.too_large" or "secret_file.io".
Result<std::string> read_private_file(const std::filesystem::path& path);

// The same of a file that others may read too: a certificate, options.
Result<std::string> read_public_file(const std::filesystem::path& path);

// Writes a new file with mode 0600, atomically: after a crash it is there whole and durable, or not at all. An existing
// file is never touched. Fails with "secret_file.exists", also for all but one of several writers at the same time, or
// with "secret_file.io".
Result<void> create_private_file(const std::filesystem::path& path, std::string_view bytes);

// Makes the folder (and its parents) if it is missing, with mode 0700; fails with "secret_file.permissions" if it is
// there and others may enter it. Afterwards the folder's name, and the names of the files in it, are durable.
Result<void> create_private_folder(const std::filesystem::path& path);

// Returns whether no file has this name. A path that this user may not inspect counts as present; opening it then fails
// with the reason.
bool is_absent(const std::filesystem::path& path);

// The 32 bytes that the file holds as 64 hexadecimal digits and a line feed. Fails as read_private_file does, and with
// "secret_file.malformed".
Result<Secret> read_secret(const std::filesystem::path& path);

// The same; a missing file is made from the system's randomness. Only for commands that set up a shop: elsewhere a new
// secret would silently stand in for a lost one.
Result<Secret> read_or_create_secret(const std::filesystem::path& path);

}  // namespace base
