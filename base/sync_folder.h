// Durable names.
#pragma once

#include <filesystem>
#include <system_error>

namespace base {

// Makes the names in a folder durable (fsync). A file that was synced may still lose its name in a power failure, until
// its folder is synced. The empty path is the current folder. Returns what the system reported, no error on success.
std::error_code sync_folder(const std::filesystem::path& folder);

}  // namespace base
