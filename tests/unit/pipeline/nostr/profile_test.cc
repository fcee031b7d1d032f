// Profile and relay list: what others wrote into them stays.
#include "pipeline/nostr/profile.h"

#include <gtest/gtest.h>

#include "pipeline/nostr/nip65.h"

namespace nostr {
namespace {

const Profile kOurs = {.name = "A \"shop\"", .lud16 = "me@pay.example"};

std::string merged(const std::string& existing, const Profile& ours = kOurs) {
  const Event event{.kind = kProfileKind, .content = existing};
  const auto update = updated_profile(ours, &event);
  return update ? update->content : "unchanged";
}

TEST(Profile, WhereThereIsNoneSaysWhatIsSet) {
  const auto update = updated_profile(kOurs, nullptr);
  ASSERT_TRUE(update);
  EXPECT_EQ(update->kind, 0U);
  EXPECT_EQ(update->content, R"({"name":"A \"shop\"","lud16":"me@pay.example"})");
}

TEST(Profile, KeepsWhatItDoesNotKnowToTheLetter) {
  EXPECT_EQ(merged(R"({ "website": "https:\/\/me.example", "name": "Old", "n": 1.0, "deep": {"a":[1, 2]} })"),
            R"({"website":"https:\/\/me.example","name":"A \"shop\"","n":1.0,"deep":{"a":[1, 2]},)"
            R"("lud16":"me@pay.example"})");
}

TEST(Profile, IsLeftAloneWhenItSaysAllOfItHoweverItIsWritten) {
  EXPECT_EQ(merged(R"({"name":"A \u0022shop\u0022", "lud16":"me@pay.example","about":"x"})"), "unchanged");
  EXPECT_EQ(merged(R"({"name":"Old"})", {}), "unchanged");
  EXPECT_FALSE(updated_profile({}, nullptr));
}

TEST(Profile, ReplacesWhatIsNoProfile) {
  for (const char* broken : {"", "hello", "[]", R"({"name":)"}) {
    EXPECT_EQ(merged(broken, {.name = "N"}), R"({"name":"N"})") << broken;
  }
}

TEST(Profile, KeepsItsTags) {
  const Event existing{.kind = kProfileKind, .tags = {{"i", "github:me", "proof"}}, .content = "{}"};
  EXPECT_EQ(updated_profile(kOurs, &existing)->tags, existing.tags);
}

TEST(RelayList, IsMadeOfOurRelays) {
  const std::vector<std::string> ours = {"wss://a.example", "wss://b.example"};
  const auto update = updated_relay_list(ours, nullptr);
  ASSERT_TRUE(update);
  EXPECT_EQ(update->kind, 10'002U);
  EXPECT_EQ(update->tags, (std::vector<Tag>{{"r", "wss://a.example"}, {"r", "wss://b.example"}}));
}

TEST(RelayList, IsLeftAloneWhenItHasThemInWhateverForm) {
  const std::vector<std::string> ours = {"wss://a.example"};
  const Event existing{.kind = kRelayListKind,
                       .tags = {{"r", "wss://x.example"}, {"r", "WSS://A.example:443/", "read"}}};
  EXPECT_FALSE(updated_relay_list(ours, &existing));
}

TEST(RelayList, KeepsItsEntriesAndAddsOurs) {
  const std::vector<std::string> ours = {"wss://a.example", "wss://b.example"};
  const Event existing{.kind = kRelayListKind,
                       .tags = {{"r", "wss://b.example", "write"}, {"alt", "my relays"}, {"r", "no URL"}},
                       .content = "sealed"};
  const auto update = updated_relay_list(ours, &existing);
  ASSERT_TRUE(update);
  EXPECT_EQ(update->tags,
            (std::vector<Tag>{
                {"r", "wss://b.example", "write"}, {"alt", "my relays"}, {"r", "no URL"}, {"r", "wss://a.example"}}));
  EXPECT_EQ(update->content, "sealed");
}

TEST(RelayList, SaysWhereItsAuthorReads) {
  const Event list{.kind = kRelayListKind,
                   .tags = {{"r", "wss://Both.example/"},
                            {"r", "wss://write.example", "write"},
                            {"r", "wss://read.example", "read"},
                            {"r", "https://no.relay.example"},
                            {"r", "wss://both.example"},
                            {"r"},
                            {"p", "wss://no.tag.example"},
                            {"r", "wss://third.example"}}};
  EXPECT_EQ(read_relays(list, 2), (std::vector<std::string>{"wss://both.example", "wss://read.example"}));
  EXPECT_EQ(read_relays(list, 9).size(), 3U);
}

}  // namespace
}  // namespace nostr
