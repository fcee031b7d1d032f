#include "base/secret_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>
#include <vector>

#include "base/temporary_folder.h"
#include "tests/support/not_root.h"

namespace fs = std::filesystem;
using namespace base;

namespace {

class SecretFile : public ::testing::Test {
 protected:
  static mode_t mode_of(const fs::path& path) {
    struct stat status {};
    ::stat(path.c_str(), &status);
    return status.st_mode & 07777;
  }

  const base::TemporaryFolder temporary = base::TemporaryFolder::make("test").value();
  const fs::path folder = temporary.path();
};

TEST_F(SecretFile, IsMadeOnceFromRandomnessAndReadEverAfter) {
  const auto first = read_or_create_secret(folder / "wallet.secret");
  ASSERT_TRUE(first) << first.error().describe();
  EXPECT_FALSE(first->is_zero());
  EXPECT_EQ(mode_of(folder / "wallet.secret"), 0600u);
  EXPECT_EQ(read_private_file(folder / "wallet.secret").value(), first->hex() + "\n");
  EXPECT_EQ(read_or_create_secret(folder / "wallet.secret").value(), *first);
  EXPECT_NE(read_or_create_secret(folder / "other.secret").value(), *first);
}

TEST_F(SecretFile, RefusesWhatOthersCanRead) {
  ASSERT_TRUE(read_or_create_secret(folder / "wallet.secret"));
  for (const mode_t mode : {0640u, 0604u, 0660u, 0610u}) {
    ::chmod((folder / "wallet.secret").c_str(), mode);
    const auto refused = read_or_create_secret(folder / "wallet.secret");
    ASSERT_FALSE(refused) << std::oct << mode;
    EXPECT_EQ(refused.error().code, "secret_file.permissions");
    EXPECT_NE(refused.error().hint.find("chmod 600"), std::string::npos);
  }
  ::chmod((folder / "wallet.secret").c_str(), 0400);
  EXPECT_TRUE(read_or_create_secret(folder / "wallet.secret"));
}

TEST_F(SecretFile, NeverReplacesADamagedSecretAndNeverShowsIt) {
  ASSERT_TRUE(create_private_file(folder / "wallet.secret", "c0ffee"));
  const auto refused = read_or_create_secret(folder / "wallet.secret");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, "secret_file.malformed");
  EXPECT_EQ(refused.error().describe().find("c0ffee"), std::string::npos);
  EXPECT_EQ(read_private_file(folder / "wallet.secret").value(), "c0ffee");
}

TEST_F(SecretFile, NeverOverwritesAFile) {
  ASSERT_TRUE(create_private_file(folder / "key", "first"));
  EXPECT_EQ(create_private_file(folder / "key", "second").error().code, "secret_file.exists");
  EXPECT_EQ(read_private_file(folder / "key").value(), "first");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1) << "no temporary file stays behind";
}

TEST_F(SecretFile, SaysWhatIsWrongWithTheFile) {
  EXPECT_EQ(read_private_file(folder / "none").error().code, "secret_file.missing");
  EXPECT_EQ(read_private_file(folder).error().code, "secret_file.not_a_file");
  EXPECT_EQ(create_private_file(folder / "no" / "such", "x").error().code, "secret_file.io");
  ASSERT_TRUE(create_private_file(folder / "large", std::string(kMaxPrivateFileBytes + 1, 'x')));
  EXPECT_EQ(read_private_file(folder / "large").error().code, "secret_file.too_large");
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_private_file(folder / "pipe").error().code, "secret_file.not_a_file") << "and does not hang";
}

TEST_F(SecretFile, AFolderOfAnotherUserIsNamedAsTheCause) {
  ASSERT_TRUE(read_or_create_secret(folder / "wallet.secret"));
  EXPECT_FALSE(is_absent(folder / "wallet.secret"));
  EXPECT_TRUE(is_absent(folder / "other.secret"));
  fs::permissions(folder, fs::perms::none);
  {
    const NotRoot user;
    EXPECT_FALSE(is_absent(folder / "other.secret")) << "nobody can know";
    for (const auto& refused :
         {read_secret(folder / "wallet.secret"), read_or_create_secret(folder / "other.secret")}) {
      ASSERT_FALSE(refused);
      EXPECT_EQ(refused.error().code, "secret_file.io");
      EXPECT_NE(refused.error().describe().find("Permission denied"), std::string::npos);
      EXPECT_EQ(refused.error().hint, "run this as the user whose file it is");
    }
    EXPECT_EQ(create_private_folder(folder / "a/b").error().code, "secret_file.io");
  }
  fs::permissions(folder, fs::perms::owner_all);
}

TEST_F(SecretFile, OfRacingWritersOneWinsAndAllReadTheSame) {
  std::vector<Secret> seen(8);
  {
    std::vector<std::jthread> racers;
    for (Secret& mine : seen) {
      racers.emplace_back([&] { mine = read_or_create_secret(folder / "wallet.secret").value(); });
    }
  }
  for (const Secret& mine : seen) EXPECT_EQ(mine, seen.front());
}

TEST_F(SecretFile, AFolderIsPrivateOrRefused) {
  ASSERT_TRUE(create_private_folder(folder / "a" / "books"));
  EXPECT_EQ(mode_of(folder / "a" / "books"), 0700u);
  EXPECT_TRUE(create_private_folder(folder / "a" / "books"));
  ::chmod((folder / "a" / "books").c_str(), 0750);
  EXPECT_EQ(create_private_folder(folder / "a" / "books").error().code, "secret_file.permissions");
  ASSERT_TRUE(create_private_file(folder / "file", ""));
  EXPECT_EQ(create_private_folder(folder / "file").error().code, "secret_file.io");
}

}  // namespace
