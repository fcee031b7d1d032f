// Which requests are recorded when more come than the ledger should keep.
#include "pipeline/runtime/entry_shares.h"

#include <gtest/gtest.h>

namespace runtime {
namespace {

using base::TimeMs;
using core::Standing;

constexpr TimeMs kStart{1'700'000'000'000};
constexpr std::int64_t kEntryMinuteMs = 60'000;

base::PublicKey key(std::uint32_t n) {
  base::PublicKey out;
  for (std::size_t i = 0; i < 4; ++i) out.bytes[i] = static_cast<std::uint8_t>(n >> (8 * i));
  return out;
}

std::size_t recorded(EntryShares& shares, const EntryShares::Asker& asker, int requests, TimeMs now) {
  std::size_t out = 0;
  for (int i = 0; i < requests; ++i) out += shares.refuse(asker, now).empty();
  return out;
}

TEST(EntryShares, OneKeyHasItsShareOfAnHour) {
  EntryShares shares({.per_key = 60, .strangers = 600}, kStart);
  EXPECT_EQ(recorded(shares, {.key = key(1)}, 50'000, kStart), 60u);
  EXPECT_EQ(shares.refuse({.key = key(1)}, kStart), "share_of_key");
  EXPECT_EQ(recorded(shares, {.key = key(1)}, 100, kStart + 60 * kEntryMinuteMs), 60u);
}

TEST(EntryShares, FreshKeysShareOneClassWhichFillsAgainMinuteByMinute) {
  EntryShares shares({.per_key = 60, .strangers = 600}, kStart);
  std::size_t out = 0;
  for (std::uint32_t n = 0; n < 5'000; ++n) out += recorded(shares, {.key = key(n)}, 10, kStart);
  EXPECT_EQ(out, 600u);
  EXPECT_EQ(shares.refuse({.key = key(9'999)}, kStart), "share_of_strangers");
  EXPECT_EQ(recorded(shares, {.key = key(9'999)}, 50, kStart + kEntryMinuteMs), 10u);
}

TEST(EntryShares, WhoHasPaidOrBringsWorkIsNotOfThatClass) {
  EntryShares shares({.per_key = 60, .strangers = 600}, kStart);
  for (std::uint32_t n = 0; n < 600; ++n) shares.refuse({.key = key(n)}, kStart);
  EXPECT_EQ(recorded(shares, {.key = key(1'000), .standing = Standing::worked}, 100, kStart), 60u);
  EXPECT_EQ(recorded(shares, {.key = key(1'001), .standing = Standing::paid}, 10'000, kStart), 3'600u);
}

TEST(EntryShares, InACrowdADrawnKeyHasOneRequestBeforeAllOthers) {
  EntryShares shares({.per_key = 60, .strangers = 600}, kStart);
  std::size_t others = 0;
  for (std::uint32_t n = 0; n < 5'000; ++n) {
    others += recorded(shares, {.key = key(n), .drawn = false, .crowded = true}, 10, kStart);
  }
  EXPECT_EQ(others, 300u) << "half of the class is for those who are drawn";
  for (std::uint32_t n = 6'000; n < 6'010; ++n) {
    EXPECT_EQ(recorded(shares, {.key = key(n), .drawn = true, .crowded = true}, 10, kStart), 1u) << n;
  }
}

TEST(EntryShares, WorkIsNoWayAroundALimitInAll) {
  EntryShares shares({.per_key = 60, .strangers = 600}, kStart);
  std::size_t out = 0;
  for (std::uint32_t n = 0; n < 5'000; ++n) {
    out += recorded(shares, {.key = key(n), .standing = Standing::worked}, 1, kStart);
  }
  EXPECT_EQ(out, 600u);
}

TEST(EntryShares, WhatWaitedAtTheRelaysTooLongMakesNoCrowdAndLeavesHalf) {
  EntryShares shares({.per_key = 60, .strangers = 600}, kStart);
  std::size_t late = 0;
  for (std::uint32_t n = 0; n < 1'000; ++n) late += recorded(shares, {.key = key(n), .too_late = true}, 1, kStart);
  EXPECT_EQ(late, 300u);
  EXPECT_EQ(shares.take_demand().fresh_keys, 0u);
  EXPECT_EQ(recorded(shares, {.key = key(9'999)}, 1, kStart), 1u);
}

TEST(EntryShares, CountsWhatWasAskedEachMinute) {
  EntryShares shares({.per_key = 60, .strangers = 600}, kStart);
  for (std::uint32_t n = 0; n < 500; ++n) recorded(shares, {.key = key(n)}, 3, kStart);
  shares.refuse({.key = key(7), .standing = Standing::worked}, kStart);
  const core::Demand demand = shares.take_demand();
  EXPECT_EQ(demand.fresh_keys, 500u);
  EXPECT_EQ(demand.worked_requests, 1u);
  EXPECT_EQ(shares.take_demand().fresh_keys, 0u);
}

TEST(EntryShares, AClockThatIsSetBackLosesNothingButTheCount) {
  EntryShares shares({.per_key = 1, .strangers = 600}, kStart);
  EXPECT_EQ(recorded(shares, {.key = key(1)}, 5, kStart), 1u);
  EXPECT_EQ(recorded(shares, {.key = key(1)}, 5, kStart - 600 * kEntryMinuteMs), 1u);
}

}  // namespace
}  // namespace runtime
