// The space left on a disk.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

namespace base {

// The bytes that this user may still write where `path` is, or where it would be made. Nothing if the system does not tell.
std::optional<std::uint64_t> free_bytes(std::filesystem::path path);

}  // namespace base
