#include "base/sync_folder.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace base {

std::error_code sync_folder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.empty() ? "." : folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) return {errno, std::generic_category()};
  const int error = ::fsync(descriptor) == 0 ? 0 : errno;
  ::close(descriptor);
  return {error, std::generic_category()};
}

}  // namespace base
