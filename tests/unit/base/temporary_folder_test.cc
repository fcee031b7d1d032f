#include "base/temporary_folder.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>

#include "base/sync_folder.h"

namespace fs = std::filesystem;
using base::TemporaryFolder;

TEST(TemporaryFolder, IsForItsOwnerAndEndsWithTheObject) {
  fs::path path;
  {
    const auto folder = TemporaryFolder::make("test");
    ASSERT_TRUE(folder) << folder.error().describe();
    path = folder->path();
    struct stat status {};
    ASSERT_EQ(::stat(path.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 07777, 0700U);
    EXPECT_TRUE(path.filename().string().starts_with("sellcompute-test-"));
    std::ofstream(path / "file") << "text";
    EXPECT_FALSE(base::sync_folder(path));
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(TemporaryFolder, MovesWithoutEnding) {
  auto first = TemporaryFolder::make("test").value();
  const fs::path path = first.path();
  {
    const TemporaryFolder second(std::move(first));
    EXPECT_EQ(second.path(), path);
    EXPECT_TRUE(fs::exists(path));
  }
  EXPECT_FALSE(fs::exists(path));
}

TEST(SyncFolder, ReportsWhatTheSystemReports) {
  EXPECT_EQ(base::sync_folder("/no/such/folder"), std::errc::no_such_file_or_directory);
  EXPECT_FALSE(base::sync_folder("")) << "the current folder";
}
