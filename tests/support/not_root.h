// Root may read everything: as long as this lives, the test is another user.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

class NotRoot {
 public:
  NotRoot() {
    if (was_root_) become(kNobody);
  }
  NotRoot(const NotRoot&) = delete;
  NotRoot& operator=(const NotRoot&) = delete;
  ~NotRoot() {
    if (was_root_) become(0);
  }

 private:
  static void become(uid_t user) { ASSERT_EQ(seteuid(user), 0); }
  static constexpr uid_t kNobody = 65'534;
  const bool was_root_ = geteuid() == 0;
};
