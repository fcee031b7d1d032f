// A ledger of another user, or one whose rights are wrong: an ordinary error, at every way of opening it.
#include "ledger/access.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include "base/temporary_folder.h"
#include "ledger/rocksdb_store.h"

namespace ledger {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

constexpr uid_t kNobody = 65534;

// Root may do everything: while this lives, we are somebody else.
class AsNobody {
 public:
  AsNobody() {
    if (::getuid() == 0) is_ = ::seteuid(kNobody) == 0;
  }
  ~AsNobody() {
    if (is_ && ::seteuid(0) != 0) std::abort();
  }
  AsNobody(const AsNobody&) = delete;
  AsNobody& operator=(const AsNobody&) = delete;

 private:
  bool is_ = false;
};

class AccessTest : public testing::Test {
 protected:
  void SetUp() override {
    ASSERT_TRUE(open_writer(folder));
    for (const fs::path& part : {fs::path(home.path()), folder}) fs::permissions(part, fs::perms(0755));
    for (const auto& file : fs::directory_iterator(folder)) fs::permissions(file.path(), fs::perms(0644));
  }
  void TearDown() override { fs::permissions(home.path(), fs::perms(0700)); }

  // What is told of the folder or file with these rights, to who may not use it.
  template <class Open>
  base::Error refused(const fs::path& path, int rights, const Open& open) {
    fs::permissions(path, fs::perms(rights));
    base::Result<void> opened;
    {
      const AsNobody nobody;
      opened = open(folder).map([](const auto&...) {});
    }
    fs::permissions(path, fs::perms(0755));
    EXPECT_FALSE(opened) << path << " may be opened";
    return opened ? base::Error{} : opened.error();
  }

  const base::TemporaryFolder home = base::TemporaryFolder::make("test").value();
  const fs::path folder = home.path() / "ledger";
};

const auto kRead = [](const fs::path& folder) { return open_reader(folder); };
const auto kReadWithoutViews = [](const fs::path& folder) { return open_reader(folder, Views::not_needed); };
const auto kWrite = [](const fs::path& folder) { return open_writer(folder); };
const auto kDiscard = [](const fs::path& folder) { return discard_views(folder); };

TEST_F(AccessTest, EveryFileThatMayNotBeReadIsNamed) {
  for (const auto& file : fs::directory_iterator(folder)) {
    const base::Error error = refused(file.path(), 0, kRead);
    EXPECT_EQ(error.code, "ledger.not_permitted");
    EXPECT_EQ(error.context, file.path().string());
    EXPECT_THAT(error.message, HasSubstr("may not read this ledger: Permission denied"));
    EXPECT_FALSE(error.hint.empty());
  }
}

TEST_F(AccessTest, AFolderThatMayNotBeEnteredIsNamedByEveryWayOfOpening) {
  for (const fs::path& part : {fs::path(home.path()), folder}) {
    EXPECT_EQ(refused(part, 0, kRead).context, part.string());
    EXPECT_EQ(refused(part, 0, kReadWithoutViews).context, part.string());
    EXPECT_EQ(refused(part, 0, kWrite).context, part.string());
    EXPECT_EQ(refused(part, 0, kDiscard).code, "ledger.not_permitted");
  }
}

TEST_F(AccessTest, WhatMayBeReadOnlyIsNotWritten) {
  fs::permissions(folder, fs::perms(0777));
  for (const char* name : {"LOCK", "DURABLE"}) {
    for (const auto& file : fs::directory_iterator(folder)) fs::permissions(file.path(), fs::perms(0666));
    EXPECT_EQ(refused(folder / name, 0444, kWrite).context, (folder / name).string());
  }
  const base::Error error = refused(folder, 0555, kWrite);
  EXPECT_THAT(error.message, HasSubstr("may not write this ledger"));
  EXPECT_TRUE(check_access(folder, Access::read));
}

TEST_F(AccessTest, ItsOwnerIsNamed) {
  if (::getuid() != 0) GTEST_SKIP() << "only root can be two users";
  EXPECT_THAT(refused(folder, 0700, kRead).hint, HasSubstr("run this as its owner, root"));
}

TEST_F(AccessTest, WhatIsNotThereIsNotRefused) {
  EXPECT_TRUE(check_access(home.path() / "none", Access::write));
  EXPECT_EQ(open_reader(home.path() / "none").error().code, "ledger.absent");
}

}  // namespace
}  // namespace ledger
