#include "pipeline/nostr/key_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "pipeline/nostr/nip19.h"

namespace nostr {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kNsec = "nsec1vl029mgpspedva04g90vltkh6fvh240zqtv9k0t9af8935ke9laqsnlfe5";
constexpr std::string_view kHex = "67dea2ed018072d675f5415ecfaed7d2597555e202d85b3d65ea4e58d2d92ffa";
// The same key behind "nostr", made with nostr-tools 2.20.0 at a log_n of 2.
constexpr std::string_view kNcryptsec =
    "ncryptsec1qgpvhpdl6aqz4yjwyrwe570wx7c47xzap2n9ppd7a38ryprdevnkyennr50q7cv4xzns90zvky025qwk6huhd040z5gvv2w0330e2jsh"
    "08taynmnc2tv0u0l7zfhzlc5w35kz0ep64lrcjhdpudavvdw";
constexpr std::string_view kPublicHex = "7e7e9c42a91bfef19fa929e5fda1b72e0ebc1a4c1141673e2794234d86addf4e";

class KeyFile : public testing::Test {
 protected:
  void write(std::string_view text, mode_t mode = 0600) {
    std::ofstream(path_) << text;
    chmod(path_.c_str(), mode);
  }
  // As often as it is asked, "nostr" is the passphrase.
  Result<SecretKey> read(const fs::path& path) {
    return read_key_file(path, [&](const fs::path& key_file) -> Result<std::string> {
      EXPECT_EQ(key_file, path);
      ++asked_;
      return passphrase_;
    });
  }
  std::string read_error() {
    const auto key = read(path_);
    if (key) return "";
    EXPECT_FALSE(key.error().hint.empty() && key.error().message.empty());
    EXPECT_EQ(key.error().describe().find("67dea2ed"), std::string::npos);
    EXPECT_EQ(key.error().describe().find("nsec1vl0"), std::string::npos);
    return key.error().code;
  }

  const base::TemporaryFolder temporary_ = base::TemporaryFolder::make("test").value();
  const fs::path folder_ = temporary_.path();
  const fs::path path_ = folder_ / "nostr.key";
  std::string passphrase_ = "nostr";
  int asked_ = 0;
};

TEST_F(KeyFile, HoldsANsecOrHexOnItsFirstLine) {
  for (const std::string& text :
       {std::string(kNsec), std::string(kHex) + "\n", "  " + std::string(kNsec) + " \r\nnotes\n"}) {
    write(text);
    const auto key = read(path_);
    ASSERT_TRUE(key) << key.error().describe();
    EXPECT_EQ(key->public_key().hex(), kPublicHex);
  }
}

TEST_F(KeyFile, MayBeBehindAPassphrase) {
  write(std::string(kNcryptsec) + "\nnotes\n");
  const auto key = read(path_);
  ASSERT_TRUE(key) << key.error().describe();
  EXPECT_EQ(key->public_key().hex(), kPublicHex);
  EXPECT_EQ(asked_, 1);
  passphrase_ = "another";
  const auto refused = read(path_);
  EXPECT_EQ(refused.error().code, "nip49.passphrase");
  EXPECT_EQ(refused.error().context, path_.string());
  EXPECT_EQ(refused.error().describe().find("another"), std::string::npos);
}

TEST_F(KeyFile, AsksForNoPassphraseWithoutNeed) {
  write(kNsec);
  EXPECT_TRUE(read(path_));
  write(kNcryptsec, 0644);
  EXPECT_EQ(read_error(), "key_file.permissions");
  EXPECT_EQ(asked_, 0);
}

TEST_F(KeyFile, IsNotReadWithoutAPassphrase) {
  write(kNcryptsec);
  const auto key = read_key_file(path_, [](const fs::path&) -> Result<std::string> {
    return base::fail(base::ErrorKind::config, "passphrase.cancelled", "no passphrase was given");
  });
  EXPECT_EQ(key.error().code, "passphrase.cancelled");
}

TEST_F(KeyFile, IsCopiedAsItIs) {
  write(std::string(kNcryptsec) + " \nnotes\n");
  const fs::path copy = folder_ / "copy";
  ASSERT_TRUE(copy_key_file(path_, copy));
  EXPECT_EQ(fs::file_size(copy), kNcryptsec.size() + 1) << "still behind its passphrase, without the notes";
  EXPECT_EQ(read(copy)->public_key().hex(), kPublicHex);
  EXPECT_EQ(copy_key_file(path_, copy).error().code, "key_file.exists");
  EXPECT_EQ(copy_key_file(folder_ / "missing", folder_ / "other").error().code, "key_file.missing");
}

TEST_F(KeyFile, IsRefusedWhenOthersCanReadIt) {
  for (const mode_t mode : {0640, 0604, 0644}) {
    write(kNsec, mode);
    EXPECT_EQ(read_error(), "key_file.permissions");
  }
  EXPECT_NE(read(path_).error().hint.find("chmod 600"), std::string::npos);
}

TEST_F(KeyFile, IsRefusedWhenItHoldsNoKey) {
  EXPECT_EQ(read_error(), "key_file.missing");
  for (const std::string& text :
       {std::string(), std::string("\n") + std::string(kNsec), std::string(kNsec) + "x", std::string(kHex) + "ff",
        std::string(64, '0'), encode_npub(*PublicKey::from_hex(kPublicHex))}) {
    write(text);
    EXPECT_EQ(read_error(), "key_file.malformed") << text;
  }
  fs::remove(path_);
  fs::create_directory(path_);
  EXPECT_EQ(read_error(), "key_file.unreadable");
}

TEST_F(KeyFile, IsCreatedPrivateAndReadBack) {
  const auto key = generate_key();
  ASSERT_TRUE(key);
  ASSERT_TRUE(create_key_file(path_, *key));
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777U, 0600U);
  EXPECT_EQ(read(path_)->public_key(), key->public_key());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_), {}), 1) << "nothing is left beside it";
}

TEST_F(KeyFile, IsNeverOverwrittenNorWrittenThroughALink) {
  write(kNsec);
  EXPECT_EQ(create_key_file(path_, *generate_key()).error().code, "key_file.exists");
  EXPECT_EQ(read(path_)->public_key().hex(), kPublicHex);

  const fs::path link = folder_ / "link";
  fs::create_symlink(folder_ / "elsewhere", link);
  EXPECT_EQ(create_key_file(link, *generate_key()).error().code, "key_file.exists");
  EXPECT_FALSE(fs::exists(folder_ / "elsewhere"));
  EXPECT_EQ(create_key_file(folder_ / "no" / "folder", *generate_key()).error().code, "key_file.unwritable");
}

TEST(Randomness, GivesAnotherKeyEachTime) {
  EXPECT_NE(generate_key()->public_key(), generate_key()->public_key());
  EXPECT_NE(*generate_aux(), *generate_aux());
}

}  // namespace
}  // namespace nostr
