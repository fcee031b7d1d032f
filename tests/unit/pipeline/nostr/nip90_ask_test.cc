#include "pipeline/nostr/nip90_ask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip19.h"
#include "pipeline/nostr/nip90_request.h"

namespace nostr {
namespace {

using base::Msat;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsSupersetOf;
using testing::Not;
using testing::StartsWith;

constexpr base::TimeMs kAskedAt{1'763'800'000'500};
constexpr Nip44Nonce kAskNonce{};
constexpr AuxRandom kAskAux{};

SecretKey ask_key(char byte) {
  return *SecretKey::from_bytes(std::string(32, byte));
}

TEST(ToRequest, SaysAllThatWasAsked) {
  const auto request = to_request({.inputs = {{.data = "Why?"}},
                                   .provider = ask_key(2).public_key(),
                                   .relays = {"wss://one", "wss://two"},
                                   .params = {{"model", "llama3.2"}, {"max_tokens", "20"}},
                                   .output = "text/markdown",
                                   .bid = Msat{9'000}},
                                  ask_key(1), kAskedAt, kAskNonce, kAskAux);
  ASSERT_TRUE(request);
  EXPECT_EQ(request->kind, 5050u);
  EXPECT_EQ(request->created_at, 1'763'800'000);
  EXPECT_EQ(request->pubkey, ask_key(1).public_key());
  EXPECT_TRUE(verify(*request));
  EXPECT_THAT(request->tags,
              ElementsAre(ElementsAre("i", "Why?", "text"), ElementsAre("param", "model", "llama3.2"),
                          ElementsAre("param", "max_tokens", "20"), ElementsAre("output", "text/markdown"),
                          ElementsAre("bid", "9000"), ElementsAre("relays", "wss://one", "wss://two"),
                          ElementsAre("p", ask_key(2).public_key().hex())));
}

TEST(ToRequest, RefusesWhatIsNoPrompt) {
  for (const std::string& prompt : {std::string(), std::string(kMaxQuestionBytes + 1, 'a'), std::string("\xff\xfe")}) {
    const auto request = to_request({.inputs = {{.data = prompt}}}, ask_key(1), kAskedAt, kAskNonce, kAskAux);
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().code, "request.prompt");
  }
}

TEST(ToRequest, HasEveryInputInItsOrderAndSaysWhereItIsFound) {
  const std::string id(64, 'a');
  const auto request = to_request({.inputs = {{.data = "first"},
                                              {InputType::job, id, "wss://far"},
                                              {InputType::url, "https://example.com/page"},
                                              {InputType::event, id},
                                              {.data = "last"}},
                                   .relays = {"wss://one", "wss://two"}},
                                  ask_key(1), kAskedAt, kAskNonce, kAskAux);
  ASSERT_TRUE(request);
  auto tags = request->tags;
  tags.resize(5);
  EXPECT_THAT(tags, ElementsAre(ElementsAre("i", "first", "text"), ElementsAre("i", id, "job", "wss://far"),
                                ElementsAre("i", "https://example.com/page", "url"),
                                ElementsAre("i", id, "event", "wss://one"), ElementsAre("i", "last", "text")));
}

TEST(ToRequest, HidesEveryInputOfAnEncryptedOne) {
  const auto request = to_request({.inputs = {{InputType::url, "https://example.com/secret"}, {.data = "Why?"}},
                                   .provider = ask_key(2).public_key(),
                                   .params = {{"stream", "true"}},
                                   .encryption = Encryption::nip44},
                                  ask_key(1), kAskedAt, kAskNonce, kAskAux);
  ASSERT_TRUE(request);
  EXPECT_THAT(to_json(*request), Not(HasSubstr("example.com")));
  const auto open = open_request(*request, ask_key(2));
  ASSERT_TRUE(open);
  EXPECT_THAT(open->event.tags, IsSupersetOf({Tag{"i", "https://example.com/secret", "url"}, Tag{"i", "Why?", "text"},
                                              Tag{"param", "stream", "true"}}));
}

TEST(ToRequest, RefusesMoreThanRelaysTake) {
  const std::string half(kMaxQuestionBytes / 2 + 1, 'a');
  EXPECT_EQ(
      to_request({.inputs = {{.data = half}, {.data = half}}}, ask_key(1), kAskedAt, kAskNonce, kAskAux).error().code,
      "request.prompt");
  const std::vector<Input> many(kMaxInputs + 1, {.data = "a"});
  EXPECT_EQ(to_request({.inputs = many}, ask_key(1), kAskedAt, kAskNonce, kAskAux).error().code, "request.prompt");
  EXPECT_EQ(to_request({.inputs = {}}, ask_key(1), kAskedAt, kAskNonce, kAskAux).error().code, "request.prompt");
}

TEST(ParseSource, ReadsAnIdInEveryForm) {
  const auto id = *EventId::from_hex(std::string(64, 'a'));
  const Input plain{InputType::job, id.hex(), {}};
  EXPECT_EQ(*parse_source(InputType::job, id.hex()), plain);
  EXPECT_EQ(*parse_source(InputType::job, encode_note(id)), plain);
  const Input hinted{InputType::event, id.hex(), "wss://one"};
  EXPECT_EQ(*parse_source(InputType::event, id.hex() + "@wss://one/"), hinted);
  const std::string nevent = encode_nevent({.id = id, .relays = {"wss://one", "wss://two"}});
  EXPECT_EQ(*parse_source(InputType::event, nevent), hinted);
  const Input elsewhere{InputType::event, id.hex(), "wss://three"};
  EXPECT_EQ(*parse_source(InputType::event, nevent + "@wss://three"), elsewhere);
}

TEST(ParseSource, NamesTheTypeInItsErrors) {
  EXPECT_EQ(parse_source(InputType::url, "nonsense").error().message, "url cannot be \"nonsense\"");
  EXPECT_THAT(parse_source(InputType::job, "nonsense").error().message, StartsWith("job: "));
  EXPECT_THAT(parse_source(InputType::event, std::string(64, 'a') + "@x").error().message, StartsWith("event: "));
}

TEST(ParseSource, RefusesWhatNoProviderCouldFetch) {
  EXPECT_EQ(parse_source(InputType::job, "nonsense").error().code, "request.input");
  EXPECT_EQ(parse_source(InputType::event, "").error().code, "request.input");
  EXPECT_EQ(parse_source(InputType::event, std::string(64, 'a') + "@http://one").error().code, "request.input");
  for (const std::string url : {"", "example.com", "ftp://example.com", "https://", "https://user:word@example.com"}) {
    EXPECT_EQ(parse_source(InputType::url, url).error().code, "request.input") << url;
  }
  EXPECT_FALSE(parse_source(InputType::url, "https://example.com/" + std::string(kMaxSourceBytes, 'a')));
  EXPECT_EQ(parse_source(InputType::url, "https://example.com/a?b=c,d#e")->data, "https://example.com/a?b=c,d#e");
}

TEST(ToCancellation, NamesTheRequestAndItsKind) {
  const auto request = *EventId::from_hex(std::string(64, 'a'));
  const Event cancellation = to_cancellation(request, {}, ask_key(1), kAskedAt, kAskAux);
  EXPECT_EQ(cancellation.kind, 5u);
  EXPECT_EQ(cancellation.pubkey, ask_key(1).public_key());
  EXPECT_TRUE(verify(cancellation));
  EXPECT_THAT(cancellation.tags, ElementsAre(ElementsAre("e", request.hex()), ElementsAre("k", "5050")));
}

TEST(ToCancellation, NamesTheProviderThatWasAsked) {
  const auto provider = ask_key(2).public_key();
  const Event cancellation = to_cancellation(EventId{}, provider, ask_key(1), kAskedAt, kAskAux);
  EXPECT_THAT(cancellation.tags, testing::Contains(ElementsAre("p", provider.hex())));
}

// ---- what relays take -----------------------------------------------------------------------------------------------

// The conversation that a provider makes of a question, and the request; every tag of it is one that relays take.
std::pair<Event, std::vector<std::string>> asked(Question question, const std::vector<std::string>& gathered = {}) {
  question.provider = ask_key(2).public_key();
  const auto request = to_request(question, ask_key(1), kAskedAt, kAskNonce, kAskAux).value();
  for (const Tag& tag : request.tags) EXPECT_TRUE(tag[0].size() > 1 || tag[1].size() <= kMaxTagValueBytes) << tag[0];
  const auto read = read_request(request, to_json(request), ask_key(2));
  EXPECT_TRUE(read && !read->fault);
  std::vector<std::string> said;
  for (const auto& [role, content] : messages_of(open_request(request, ask_key(2)).value().event, gathered)) {
    said.push_back(role + ": " + content);
  }
  return {request, said};
}

TEST(LongPrompts, AreTheContentAsTheyStand) {
  const std::string prompt = " A \"long\" one,\nwith [brackets]: " + std::string(kMaxTagValueBytes, 'x') + "\n";
  const auto [request, messages] = asked({.inputs = {{.data = prompt}}, .params = {{"max_tokens", "20"}}});
  EXPECT_EQ(request.content, prompt);
  EXPECT_THAT(messages, ElementsAre("user: " + prompt));
}

TEST(LongPrompts, OfOneByteLessAreATag) {
  const std::string prompt(kMaxTagValueBytes, 'x');
  const auto [request, messages] = asked({.inputs = {{.data = prompt}}});
  EXPECT_EQ(request.content, "");
  EXPECT_THAT(messages, ElementsAre("user: " + prompt));
}

TEST(LongPrompts, StandWithTheOtherTextsInTheirOrder) {
  const std::string file(3'000, 'x');
  const auto [request, messages] = asked({.inputs = {{.data = file}, {.data = " \n"}, {.data = "Sum it up."}}});
  EXPECT_EQ(request.content, file + "\n\nSum it up.");
  EXPECT_THAT(messages, ElementsAre("user: " + request.content));
}

TEST(LongPrompts, WithAPageAreTagsInTheContent) {
  const std::string file(3'000, 'x');
  const auto [request, messages] =
      asked({.inputs = {{InputType::url, "https://example.com/page"}, {.data = file}}}, {"the page"});
  EXPECT_EQ(request.content, R"([["i","https://example.com/page","url"],["i",")" + file + R"(","text"]])");
  EXPECT_THAT(messages, ElementsAre("user: the page\n\n" + file));
}

TEST(LongPrompts, ThatLookLikeTagsAreNotReadAsSuch) {
  const std::string prompt = R"([["i",")" + std::string(3'000, 'x') + R"(","text"]])";
  EXPECT_THAT(asked({.inputs = {{.data = prompt}}}).second, ElementsAre("user: " + prompt));
}

TEST(LongPrompts, ThatAreEncryptedStayTags) {
  const std::string prompt(3'000, 'x');
  const auto messages = asked({.inputs = {{.data = prompt}}, .encryption = Encryption::nip44}).second;
  EXPECT_THAT(messages, ElementsAre("user: " + prompt));
}

TEST(LongPrompts, AreRefusedWhereNoRelayWouldTakeTheEvent) {
  const auto refusal = [](Question question) {
    question.provider = ask_key(2).public_key();
    const auto request = to_request(question, ask_key(1), kAskedAt, kAskNonce, kAskAux);
    return request ? "" : request.error().code + ": " + request.error().message;
  };
  const Input long_input{.data = std::string(kMaxQuestionBytes, 'x')};
  EXPECT_EQ(refusal({.inputs = {long_input}}), "");
  EXPECT_THAT(refusal({.inputs = {long_input}, .encryption = Encryption::nip44}),
              StartsWith("request.prompt: the request has "));
  EXPECT_THAT(refusal({.inputs = {{.data = std::string(kMaxQuestionBytes, '"')}}}),
              HasSubstr("relays refuse more than 65536"));
}

TEST(ToRequest, WritesNoDisputedControlCharacter) {
  const auto [request, messages] = asked({.inputs = {{.data = "a\x7f"
                                                              "b\x1b"}},
                                          .params = {{"system", "be\x7f brief"}}});
  EXPECT_FALSE(has_disputed_controls(to_json(request)));
}

// ---- read back by the provider --------------------------------------------------------------------------------------

Question full_question() {
  const std::string id(64, 'a');
  return {.inputs = {{.data = "Compare these:"},
                     {InputType::url, "https://example.com/page?a=b,c", {}},
                     {InputType::job, id, "wss://far"},
                     {InputType::event, id, {}},
                     {.data = "Be \"brief\".\n"}},
          .provider = ask_key(2).public_key(),
          .relays = {"wss://one", "wss://two"},
          .params = {{"model", "llama3.2"},
                     {"max_tokens", "20"},
                     {"temperature", "0.5"},
                     {"seed", "-7"},
                     {"system", "You are terse."},
                     {"stream", "true"}},
          .output = "text/markdown",
          .bid = Msat{9'000}};
}

// What a provider reads is what was asked, whichever way it came.
void expect_full_question(const ledger::JobRequested& read, const Event& open) {
  const std::string id(64, 'a');
  ASSERT_FALSE(read.fault) << read.fault->message;
  EXPECT_TRUE(read.addressed);
  EXPECT_EQ(read.customer, ask_key(1).public_key());
  EXPECT_EQ(read.created_at_s, kAskedAt.ms / 1000);
  EXPECT_EQ(read.bid, Msat{9'000});
  EXPECT_EQ(read.output, "text/markdown");
  EXPECT_THAT(read.reply_relays, ElementsAre("wss://one", "wss://two"));
  EXPECT_EQ(read.model, "llama3.2");
  EXPECT_EQ(read.params.max_tokens, 20U);
  EXPECT_EQ(read.params.temperature, 0.5);
  EXPECT_EQ(read.params.seed, -7);
  EXPECT_TRUE(read.stream);
  ASSERT_EQ(read.sources.size(), 3U);
  EXPECT_EQ(read.sources[0].type, ledger::InputType::url);
  EXPECT_EQ(read.sources[0].data, "https://example.com/page?a=b,c");
  EXPECT_EQ(read.sources[1].type, ledger::InputType::job);
  EXPECT_EQ(read.sources[1].data, id);
  EXPECT_EQ(read.sources[1].relay, "wss://far");
  EXPECT_EQ(read.sources[2].type, ledger::InputType::event);
  EXPECT_EQ(read.sources[2].relay, "wss://one") << "without a relay of its own it is found where the question is";
  const auto messages = messages_of(open, std::vector<std::string>{"page", "result", "note"});
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].role, "system");
  EXPECT_EQ(messages[0].content, "You are terse.");
  EXPECT_EQ(messages[1].role, "user");
  EXPECT_EQ(messages[1].content, "Compare these:\n\npage\n\nresult\n\nnote\n\nBe \"brief\".\n");
}

TEST(AskedAndRead, InClearText) {
  const auto request = to_request(full_question(), ask_key(1), kAskedAt, kAskNonce, kAskAux);
  ASSERT_TRUE(request);
  const auto read = read_request(*request, to_json(*request), ask_key(2));
  ASSERT_TRUE(read);
  EXPECT_EQ(read->encryption, Encryption::none);
  expect_full_question(*read, *request);
}

TEST(AskedAndRead, EncryptedInEitherForm) {
  for (const Encryption form : {Encryption::nip44, Encryption::nip04}) {
    Question question = full_question();
    question.encryption = form;
    const auto request = to_request(question, ask_key(1), kAskedAt, kAskNonce, kAskAux);
    ASSERT_TRUE(request);
    EXPECT_THAT(to_json(*request), Not(HasSubstr("Compare")));
    const auto read = read_request(*request, to_json(*request), ask_key(2));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->encryption, form);
    const auto open = open_request(*request, ask_key(2));
    ASSERT_TRUE(open);
    expect_full_question(*read, open->event);
  }
}

TEST(AskedAndRead, WithoutAProviderItIsForEverybody) {
  const auto request =
      to_request({.inputs = {{.data = "Why?"}}, .relays = {"wss://one"}}, ask_key(1), kAskedAt, kAskNonce, kAskAux);
  ASSERT_TRUE(request);
  const auto read = read_request(*request, to_json(*request), ask_key(2));
  ASSERT_TRUE(read);
  EXPECT_FALSE(read->fault);
  EXPECT_FALSE(read->addressed);
  EXPECT_FALSE(read->bid);
}

TEST(AskedAndRead, AnotherProviderReadsNothing) {
  const auto request = to_request(full_question(), ask_key(1), kAskedAt, kAskNonce, kAskAux);
  ASSERT_TRUE(request);
  EXPECT_FALSE(read_request(*request, to_json(*request), ask_key(3)));
}

}  // namespace
}  // namespace nostr
