#include "base/temporary_folder.h"

#include <cstdlib>
#include <string>
#include <utility>

namespace base {

Result<TemporaryFolder> TemporaryFolder::make(std::string_view purpose) {
  std::error_code error;
  const auto parent = std::filesystem::temp_directory_path(error);
  std::string path = (parent / ("sellcompute-" + std::string(purpose) + "-XXXXXX")).string();
  if (!error && ::mkdtemp(path.data()) != nullptr) return TemporaryFolder(path);
  return fail(ErrorKind::invocation, "temporary_folder.create", "no temporary folder could be made", path,
              "set TMPDIR to a folder that can be written");
}

TemporaryFolder::TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}

TemporaryFolder::~TemporaryFolder() {
  std::error_code ignored;
  if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
}

}  // namespace base
