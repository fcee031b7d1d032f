// Announcements: ours to the letter, others' as far as they can be read.
#include "pipeline/nostr/nip89.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_request.h"

namespace nostr {
namespace {

using base::is_utf8;
using base::Msat;
using ledger::ModelOffer;
using nlohmann::json;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

const SecretKey kAnnouncer = *SecretKey::from_bytes(std::string(31, '\0') + '\7');

AnnouncedModel model(const std::string& name, std::int64_t base = 1'000) {
  return {name, ModelOffer{.name = name,
                           .base = {base},
                           .input_per_1k_tokens = {2'000},
                           .output_per_1k_tokens = {10'000},
                           .context_tokens = 4'096,
                           .max_output_tokens = 512}};
}

Announcement ours() {
  return {.provider = kAnnouncer.public_key(),
          .d = "sellcompute",
          .profile = {.name = "A \"shop\"", .about = "Two cards\nin a cellar", .lud16 = "me@pay.example"},
          .kinds = {5050},
          .topics = {"ai", "llm"},
          .encryption = true,
          .models = {model("llama3.2"), model("qwen3:8b", 5'000)}};
}

Event announced(const Announcement& announcement) {
  return sign(*updated_announcement(announcement, nullptr), kAnnouncer, {});
}

Event theirs(const std::string& content, std::vector<Tag> tags = {{"d", "x"}, {"k", "5050"}}) {
  return sign({.kind = kAnnouncementKind, .tags = std::move(tags), .content = content}, kAnnouncer, {});
}

// ---- written --------------------------------------------------------------------------------------------------------

TEST(Announcement, HasTheTagsThatMarketsLookFor) {
  EXPECT_EQ(announced(ours()).tags, (std::vector<Tag>{{"d", "sellcompute"},
                                                      {"k", "5050"},
                                                      {"t", "ai"},
                                                      {"t", "llm"},
                                                      {"alt", "A seller of AI inference (NIP-90) and its prices"}}));
}

TEST(Announcement, SaysWhoSellsWhatForHowMuch) {
  const json content = json::parse(announced(ours()).content);
  EXPECT_EQ(content["name"], "A \"shop\"");
  EXPECT_EQ(content["lud16"], "me@pay.example");
  EXPECT_FALSE(content.contains("picture")) << "there is none";
  EXPECT_EQ(content["encryptionSupported"], true);
  EXPECT_EQ(content["nip90Params"]["model"], json::parse(R"({"required":false,"values":["llama3.2","qwen3:8b"]})"));
  EXPECT_EQ(content["nip90Params"]["temperature"], json::parse(R"({"required":false,"values":[]})"));
  EXPECT_EQ(content["prices"][0], json::parse(R"({"model":"llama3.2","base_msat":1000,"input_msat_per_1k_tokens":2000,
      "output_msat_per_1k_tokens":10000,"context_tokens":4096,"max_output_tokens":512})"));
}

TEST(Announcement, NamesOnlyParametersThatRequestsAreReadFor) {
  const json content = json::parse(announced(ours()).content);
  for (const auto& item : content["nip90Params"].items()) {
    const std::string& name = item.key();
    const auto read = [&](const std::string& value) {
      const Event request = sign({.kind = 5050, .tags = {{"i", "Why?"}, {"param", name, value}}}, kAnnouncer, {});
      const auto out = *read_request(request, to_json(request), kAnnouncer.public_key());
      return std::tuple(ledger::encode(out.params), out.model, out.input_tokens, out.fault.has_value());
    };
    EXPECT_NE(read("1"), read("")) << name;
  }
}

TEST(Announcement, IsLeftAloneWhileItSaysTheSame) {
  const Event before = announced(ours());
  EXPECT_FALSE(updated_announcement(ours(), &before));
  Announcement dearer = ours();
  dearer.models[1].offer->base = Msat{5'001};
  EXPECT_TRUE(updated_announcement(dearer, &before));
  Announcement more = ours();
  more.topics.push_back("text");
  EXPECT_TRUE(updated_announcement(more, &before));
}

TEST(Announcement, StaysWithinWhatRelaysTakeHoweverManyModelsThereAre) {
  Announcement many = ours();
  many.models = {model(std::string(kMaxAnnouncedNameBytes + 1, 'x'))};
  for (int i = 0; i < 1'000; ++i) many.models.push_back(model(std::to_string(i)));
  EXPECT_THAT(read_announcement(announced(many))->models, SizeIs(kMaxAnnouncedModels));
  EXPECT_EQ(read_announcement(announced(many))->models[0].name, "0");
  for (auto& [name, offer] : many.models) name += std::string(190, '"');  // of which each takes four bytes
  EXPECT_LT(to_json(announced(many)).size(), 50U * 1024);
}

TEST(Announcement, NamesThatAreNoTextAreMadeOne) {
  Announcement odd = ours();
  odd.models = {model("\xff\x1b\x7f")};
  const Event event = announced(odd);
  EXPECT_TRUE(is_utf8(event.content));
  EXPECT_FALSE(has_disputed_controls(event.content));
}

// ---- read -----------------------------------------------------------------------------------------------------------

TEST(ReadAnnouncement, GivesBackWhatWasWritten) {
  const auto read = read_announcement(announced(ours()));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->provider, kAnnouncer.public_key());
  EXPECT_EQ(read->d, "sellcompute");
  EXPECT_EQ(read->profile, ours().profile);
  EXPECT_THAT(read->kinds, ElementsAre(5050));
  EXPECT_THAT(read->topics, ElementsAre("ai", "llm"));
  EXPECT_TRUE(read->encryption);
  ASSERT_THAT(read->models, SizeIs(2));
  EXPECT_EQ(ledger::encode(*read->models[0].offer), ledger::encode(*model("llama3.2").offer));
  EXPECT_EQ(read->models[1].name, "qwen3:8b");
}

TEST(ReadAnnouncement, OfAnotherSellerHasModelsWithoutPrices) {
  const auto read = read_announcement(
      theirs(R"({"name":"My DVM","about":"a","image":"https://x","nip90Params":{"model":{"required":false,
             "values":["a","b","a",7]},"max_tokens":{"required":false,"values":[]}}})",
             {{"d", "x"}, {"k", "5050"}, {"k", "5100"}, {"k", "5050"}, {"k", "all"}, {"k"}, {"t", "data"}}));
  EXPECT_EQ(read->profile.name, "My DVM");
  EXPECT_THAT(read->kinds, ElementsAre(5050, 5100));
  ASSERT_THAT(read->models, SizeIs(2));
  EXPECT_EQ(read->models[0].name, "a");
  EXPECT_FALSE(read->models[0].offer);
}

TEST(ReadAnnouncement, APriceThatIsNotWholeOrAbsurdIsNone) {
  for (const char* price :
       {R"({"model":"a"})", R"({"model":"a","base_msat":1,"input_msat_per_1k_tokens":1})",
        R"({"model":"a","base_msat":-1,"input_msat_per_1k_tokens":1,"output_msat_per_1k_tokens":1})",
        R"({"model":"a","base_msat":"1","input_msat_per_1k_tokens":1,"output_msat_per_1k_tokens":1})",
        R"({"model":"a","base_msat":1e3,"input_msat_per_1k_tokens":1,"output_msat_per_1k_tokens":1})",
        R"({"model":"a","base_msat":9999999999999999999,"input_msat_per_1k_tokens":1,
                                "output_msat_per_1k_tokens":1})"}) {
    const auto read = read_announcement(theirs(R"({"prices":[)" + std::string(price) + "]}"));
    ASSERT_THAT(read->models, SizeIs(1)) << price;
    EXPECT_FALSE(read->models[0].offer) << price;
  }
}

TEST(ReadAnnouncement, NothingReadableIsNoFailure) {
  for (const char* content :
       {"", "hello", "[]", "{", R"({"name":7,"nip90Params":[],"prices":{}})", R"({"prices":[1,[],{}]})"}) {
    const auto read = read_announcement(theirs(content));
    ASSERT_TRUE(read) << content;
    EXPECT_THAT(read->kinds, ElementsAre(5050));
    EXPECT_THAT(read->models, IsEmpty());
    EXPECT_EQ(read->profile.name, "");
  }
  EXPECT_FALSE(read_announcement(sign({.kind = 1}, kAnnouncer, {})));
}

TEST(ReadAnnouncement, WordsOfStrangersAreCutAndHarmless) {
  const auto read = read_announcement(
      theirs(R"({"name":"\u001b[2J)" + std::string(1'000, 'x') + R"(","about":")" + std::string(10'000, 'y') + "\"}"));
  EXPECT_LE(read->profile.name.size(), kMaxAnnouncedNameBytes + 2);  // U+FFFD takes more room than what it stands for
  EXPECT_FALSE(has_disputed_controls(read->profile.name));
  EXPECT_EQ(read->profile.about.size(), kMaxAnnouncedTextBytes);
}

// ---- alive, and gone ------------------------------------------------------------------------------------------------

TEST(Heartbeat, ExpiresWhenTheNextIsDue) {
  const Unsigned beat = heartbeat("sellcompute", 1'000);
  EXPECT_EQ(beat.kind, 11'998U);
  EXPECT_EQ(beat.tags, (std::vector<Tag>{{"d", "sellcompute"}, {"expiration", "1300"}}));
}

TEST(Withdrawal, NamesTheAddressAndWhatIsKnownOfIt) {
  const EventId id = announced(ours()).id;
  const Unsigned gone = withdrawal(kAnnouncer.public_key(), "sellcompute", {id}, 1'000);
  EXPECT_EQ(gone.kind, 5U);
  EXPECT_EQ(gone.tags,
            (std::vector<Tag>{
                {"a", "31990:" + kAnnouncer.public_key().hex() + ":sellcompute"}, {"e", id.hex()}, {"k", "31990"}}));
}

}  // namespace
}  // namespace nostr
