// What may come in from the relays, and how far each of them has been read.
#include "pipeline/nostr/relay/intake.h"

#include <gtest/gtest.h>

#include "pipeline/nostr/relay/filter.h"

namespace nostr {
namespace {

constexpr TimeMs kNow{1'700'000'000'000};
const PublicKey kUs = *PublicKey::from_hex(std::string(64, 'a'));

EventId id_of(char digit) {
  return *EventId::from_hex(std::string(64, digit));
}

Event request_for(const std::string& provider) {
  Event event;
  event.kind = 5050;
  event.created_at = kNow.ms / 1000;
  event.tags = {{"i", "hello", "text"}, {"p", provider}};
  return event;
}

std::vector<Filter> addressed_to_us() {
  Filter filter;
  filter.kinds = {5050};
  filter.tags = {{'p', {kUs.hex()}}};
  return {filter};
}

// ---- filters --------------------------------------------------------------------------------------------------------

TEST(FilterMatch, AnEmptyFilterTakesEverything) {
  EXPECT_TRUE(matches(Filter{}, request_for("x")));
}

TEST(FilterMatch, AllMembersMustHold) {
  const auto event = request_for(kUs.hex());
  auto filter = addressed_to_us()[0];
  EXPECT_TRUE(matches(filter, event));
  filter.kinds = {1, 7};
  EXPECT_FALSE(matches(filter, event));
}

TEST(FilterMatch, OneValueOfEachMemberIsEnough) {
  Filter filter;
  filter.kinds = {1, 5050};
  filter.tags = {{'p', {"other", kUs.hex()}}};
  EXPECT_TRUE(matches(filter, request_for(kUs.hex())));
}

TEST(FilterMatch, EveryTagMemberMustHold) {
  Filter filter;
  filter.tags = {{'p', {kUs.hex()}}, {'t', {"bitcoin"}}};
  auto event = request_for(kUs.hex());
  EXPECT_FALSE(matches(filter, event));
  event.tags.push_back({"t", "bitcoin"});
  EXPECT_TRUE(matches(filter, event));
}

TEST(FilterMatch, OnlyTheFirstValueOfATagCounts) {
  auto event = request_for("someone");
  event.tags.push_back({"p"});
  event.tags.push_back({"e", "x", kUs.hex()});
  EXPECT_FALSE(matches_any(addressed_to_us(), event));
}

TEST(FilterMatch, SinceAndUntilAreInclusive) {
  const auto event = request_for("x");
  Filter filter;
  filter.since_s = filter.until_s = event.created_at;
  EXPECT_TRUE(matches(filter, event));
  filter.since_s = event.created_at + 1;
  filter.until_s.reset();
  EXPECT_FALSE(matches(filter, event));
  filter.since_s.reset();
  filter.until_s = event.created_at - 1;
  EXPECT_FALSE(matches(filter, event));
}

TEST(FilterMatch, IdsAndAuthorsAreWholeNotPrefixes) {
  auto event = request_for("x");
  event.id = id_of('1');
  event.pubkey = kUs;
  Filter filter;
  filter.ids = {id_of('1')};
  filter.authors = {kUs};
  EXPECT_TRUE(matches(filter, event));
  filter.ids = {id_of('2')};
  EXPECT_FALSE(matches(filter, event));
}

// ---- the cheap refusals ---------------------------------------------------------------------------------------------

std::optional<Refusal> screened(const Event& event, std::size_t bytes = 500) {
  return screen(event, bytes, addressed_to_us(), IntakeLimits{}, kNow);
}

TEST(Screen, ARequestForUsIsWorthVerifying) {
  EXPECT_EQ(screened(request_for(kUs.hex())), std::nullopt);
}

TEST(Screen, WhatIsForOthersIsNotOurs) {
  EXPECT_EQ(screened(request_for(std::string(64, 'b'))), Refusal::not_ours);
}

TEST(Screen, AnotherKindIsNotOurs) {
  auto event = request_for(kUs.hex());
  event.kind = 1;
  EXPECT_EQ(screened(event), Refusal::not_ours);
}

TEST(Screen, SizeIsLookedAtFirst) {
  EXPECT_EQ(screened(request_for("x"), IntakeLimits{}.max_event_bytes + 1), Refusal::too_large);
}

TEST(Screen, ASendersClockMayBeWrongByTheAcceptedSkew) {
  const IntakeLimits limits;
  auto event = request_for(kUs.hex());
  event.created_at = (kNow + limits.max_future_ms).ms / 1000;
  EXPECT_EQ(screened(event), std::nullopt);
  ++event.created_at;
  EXPECT_EQ(screened(event), Refusal::skewed);
}

TEST(Screen, WhatIsTooOldIsRefused) {
  const IntakeLimits limits;
  auto event = request_for(kUs.hex());
  event.created_at = (kNow - limits.max_age_ms - limits.overlap_ms).ms / 1000;
  EXPECT_EQ(screened(event), std::nullopt);
  --event.created_at;
  EXPECT_EQ(screened(event), Refusal::skewed);
}

TEST(Screen, WhatWeAskForIsNeverRefusedForItsAge) {
  const IntakeLimits limits;
  auto event = request_for(kUs.hex());
  for (const auto cursor : {TimeMs{0}, kNow - 86'400'000, kNow}) {
    event.created_at = since_s(cursor, limits, kNow);
    EXPECT_EQ(screened(event), std::nullopt);
  }
}

TEST(Since, IsTheCursorLessTheOverlap) {
  IntakeLimits limits;
  limits.overlap_ms = 1'000'000;
  EXPECT_EQ(since_s(kNow, limits, kNow), kNow.ms / 1000 - 1'000);
}

TEST(Since, AVeryOldCursorDoesNotAskForYears) {
  const IntakeLimits limits;
  EXPECT_EQ(since_s(TimeMs{0}, limits, kNow), (kNow - limits.max_age_ms).ms / 1000);
}

TEST(Since, ACursorInTheFutureSaysNothing) {
  const IntakeLimits limits;
  EXPECT_EQ(since_s(kNow + 1, limits, kNow), (kNow - limits.max_age_ms).ms / 1000);
}

TEST(IntakeLimits, TheOverlapCoversSkewAndTheTimeToFindADeadConnection) {
  EXPECT_GE(IntakeLimits{}.overlap_ms, IntakeLimits{}.max_future_ms + 45'000);
}

// ---- what came already ----------------------------------------------------------------------------------------------

TEST(Remembered, AnUnknownIdIsNew) {
  EXPECT_FALSE(Remembered(2).find(id_of('1')));
}

TEST(Remembered, AKnownIdHasItsReceiptWhileThatIsOut) {
  Remembered remembered(2);
  auto receipt = std::make_shared<int>(7);
  remembered.insert(id_of('1'), receipt);
  ASSERT_TRUE(remembered.find(id_of('1')));
  EXPECT_EQ(*remembered.find(id_of('1')), receipt);
  receipt.reset();
  ASSERT_TRUE(remembered.find(id_of('1')));
  EXPECT_EQ(*remembered.find(id_of('1')), nullptr);
}

TEST(Remembered, TheLeastRecentlySeenIsForgotten) {
  Remembered remembered(2);
  remembered.insert(id_of('1'), nullptr);
  remembered.insert(id_of('2'), nullptr);
  remembered.find(id_of('1'));
  remembered.insert(id_of('3'), nullptr);
  EXPECT_TRUE(remembered.find(id_of('1')));
  EXPECT_FALSE(remembered.find(id_of('2')));
  EXPECT_TRUE(remembered.find(id_of('3')));
}

// ---- the cursor -----------------------------------------------------------------------------------------------------

constexpr std::int64_t kWeekMs = 7 * 86'400'000LL;

TEST(IntakeCursor, StartsWhereItWasLeft) {
  EXPECT_EQ(IntakeCursor(kNow, kWeekMs).value(), kNow);
}

TEST(IntakeCursor, IsNotMovedByASubscriptionThatIsNotLive) {
  IntakeCursor cursor(kNow, kWeekMs);
  cursor.on_heard(kNow + 5'000);
  EXPECT_EQ(cursor.value(), kNow);
}

TEST(IntakeCursor, FollowsTheSignsOfLifeOfALiveSubscription) {
  IntakeCursor cursor(kNow, kWeekMs);
  cursor.on_caught_up(kNow + 1'000, {});
  EXPECT_EQ(cursor.value(), kNow + 1'000);
  cursor.on_heard(kNow + 2'000);
  EXPECT_EQ(cursor.value(), kNow + 2'000);
}

TEST(IntakeCursor, StopsAtTheLastSignOfLifeBeforeAGap) {
  IntakeCursor cursor(kNow, kWeekMs);
  cursor.on_caught_up(kNow + 1'000, {});
  cursor.on_gap();
  cursor.on_heard(kNow + 9'000);
  EXPECT_EQ(cursor.value(), kNow + 1'000);
}

TEST(IntakeCursor, IsHeldBackByTheOldestEventThatIsNotHandled) {
  IntakeCursor cursor(kNow, kWeekMs);
  cursor.on_caught_up(kNow, {});
  const auto first = cursor.pin(kNow + 1'000);
  const auto second = cursor.pin(kNow + 2'000);
  cursor.on_heard(kNow + 3'000);
  EXPECT_EQ(cursor.value(), kNow + 1'000);
  EXPECT_EQ(cursor.unhandled(), 2U);
  cursor.release(first);
  EXPECT_EQ(cursor.value(), kNow + 2'000);
  cursor.release(second);
  EXPECT_EQ(cursor.value(), kNow + 3'000);
  EXPECT_EQ(cursor.unhandled(), 0U);
}

TEST(IntakeCursor, AStoredEventHoldsItWhereTheQuestionWasAsked) {
  IntakeCursor cursor(kNow - 86'400'000, kWeekMs);  // we were away for a day
  const auto stored = cursor.pin(kNow);
  cursor.on_caught_up(kNow + 1'000, {});
  EXPECT_EQ(cursor.value(), kNow - 86'400'000) << "after a crash now, the event must be asked for again";
  cursor.release(stored);
  EXPECT_EQ(cursor.value(), kNow + 1'000);
}

TEST(IntakeCursor, IsHeldBackByWhatARelayCouldNotShow) {
  IntakeCursor cursor(kNow - 86'400'000, kWeekMs);
  cursor.on_caught_up(kNow, kNow - 3'600'000);
  cursor.on_heard(kNow + 60'000);
  EXPECT_EQ(cursor.value(), kNow - 3'600'000);
  cursor.on_gap();
  cursor.on_caught_up(kNow + 120'000, {});
  EXPECT_EQ(cursor.value(), kNow + 120'000) << "the next reading saw all of it";
}

TEST(IntakeCursor, IsHeldBackNoLongerThanAnAbsenceMayLast) {
  IntakeCursor cursor(kNow, kWeekMs);
  cursor.on_caught_up(kNow, kNow - 1'000);
  cursor.on_heard(kNow + (kWeekMs - 1'000));
  EXPECT_EQ(cursor.value(), kNow - 1'000);
  cursor.on_heard(kNow + kWeekMs);
  EXPECT_EQ(cursor.value(), kNow + kWeekMs);
}

TEST(IntakeCursor, GoesBackWithTheClock) {
  IntakeCursor cursor(kNow, kWeekMs);
  cursor.on_caught_up(kNow + 10'000, {});
  cursor.on_heard(kNow);
  EXPECT_EQ(cursor.value(), kNow) << "else a relay would not be asked for what is sent until the clock has caught up";
}

}  // namespace
}  // namespace nostr
