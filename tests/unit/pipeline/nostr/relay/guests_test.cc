#include "pipeline/nostr/relay/guests.h"

#include <gtest/gtest.h>

#include "tests/unit/pipeline/nostr/relay/relay_hub_fixture.h"

namespace nostr {
namespace {

constexpr std::size_t kMaxGuests = 2;

class GuestsTest : public testing::Test {
 protected:
  RelayLink* use(const std::string& name) { return guests.use(url_of(name)); }
  bool knows(const std::string& name) const { return guests.find(url_of(name).text()) != nullptr; }
  // Has work until the relay answers.
  void ask(const std::string& name) { use(name)->query("q1", {.kinds = {0}, .limit = 1}); }

  static std::weak_ptr<bool> exists(RelayLink* link) { return dynamic_cast<TestLink&>(*link).exists; }
  static net::RelayUrl url_of(const std::string& name) { return *net::parse_relay_url("wss://" + name + ".example"); }

  TimeMs now{1'700'000'000'000};
  std::deque<std::function<void()>> tasks;
  Guests guests{kMaxGuests,
                {.link =
                     [this](const net::RelayUrl& url) {
                       return std::make_unique<TestLink>(
                           RelaySessionOptions{.url = url.text(), .persistent = false, .random = [] { return 0.0; }},
                           [this] { return now; }, RelayLinkHandlers{});
                     },
                 .post = [this](std::function<void()> task) { tasks.push_back(std::move(task)); },
                 .clock = [this] { return now; }}};
};

TEST_F(GuestsTest, ARelayKeepsItsLink) {
  auto* const first = use("one");
  EXPECT_EQ(use("one"), first);
  EXPECT_EQ(guests.find(url_of("one").text()), first);
  EXPECT_EQ(guests.all().size(), 1u);
}

TEST_F(GuestsTest, OnlyWhatIsUsedIsKnown) {
  EXPECT_FALSE(knows("one"));
}

TEST_F(GuestsTest, TheOneThatWasUsedLongestAgoGivesPlace) {
  for (const char* name : {"one", "two", "one", "three"}) {
    now = now + 1;
    use(name);
  }
  EXPECT_TRUE(knows("one"));
  EXPECT_FALSE(knows("two"));
  EXPECT_TRUE(knows("three"));
}

TEST_F(GuestsTest, TheLinkThatGivesPlaceOutlivesTheCall) {
  const auto retired = exists(use("one"));
  use("two");
  use("three");
  ASSERT_EQ(tasks.size(), 1u);
  EXPECT_FALSE(retired.expired()) << "it may be the one whose answer led here";
  tasks.front()();
  EXPECT_TRUE(retired.expired());
}

TEST_F(GuestsTest, TheLinkThatGivesPlaceIsGoneWithTheOthers) {
  const auto retired = exists(use("one"));
  use("two");
  use("three");
  guests.clear();
  EXPECT_TRUE(retired.expired());
  tasks.front()();
}

TEST_F(GuestsTest, ARelayWithWorkKeepsItsPlace) {
  ask("one");
  now = now + 1;
  use("two");
  use("three");
  EXPECT_TRUE(knows("one"));
  EXPECT_FALSE(knows("two"));
}

TEST_F(GuestsTest, WhenAllHaveWorkThereIsNoRoom) {
  ask("one");
  ask("two");
  EXPECT_EQ(use("three"), nullptr);
  EXPECT_EQ(guests.no_room(), "not sent: 2 customers' relays are in use already");
  EXPECT_NE(use("one"), nullptr);
}

}  // namespace
}  // namespace nostr
