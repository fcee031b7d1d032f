#include "base/free_space.h"

#include <system_error>

namespace base {

std::optional<std::uint64_t> free_bytes(std::filesystem::path path) {
  std::error_code error;
  while (!std::filesystem::exists(path, error) && path.has_relative_path()) path = path.parent_path();
  const auto space = std::filesystem::space(path, error);
  if (error) return std::nullopt;
  return space.available;
}

}  // namespace base
