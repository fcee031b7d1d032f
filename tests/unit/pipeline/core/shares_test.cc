// Shares: those who have paid have a reserve, one key never takes all, and every fresh key has the same chance.
#include "pipeline/core/shares.h"

#include <gtest/gtest.h>

namespace core {
namespace {

PublicKey key(std::uint32_t n) {
  PublicKey out;
  for (std::size_t i = 0; i < 4; ++i) out.bytes[i] = static_cast<std::uint8_t>(n >> (8 * i));
  return out;
}

TEST(Shares, FreshKeysFillHalfThoseWithWorkThreeQuartersThoseWhoPaidAll) {
  EXPECT_EQ(share_of_class(16, Standing::fresh), 8);
  EXPECT_EQ(share_of_class(16, Standing::worked), 12);
  EXPECT_EQ(share_of_class(16, Standing::paid), 16);
  EXPECT_EQ(share_of_key(16, Standing::fresh), 4);
  EXPECT_EQ(share_of_key(16, Standing::paid), 8);
}

TEST(Shares, ASmallLimitLeavesEverybodyAPlace) {
  for (const Standing one : {Standing::fresh, Standing::worked, Standing::paid}) {
    EXPECT_TRUE(has_place(1, one, {}));
    EXPECT_FALSE(has_place(1, one, {.by_all = 1}));
    EXPECT_FALSE(has_place(0, one, {}));
  }
}

TEST(Shares, StrangersNeverTakeThePlacesOfThoseWhoPaid) {
  const Taken by_strangers{.by_all = 8, .by_strangers = 8};
  EXPECT_FALSE(has_place(16, Standing::fresh, by_strangers));
  EXPECT_TRUE(has_place(16, Standing::worked, by_strangers));
  EXPECT_TRUE(has_place(16, Standing::paid, by_strangers));
  EXPECT_FALSE(has_place(16, Standing::fresh, {.by_all = 4, .by_strangers = 4, .by_customer = 4})) << "one key";
  EXPECT_FALSE(has_place(16, Standing::paid, {.by_all = 16, .by_strangers = 8}));
}

TEST(Draw, WhileThereAreEnoughPlacesEverybodyIsDrawn) {
  const Draw draw = next_draw({}, {.fresh_keys = 10}, 10, base::sha256("secret"));
  EXPECT_EQ(draw.work_bits, 0u);
  for (std::uint32_t n = 0; n < 1'000; ++n) EXPECT_TRUE(is_drawn(draw, key(n)));
}

TEST(Draw, OfManyKeysAboutAsManyAreDrawnAsThereArePlaces) {
  Draw draw;
  std::size_t drawn = 0;
  for (int minute = 0; minute < 20; ++minute) {
    draw = next_draw(draw, {.fresh_keys = 5'000}, 50, base::sha256(std::to_string(minute)));
    for (std::uint32_t n = 0; n < 5'000; ++n) drawn += is_drawn(draw, key(n));
  }
  EXPECT_NEAR(static_cast<double>(drawn), 20 * 50, 150);
}

TEST(Draw, EveryKeyHasTheSameChanceFromMinuteToMinute) {
  Draw draw;
  std::size_t drawn = 0;
  for (int minute = 0; minute < 4'000; ++minute) {
    draw = next_draw(draw, {.fresh_keys = 100}, 10, base::sha256(std::to_string(minute)));
    drawn += is_drawn(draw, key(7));
  }
  EXPECT_NEAR(static_cast<double>(drawn), 400, 80);
}

TEST(Draw, TheWorkRisesWhileMoreBringItThanThereArePlacesAndFallsAgain) {
  Draw draw = next_draw({}, {.fresh_keys = 1'000}, 10, {});
  const std::uint32_t first = draw.work_bits;
  EXPECT_GT(first, 0u);
  draw = next_draw(draw, {.fresh_keys = 1'000, .worked_requests = 100}, 10, {});
  EXPECT_GE(draw.work_bits, first + 3) << "ten times as many: eight times the work at least";
  const std::uint32_t risen = draw.work_bits;
  draw = next_draw(draw, {.fresh_keys = 1'000, .worked_requests = 8}, 10, {});
  EXPECT_EQ(draw.work_bits, risen);
  draw = next_draw(draw, {.fresh_keys = 1'000}, 10, {});
  EXPECT_EQ(draw.work_bits, risen - 1);
  draw = next_draw(draw, {.worked_requests = 100}, 10, {});
  EXPECT_GT(draw.work_bits, risen) << "also when all who come bring it";
  EXPECT_TRUE(is_drawn(draw, key(1))) << "but then it is asked of nobody";
  for (int minute = 0; minute < 40; ++minute) draw = next_draw(draw, {}, 10, {});
  EXPECT_EQ(draw.work_bits, 0u) << "when the flood is over none is asked";
}

TEST(Draw, OfOnePlaceTheWorkFallsToo) {
  Draw draw = next_draw({}, {.fresh_keys = 10, .worked_requests = 100}, 1, {});
  const std::uint32_t risen = draw.work_bits;
  draw = next_draw(draw, {.fresh_keys = 10}, 1, {});
  EXPECT_EQ(draw.work_bits, risen - 1);
}

}  // namespace
}  // namespace core
