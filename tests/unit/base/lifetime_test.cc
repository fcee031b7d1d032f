#include "base/lifetime.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>

TEST(Lifetime, AGuardedCallbackIsCalledWhileTheObjectLives) {
  std::optional<base::Lifetime> lifetime(std::in_place);
  int sum = 0;
  const std::function<void(int)> add = lifetime->guard([&](int number) { sum += number; });
  add(1);
  lifetime.reset();
  add(2);
  EXPECT_EQ(sum, 1);
}

TEST(Lifetime, RenewSilencesEarlierCallbacksOnly) {
  base::Lifetime lifetime;
  int sum = 0;
  const auto add = [&](int number) { sum += number; };
  const auto before = lifetime.guard(add);
  lifetime.renew();
  const auto after = lifetime.guard(add);
  before(1);
  after(2);
  EXPECT_EQ(sum, 2);
}
