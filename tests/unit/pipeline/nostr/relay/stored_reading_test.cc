// The stored events of a relay, read page by page: against a relay in miniature, whatever its pages are like.
#include "pipeline/nostr/relay/stored_reading.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/relay/filter.h"
#include "pipeline/nostr/relay/limits.h"

namespace nostr {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::int64_t kSince = 1'000;
constexpr std::int64_t kCrowded = 5'000;  // the second of which there are many
const std::string kUs(64, 'a');

struct Relay {
  std::deque<Event> stored;
  std::size_t page = 500;       // events that it sends at most
  bool heeds_limit = false;     // and sends as many as a filter's limit asks for
  bool refuses_limits = false;  // answers a filter with a limit by CLOSED
  bool oldest_first = false;    // within a page
  std::vector<std::string> asked;

  void add(const std::string& content, std::int64_t created_at, std::uint32_t kind = 5050, bool to_us = false) {
    Event event{.created_at = created_at, .kind = kind, .content = content};
    if (to_us) event.tags = {{"p", kUs}};
    event.id = compute_id(event);
    stored.push_back(std::move(event));
  }
  void crowd(std::size_t count, std::uint32_t kind = 5050, bool to_us = false) {
    for (std::size_t i = 0; i < count; ++i) add("crowd " + std::to_string(i), kCrowded, kind, to_us);
  }
};

class StoredReadingTest : public testing::Test {
 protected:
  StoredReading read(Relay& relay) {
    StoredReading reading({{.kinds = kinds, .since_s = kSince}}, StoredReading::TagFilter{'p', {kUs}});
    for (bool more = true; more;) {
      relay.asked.push_back(to_json(reading.page().front()));
      EXPECT_LT(relay.asked.size(), 100U) << "no end";
      if (relay.refuses_limits && reading.page().front().limit) {
        more = reading.skip();
        continue;
      }
      const auto limit = reading.page().front().limit;
      auto page = stored_page(relay.stored, reading.page(), relay.heeds_limit && limit ? *limit : relay.page);
      if (relay.oldest_first) std::ranges::reverse(page);
      for (const Event* event : page) {
        if (event->content.starts_with("poison")) {
          reading.on_unreadable();
          continue;
        }
        heard.insert(event->content);
        reading.on_event(*event);
      }
      more = reading.next(size);
    }
    return reading;
  }
  bool heard_all(const Relay& relay) const {
    return std::ranges::all_of(relay.stored, [&](const Event& one) { return heard.contains(one.content); });
  }

  std::vector<std::uint32_t> kinds = {5050};
  PageSize size;
  std::set<std::string> heard;
};

TEST_F(StoredReadingTest, EventsThatCannotBeReadFillAPageAndHideNothing) {
  Relay relay{.page = 25};
  for (int i = 0; i < 24; ++i) relay.add("poison " + std::to_string(i), 9'000 + i);
  relay.add("between", 8'999);
  for (int i = 0; i < 10; ++i) relay.add("older " + std::to_string(i), 2'000 + i);
  const StoredReading reading = read(relay);
  EXPECT_THAT(heard, SizeIs(11));
  EXPECT_EQ(reading.unread_s(), std::nullopt);
}

TEST_F(StoredReadingTest, APageWithNothingReadableIsReportedAsUnread) {
  Relay relay{.page = 25};
  for (int i = 0; i < 25; ++i) relay.add("poison " + std::to_string(i), 9'000 + i);
  relay.add("older", 2'000);
  EXPECT_EQ(read(relay).unread_s(), kSince);
}

TEST_F(StoredReadingTest, AShortPageIsAll) {
  Relay relay;
  for (int i = 0; i < 19; ++i) relay.add(std::to_string(i), 2'000);
  EXPECT_EQ(read(relay).unread_s(), std::nullopt);
  EXPECT_THAT(relay.asked, SizeIs(1));
}

TEST_F(StoredReadingTest, ManySecondsTakeAPageAfterTheOther) {
  for (const bool oldest_first : {false, true}) {
    Relay relay{.oldest_first = oldest_first};
    heard.clear();
    for (int i = 0; i < 3'000; ++i) relay.add(std::to_string(i), 2'000 + i / 7);
    EXPECT_EQ(read(relay).unread_s(), std::nullopt);
    EXPECT_TRUE(heard_all(relay));
    EXPECT_LT(relay.asked.size(), 10U);
  }
}

TEST_F(StoredReadingTest, ACrowdedSecondHidesNothingThatIsForUs) {
  for (const std::size_t page : {500U, 5'000U}) {
    for (const std::size_t crowd : {500U, 5'000U}) {
      Relay relay{.page = page};
      heard.clear();
      size = {};
      for (int i = 0; i < 30; ++i) relay.add("before " + std::to_string(i), kCrowded - 1 - i);
      relay.crowd(crowd);
      relay.add("within", kCrowded, 5050, true);
      for (int i = 0; i < 30; ++i) relay.add("after " + std::to_string(i), kCrowded + 1 + i);
      read(relay);
      EXPECT_TRUE(heard.contains("within"));
      for (int i = 0; i < 30; ++i) {
        EXPECT_TRUE(heard.contains("before " + std::to_string(i)));
        EXPECT_TRUE(heard.contains("after " + std::to_string(i)));
      }
    }
  }
}

TEST_F(StoredReadingTest, ACrowdedSecondIsReadWithAHighLimitFirst) {
  Relay relay{.heeds_limit = true};
  relay.crowd(3'000);
  size.max_limit = 5'000;
  EXPECT_EQ(read(relay).unread_s(), std::nullopt) << "the relay states that it would have sent more";
  EXPECT_TRUE(heard_all(relay));
  EXPECT_THAT(relay.asked, ElementsAre(R"({"kinds":[5050],"since":1000})",
                                       R"({"kinds":[5050],"since":5000,"until":5000,"limit":5000})",
                                       R"({"kinds":[5050],"since":1000,"until":4999})"));
}

TEST_F(StoredReadingTest, ThenOneKindAtATimeThenWhatIsForUs) {
  kinds = {5050, 5051};
  Relay relay;
  relay.crowd(600);
  relay.crowd(400, 5051);
  relay.add("for us", kCrowded, 5050, true);
  EXPECT_EQ(read(relay).unread_s(), kCrowded) << "not all that is open to anybody could be read";
  EXPECT_TRUE(heard.contains("for us"));
  EXPECT_THAT(relay.asked,
              ElementsAre(R"({"kinds":[5050,5051],"since":1000})",
                          R"({"kinds":[5050,5051],"since":5000,"until":5000,"limit":5000})",
                          R"({"kinds":[5050],"since":5000,"until":5000,"limit":5000})",
                          R"({"kinds":[5051],"since":5000,"until":5000,"limit":5000})",
                          R"({"kinds":[5050],"#p":[")" + kUs + R"("],"since":5000,"until":5000,"limit":5000})",
                          R"({"kinds":[5051],"#p":[")" + kUs + R"("],"since":5000,"until":5000,"limit":5000})",
                          R"({"kinds":[5050,5051],"since":1000,"until":4999})"));
}

TEST_F(StoredReadingTest, KindsThatFitAPageEachAreAllThereIs) {
  kinds = {5050, 5051};
  Relay relay;
  relay.crowd(300);
  relay.crowd(300, 5051);
  EXPECT_EQ(read(relay).unread_s(), std::nullopt);
  EXPECT_TRUE(heard_all(relay));
}

TEST_F(StoredReadingTest, MoreForUsInOneSecondThanAPageIsReportedAndHidesNothingElse) {
  Relay relay;
  relay.add("before", kCrowded - 1, 5050, true);
  relay.crowd(600, 5050, true);
  relay.add("after", kCrowded + 1, 5050, true);
  EXPECT_EQ(read(relay).unread_s(), kCrowded);
  EXPECT_TRUE(heard.contains("before"));
  EXPECT_TRUE(heard.contains("after"));
}

TEST_F(StoredReadingTest, TheOldestSecondThatCouldNotBeReadIsReported) {
  Relay relay;
  relay.crowd(600);
  for (int i = 0; i < 600; ++i) relay.add("older " + std::to_string(i), 3'000);
  EXPECT_EQ(read(relay).unread_s(), 3'000);
}

TEST_F(StoredReadingTest, ARelayThatSentMoreAtOnceHasNoMore) {
  Relay relay;
  relay.crowd(100);
  size.largest = 500;
  EXPECT_EQ(read(relay).unread_s(), std::nullopt);
  EXPECT_THAT(relay.asked, SizeIs(3));
}

TEST_F(StoredReadingTest, ALimitThatIsRefusedIsLeftOut) {
  kinds = {5050, 5051};
  Relay relay{.refuses_limits = true};
  relay.crowd(300);
  relay.crowd(300, 5051);
  relay.add("before", kCrowded - 1);
  EXPECT_EQ(read(relay).unread_s(), std::nullopt);
  EXPECT_TRUE(heard_all(relay));
}

TEST_F(StoredReadingTest, ASecondThatIsTheOldestIsTheEnd) {
  Relay relay;
  for (int i = 0; i < 500; ++i) relay.add(std::to_string(i), kSince);
  size.largest = 800;
  EXPECT_EQ(read(relay).unread_s(), std::nullopt);
  EXPECT_THAT(relay.asked, SizeIs(2));
}

TEST_F(StoredReadingTest, EventsThatComeTwiceMakeNoLargerPage) {
  StoredReading reading({{.since_s = kSince}}, {});
  Relay relay;
  relay.add("one", 2'000);
  for (int i = 0; i < 50; ++i) reading.on_event(relay.stored.front());
  EXPECT_FALSE(reading.next(size));
  EXPECT_EQ(size.largest, 1U);
}

TEST_F(StoredReadingTest, WithoutASinceThereIsOnePage) {
  Relay relay;
  relay.crowd(100);
  StoredReading reading({{.kinds = {5050}}}, {});
  for (const Event& event : relay.stored) reading.on_event(event);
  EXPECT_FALSE(reading.next(size));
  EXPECT_EQ(reading.unread_s(), std::nullopt);
}

}  // namespace
}  // namespace nostr
