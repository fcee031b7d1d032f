// Folders that are removed with the object that made them.
#pragma once

#include <filesystem>
#include <string_view>

#include "base/result.h"

namespace base {

// Its destructor removes the folder and everything in it.
class TemporaryFolder {
 public:
  // Makes a folder with mode 0700 under TMPDIR (or /tmp); `purpose` becomes a part of its name. Errors:
  // "temporary_folder.create".
  static Result<TemporaryFolder> make(std::string_view purpose);

  TemporaryFolder(TemporaryFolder&& other) noexcept;
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  ~TemporaryFolder();

  const std::filesystem::path& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::filesystem::path path) : path_(std::move(path)) {}

  std::filesystem::path path_;  // empty once it was moved from
};

}  // namespace base
