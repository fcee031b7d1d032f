// JSON in the content of a request in clear: what stands for tags, and what is a prompt.
#include "pipeline/nostr/nip90_content.h"

#include <gtest/gtest.h>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_request.h"

namespace nostr {
namespace {

using nip90::tags_in_content;

const auto kContentSeller = *PublicKey::from_hex("5cbdf0646e5db4eaa398f365f2ea7a0e3d419b7e0330e39ce92bddedcac4f9bc");

std::string tags_json(std::string_view content) {
  const auto tags = tags_in_content(content);
  return tags ? tags_to_json(*tags) : "a prompt";
}

Event with_content(std::string content, std::vector<Tag> tags = {}) {
  return {.kind = kTextRequestKind, .tags = std::move(tags), .content = std::move(content)};
}

ledger::JobRequested facts_of(const Event& event) {
  return read_request(event, to_json(event), kContentSeller).value();
}

std::string chat_of(const Event& event) {
  std::string out;
  for (const auto& message : messages_of(event)) out += "<" + message.role + ">" + message.content;
  return out;
}

// ---- a list of tags -------------------------------------------------------------------------------------------------

TEST(ContentTags, StandForThemselves) {
  const std::string tags = R"([["i","a haiku on rivers","text"],["param","max_tokens","4"],["output","text/plain"]])";
  EXPECT_EQ(tags_json(" " + tags + "\n"), tags);
}

TEST(ContentTags, AreReadLikeThoseOfTheRequest) {
  const Event event = with_content(
      R"([["i","a haiku on rivers","text"],["param","max_tokens","4"],["param","temperature","0"],["bid","5000"]])");
  const auto read_as = facts_of(event);
  EXPECT_FALSE(read_as.fault);
  EXPECT_EQ(chat_of(event), "<user>a haiku on rivers");
  EXPECT_EQ(read_as.prompt_bytes, 17U);
  EXPECT_EQ(read_as.params.max_tokens, 4U);
  EXPECT_EQ(read_as.params.temperature, 0.0);
  EXPECT_EQ(read_as.bid, base::Msat{5'000});
}

TEST(ContentTags, HaveTheirFaultsTold) {
  EXPECT_EQ(facts_of(with_content(R"([["i","why"],["param","temperature","9"]])")).fault->reason,
            ledger::DeclineReason::parameter);
  EXPECT_EQ(facts_of(with_content(R"([["i","https://example.com/","url"]])")).sources.size(), 1U);
}

TEST(ContentTags, AreReadOnlyWhereNoOtherTagIsAnInput) {
  const Event event = with_content(R"([["i","hidden"],["param","max_tokens","4"]])", {{"i", "said"}});
  EXPECT_EQ(chat_of(event), "<user>said");
  EXPECT_FALSE(facts_of(event).params.max_tokens);
}

TEST(ContentTags, WithoutAnInputAreAPrompt) {
  const std::string content = R"([["param","max_tokens","4"]])";
  EXPECT_EQ(chat_of(with_content(content)), "<user>" + content);
}

// ---- chat messages --------------------------------------------------------------------------------------------------

TEST(ContentMessages, BecomeInputsWithTheirRoles) {
  const Event event = with_content(
      R"({"messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"A fish?"},)"
      R"({"content":"Trout.","role":"assistant"},{"role":"user","content":"Another fish?","name":"Ann"}]})");
  EXPECT_EQ(chat_of(event), "<system>Be brief.<user>A fish?<assistant>Trout.<user>Another fish?");
  EXPECT_FALSE(facts_of(event).fault);
}

TEST(ContentMessages, BringTheirParameters) {
  const auto asked = facts_of(with_content(
      R"({"model":"llama3.2","messages":[{"role":"developer","content":"Be brief."},{"role":"user","content":"Why?"}],)"
      R"("temperature":0,"max_tokens":40,"stop":["END","###"],"stream":true,"seed":null,"tools":[{"type":"x"}],"user":{}})"));
  EXPECT_FALSE(asked.fault);
  EXPECT_EQ(asked.model, "llama3.2");
  EXPECT_EQ(asked.params.temperature, 0.0);
  EXPECT_EQ(asked.params.max_tokens, 40U);
  EXPECT_EQ(asked.params.stop, (std::vector<std::string>{"END", "###"}));
  EXPECT_TRUE(asked.stream);
  EXPECT_FALSE(asked.params.seed);
}

TEST(ContentMessages, AreReadInAnEncryptedContentToo) {
  const auto ours = *SecretKey::from_text(std::string(63, '0') + "3");
  const auto theirs = *SecretKey::from_text(std::string(63, '0') + "5");
  const std::string inner = R"({"messages":[{"role":"user","content":"Why?"}],"max_tokens":7})";
  Unsigned hidden{.kind = kTextRequestKind, .created_at_s = 1, .tags = {{"p", ours.public_key().hex()}, {"encrypted"}}};
  hidden.content = encrypt(Encryption::nip44, inner, theirs, ours.public_key(), {}).value();
  const Event event = sign(std::move(hidden), theirs, {});
  const auto asked = read_request(event, to_json(event), ours).value();
  EXPECT_FALSE(asked.fault);
  EXPECT_EQ(asked.encryption, Encryption::nip44);
  EXPECT_EQ(asked.params.max_tokens, 7U);
  EXPECT_EQ(chat_of(open_request(event, ours)->event), "<user>Why?");
}

// ---- what is neither ------------------------------------------------------------------------------------------------

TEST(Content, OfAnyOtherFormIsAPrompt) {
  for (const char* content : {
           "",
           "Why?",
           "[",
           "[]",
           "{}",
           "[1,2]",
           "null",
           "\"i\"",
           R"({"a":1})",
           R"([["i","am"],["you","are"]])",
           R"([["i","am"],[]])",
           R"([["i",1]])",
           R"([["i","why"]] and more)",
           R"({"messages":[]})",
           R"({"messages":"hi"})",
           R"({"messages":[{"role":"user"}]})",
           R"({"messages":[{"role":"tool","content":"x"}]})",
           R"({"messages":[{"role":"user","content":["x"]}]})",
           R"({"messages":[{"role":"user","content":"x"},{"role":"assistant","content":"y"}]})",
           R"({"messages":[{"role":"user","content":" "}]})",
           R"({"messages":[{"role":"user","content":"x"}]} and more)",
           R"({"prompt":"y","messages":[{"role":"user","content":"x"}]})",
           R"({"messages":[{"role":"user","content":"x"}])",
       }) {
    EXPECT_EQ(tags_json(content), "a prompt") << content;
    const Event event = with_content(content);
    if (*content) {
      EXPECT_EQ(chat_of(event), "<user>" + std::string(content));
      EXPECT_FALSE(facts_of(event).fault) << content;
    }
  }
  EXPECT_EQ(tags_json("{\"messages\":" + std::string(50'000, '[')), "a prompt") << "however deep";
}

}  // namespace
}  // namespace nostr
