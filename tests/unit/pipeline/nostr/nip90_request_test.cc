// What customers send, shape by shape. The files in fixtures/requests are signed events.
#include "pipeline/nostr/nip90_request.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "pipeline/core/chat_message.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip19.h"
#include "tests/support/vectors.h"

namespace nostr {
namespace {

using core::ChatMessage;
using ledger::DeclineReason;
using ledger::JobRequested;

const auto kUs = *PublicKey::from_hex("5cbdf0646e5db4eaa398f365f2ea7a0e3d419b7e0330e39ce92bddedcac4f9bc");
const std::string kPrompt = "Why is the sky blue?";

std::string file(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

Event fixture(const std::string& name) {
  const auto event = parse_event(file(std::filesystem::path(SOURCE_DIR) / "fixtures/requests" / (name + ".json")));
  EXPECT_TRUE(event) << name;
  EXPECT_TRUE(verify(event.value())) << name;
  return *event;
}

JobRequested read(const Event& event) {
  const auto request = read_request(event, to_json(event), kUs);
  EXPECT_TRUE(request);
  return request.value_or(JobRequested{});
}

Event with_tags(std::vector<Tag> tags, std::string content = {}) {
  return {.kind = kTextRequestKind, .tags = std::move(tags), .content = std::move(content)};
}

std::string conversation(const Event& event, std::span<const std::string> gathered = {}) {
  std::string out;
  for (const ChatMessage& message : messages_of(event, gathered)) out += "<" + message.role + ">" + message.content;
  return out;
}

// ---- whose it is ----------------------------------------------------------------------------------------------------

TEST(WhoseRequest, IsOursWhenItNamesUsOrNobody) {
  EXPECT_FALSE(read(fixture("plain")).addressed);
  EXPECT_TRUE(read(fixture("addressed")).addressed);
  EXPECT_TRUE(read(fixture("addressed_to_several")).addressed);
  EXPECT_FALSE(read_request(fixture("addressed_elsewhere"), "", kUs));
  EXPECT_TRUE(read(with_tags({{"p", encode_npub(kUs)}, {"i", kPrompt}})).addressed);
  EXPECT_FALSE(read(with_tags({{"p", ""}, {"p"}, {"i", kPrompt}})).addressed);
  EXPECT_FALSE(read_request(with_tags({{"p", "somebody"}, {"i", kPrompt}}), "", kUs));
}

TEST(WhoseRequest, IsNotOursWhenItIsAnotherKind) {
  Event event = fixture("plain");
  event.kind = 5100;
  EXPECT_FALSE(read_request(event, "", kUs));
}

// ---- the prompt -----------------------------------------------------------------------------------------------------

TEST(Prompt, IsFoundWhereverCustomersPutIt) {
  for (const auto* name : {"plain", "type_prompt", "type_missing", "param_prompt", "input_tag", "content_only"}) {
    const Event event = fixture(name);
    EXPECT_EQ(conversation(event), "<user>" + kPrompt) << name;
    EXPECT_FALSE(read(event).fault) << name;
  }
  EXPECT_EQ(conversation(with_tags({{"input", kPrompt}})), "<user>" + kPrompt);
  EXPECT_EQ(conversation(with_tags({{"input", kPrompt, "text"}})), "<user>" + kPrompt);
  EXPECT_EQ(conversation(with_tags({{"i", "", "text"}}, kPrompt)), "<user>" + kPrompt) << "an empty input is none";
}

TEST(Prompt, KeepsTheOrderOfTheInputs) {
  EXPECT_EQ(conversation(fixture("several_inputs")), "<user>First.\n\nSecond.\n\nThird.");
}

TEST(Prompt, AMarkerNamesARoleOrLabelsTheInput) {
  EXPECT_EQ(conversation(fixture("chat")),
            "<system>Be brief.<user>" + kPrompt + "<assistant>Scattering.<user>Explain.");
  EXPECT_EQ(conversation(fixture("labelled")), "<user>article:\nThe sky is blue.\n\nWhy?");
  EXPECT_EQ(
      conversation(with_tags({{"i", "Be brief.", "text", "system"}, {"i", "Why?", "text", "wss://r.example", "User"}})),
      "<system>Be brief.<user>Why?")
      << "a marker in the place of the relay";
}

TEST(Prompt, TheSystemParameterComesFirst) {
  EXPECT_EQ(conversation(fixture("system_param")), "<system>Answer in Latin.<user>" + kPrompt);
  EXPECT_EQ(conversation(
                with_tags({{"i", "Be brief.", "text", "", "system"}, {"i", "Why?"}, {"param", "system", "In Latin."}})),
            "<system>In Latin.\n\nBe brief.<user>Why?");
}

TEST(Prompt, IsMeasured) {
  const JobRequested request = read(fixture("plain"));
  EXPECT_EQ(request.prompt_bytes, kPrompt.size());
  EXPECT_EQ(request.input_tokens, 5U + 4U) << "20 bytes, one message";
  EXPECT_EQ(request.request_bytes, json_string_bytes(to_json(fixture("plain"))));
  EXPECT_EQ(estimate_tokens(std::vector<ChatMessage>{{"user", "12345"}, {"user", ""}}), 2U + 4U + 4U);
  EXPECT_EQ(estimate_tokens({}), 0U);
}

// ---- inputs to gather -----------------------------------------------------------------------------------------------

const std::string kSourceId(64, 'a');

TEST(Sources, AreNotedInTheOrderOfTheInputs) {
  const auto request =
      read(with_tags({{"i", " https://example.com/a?b ", "URL"},
                      {"i", "Summarise:", "text"},
                      {"i", kSourceId, "job", "WSS://Relay.Example", "source"},
                      {"i", encode_note(*EventId::from_hex(kSourceId)), "event", "ftp://relay.example"},
                      {"input", "event", kSourceId}}));
  ASSERT_FALSE(request.fault) << request.fault->message;
  ASSERT_EQ(request.sources.size(), 4U);
  EXPECT_EQ(request.sources[0].type, ledger::InputType::url);
  EXPECT_EQ(request.sources[0].data, "https://example.com/a?b");
  EXPECT_EQ(request.sources[1].type, ledger::InputType::job);
  EXPECT_EQ(request.sources[1].data, kSourceId);
  EXPECT_EQ(request.sources[1].relay, "wss://relay.example");
  EXPECT_EQ(request.sources[2].data, kSourceId) << "a note is an id too";
  EXPECT_EQ(request.sources[2].relay, "") << "a hint that is no relay is dropped";
  EXPECT_EQ(request.sources[3].type, ledger::InputType::event);
  for (const auto* name : {"url_input", "event_input", "job_input"}) {
    EXPECT_FALSE(read(fixture(name)).fault) << name;
    EXPECT_EQ(read(fixture(name)).sources.size(), 1U) << name;
  }
}

TEST(Sources, AreNotMeasuredBeforeTheyAreGathered) {
  const auto request = read(with_tags({{"i", "https://example.com/", "url"}}));
  EXPECT_EQ(request.prompt_bytes, 0U);
  EXPECT_EQ(request.input_tokens, 0U);
  EXPECT_FALSE(request.fault) << "the page is the question";
}

TEST(Sources, TheirTextsTakeThePlacesOfTheInputs) {
  const Event event = with_tags({{"i", "https://example.com/rules", "url", "", "system"},
                                 {"i", "Summarise:", "text"},
                                 {"i", kSourceId, "job", "", "article"},
                                 {"i", kSourceId, "event", "wss://relay.example"}});
  const std::vector<std::string> gathered{"Be brief.", "The sky is blue.", "And the sea."};
  EXPECT_EQ(conversation(event, gathered),
            "<system>Be brief.<user>Summarise:\n\narticle:\nThe sky is blue.\n\nAnd the sea.");
  EXPECT_EQ(conversation(event), "<user>Summarise:");
}

TEST(Sources, ThatCannotBeAreFaultsThatSayWhatWouldWork) {
  struct Case {
    Tag tag;
    DeclineReason reason;
    std::string says;
  };
  for (const auto& [tag, reason, says] : {
           Case{{"i", "ftp://example.com/a", "url"}, DeclineReason::malformed, "like https://example.com/page"},
           Case{{"i", "https://example.com/\x1b[2J", "url"}, DeclineReason::malformed, "is no web address"},
           Case{{"i", "https://" + std::string(2'048, 'a'), "url"}, DeclineReason::malformed, "more than 2048 bytes"},
           Case{{"i", "abc", "event"}, DeclineReason::malformed, "\"abc\" is not the id of an event"},
           Case{{"i", kSourceId + "a", "job"}, DeclineReason::malformed, "is not the id of a job; write its 64 digits"},
           Case{{"i", "QmHash", "ipfs"}, DeclineReason::unsupported_input, "type \"ipfs\" are not served"},
       }) {
    const auto request = read(with_tags({{"i", kPrompt}, tag}));
    ASSERT_TRUE(request.fault) << tag[1];
    EXPECT_EQ(request.fault->reason, reason) << tag[1];
    EXPECT_NE(request.fault->message.find(says), std::string::npos) << request.fault->message;
  }
}

TEST(Sources, AreAtMostEight) {
  std::vector<Tag> tags(kMaxSources, Tag{"i", "https://example.com/", "url"});
  EXPECT_FALSE(read(with_tags(tags)).fault);
  tags.push_back(tags.front());
  const auto request = read(with_tags(tags));
  ASSERT_TRUE(request.fault);
  EXPECT_EQ(request.fault->reason, DeclineReason::unsupported_input);
  EXPECT_EQ(request.sources.size(), kMaxSources);
}

// ---- the facts ------------------------------------------------------------------------------------------------------

TEST(Facts, HoldEveryParameter) {
  const JobRequested request = read(fixture("all_params"));
  ASSERT_FALSE(request.fault);
  EXPECT_EQ(request.model, "llama3.2");
  EXPECT_EQ(request.params.max_tokens, 512U);
  EXPECT_EQ(request.params.temperature, 0.5);
  EXPECT_EQ(request.params.top_k, 40U);
  EXPECT_EQ(request.params.top_p, 0.7);
  EXPECT_EQ(request.params.frequency_penalty, 0.3);
  EXPECT_EQ(request.params.presence_penalty, -1.0);
  EXPECT_EQ(request.params.seed, 42);
  EXPECT_EQ(request.params.stop, (std::vector<std::string>{"END", "###"}));
  EXPECT_EQ(request.output, "text/markdown");
}

TEST(Facts, HoldWhetherTheAnswerIsWantedWhileItGrows) {
  EXPECT_FALSE(read(fixture("plain")).stream);
  EXPECT_TRUE(read(with_tags({{"i", kPrompt}, {"param", "stream", "true"}})).stream);
  EXPECT_TRUE(read(with_tags({{"i", kPrompt}, {"param", "Stream", " TRUE "}})).stream);
  EXPECT_FALSE(read(with_tags({{"i", kPrompt}, {"param", "stream", "false"}})).stream);
}

TEST(Facts, OfAnotherKindHoldWhatItsTemplateTellsTheModel) {
  const std::vector<ledger::PromptTemplate> templates = {
      {.kind = 5002, .instruction = "Translate into {language}, in a {tone|plain} tone."}};
  const auto ask = [&](std::uint32_t kind, std::vector<Tag> more) {
    more.push_back({"i", kPrompt});
    const Event event{.kind = kind, .tags = std::move(more)};
    return read_request(event, to_json(event), kUs, templates);
  };
  const auto asked = ask(5002, {{"param", "language", "Dutch"}});
  ASSERT_TRUE(asked && !asked->fault);
  EXPECT_EQ(asked->instruction, "Translate into Dutch, in a plain tone.");
  const auto messages = messages_of({.kind = 5002, .tags = {{"i", kPrompt}}}, {}, asked->instruction);
  ASSERT_EQ(messages.size(), 2U);
  EXPECT_EQ(messages[0].role + ": " + messages[0].content, "system: Translate into Dutch, in a plain tone.");
  EXPECT_EQ(asked->input_tokens, estimate_tokens(messages)) << "it is paid for";
  EXPECT_EQ(ask(5002, {{"param", "language", "Dutch"}, {"param", "tone", std::string(500, 'x')}})->instruction.size(),
            std::string("Translate into Dutch, in a  tone.").size() + kMaxTemplateParamBytes);
  EXPECT_EQ(ask(5002, {})->fault->message, R"(the parameter language is missing; send it as ["param","language","…"])");
  EXPECT_FALSE(ask(5001, {})) << "no template, not served";
  EXPECT_EQ(ask(5050, {})->instruction, "");
  EXPECT_EQ(served_kinds(templates), (std::vector<std::uint32_t>{5050, 5002}));
}

TEST(Facts, HoldTheWorkThatTheRequestCommittedTo) {
  Event worked = with_tags({{"i", kPrompt}, {"nonce", "1", "6"}});
  worked.id.bytes.fill(0xff);
  worked.id.bytes[0] = 0x01;  // seven zero bits, of which one is luck
  EXPECT_EQ(read(worked).pow_bits, 6U);
  EXPECT_EQ(read(fixture("plain")).pow_bits, 0U);
}

TEST(Facts, HoldWhoAskedAndForHowMuch) {
  const Event event = fixture("plain");
  const JobRequested request = read(event);
  EXPECT_EQ(request.customer, event.pubkey);
  EXPECT_EQ(request.kind, 5050U);
  EXPECT_EQ(request.created_at_s, 1744229914);
  EXPECT_EQ(request.bid, base::Msat{21000});
  EXPECT_EQ(request.reply_relays, (std::vector<std::string>{"wss://relay.example.com", "wss://nos.example"}));
  EXPECT_EQ(request.expires_at, std::nullopt);
  EXPECT_EQ(read(fixture("expiring")).expires_at, base::TimeMs{1744230000'000});
  EXPECT_EQ(read(fixture("json_output")).output, "application/json");
}

TEST(Facts, ReplyRelaysAreNormalWithoutRepetitionAndAtMostEight) {
  EXPECT_EQ(read(fixture("relays_in_several_tags")).reply_relays,
            (std::vector<std::string>{"wss://a.example", "ws://b.example", "wss://r0.example", "wss://r1.example",
                                      "wss://r2.example", "wss://r3.example", "wss://r4.example", "wss://r5.example"}));
}

TEST(Facts, UnsetAndUnknownParametersAreIgnored) {
  const JobRequested request = read(with_tags({{"i", kPrompt},
                                               {"param"},
                                               {"param", "temperature"},
                                               {"param", "top_k", ""},
                                               {"param", "stop", ""},
                                               {"param", "language", "en"},
                                               {"param", "Max-Tokens", " 7 "},
                                               {"bid", ""},
                                               {"expiration"}}));
  EXPECT_FALSE(request.fault);
  EXPECT_EQ(request.params.temperature, std::nullopt);
  EXPECT_TRUE(request.params.stop.empty());
  EXPECT_EQ(request.params.max_tokens, 7U);
}

// ---- faults ---------------------------------------------------------------------------------------------------------

TEST(Fault, SaysWhatIsWrongAndWhatWouldWork) {
  struct Case {
    std::string name;
    DeclineReason reason;
    std::string says;
  };
  for (const auto& [name, reason, says] : {
           Case{"encrypted", DeclineReason::encrypted, "NIP-44"},
           Case{"no_prompt", DeclineReason::no_prompt, "[\"i\",\"…\",\"text\"]"},
           Case{"temperature_out_of_range", DeclineReason::parameter,
                "temperature is \"3\"; it must be a number from 0 to 2"},
           Case{"image_output", DeclineReason::unsupported_output, "text/plain, text/markdown or application/json"},
           Case{"bad_bid", DeclineReason::malformed, "millisatoshi"},
       }) {
    const JobRequested request = read(fixture(name));
    ASSERT_TRUE(request.fault) << name;
    EXPECT_EQ(request.fault->reason, reason) << name;
    EXPECT_NE(request.fault->message.find(says), std::string::npos) << name << ": " << request.fault->message;
  }
}

TEST(Fault, EveryParameterHasItsRange) {
  struct Case {
    std::string name;
    std::vector<std::string> good, bad;
  };
  for (const auto& [name, good, bad] : {
           Case{"max_tokens",
                {"1", "1000000", "512.0", "512.", " 7 "},
                {"0", "0.0", "-1", "1.5", "1.0.0", ".", "1000001", "many", "1e3", "99999999999999999999999"}},
           Case{"temperature",
                {"0", "0.0", "-0", "0.01", "2", "2.0", "1e0", ".5"},
                {"-0.01", "2.01", "nan", "inf", "warm", "0x1", "1,0", "+1"}},
           Case{"top_k", {"0", "1", "40.0", "100000"}, {"-1", "100001", "1.5"}},
           Case{"top_p", {"0", "0.5", "1", "1.0"}, {"-0.1", "1.1", "nan"}},
           Case{"frequency_penalty", {"-2", "0", "2"}, {"-2.1", "2.1"}},
           Case{"presence_penalty", {"-2", "0", "2"}, {"-2.1", "2.1"}},
           Case{"seed",
                {"-9223372036854775808", "-1", "-1.0", "0", "9223372036854775807"},
                {"9223372036854775808", "1.5", "x", "1e3"}},
       }) {
    for (const auto& value : good)
      EXPECT_FALSE(read(with_tags({{"i", kPrompt}, {"param", name, value}})).fault) << name << value;
    for (const auto& value : bad) {
      const auto request = read(with_tags({{"i", kPrompt}, {"param", name, value}}));
      ASSERT_TRUE(request.fault) << name << " " << value;
      EXPECT_EQ(request.fault->reason, DeclineReason::parameter);
      EXPECT_NE(request.fault->message.find(name + " is \"" + value), std::string::npos) << request.fault->message;
    }
  }
  EXPECT_TRUE(read(with_tags({{"i", kPrompt}, {"param", "stop", std::string(201, 'x')}})).fault);
  EXPECT_TRUE(read(with_tags({{"i", kPrompt}, Tag(20, "param")})).fault == std::nullopt);
  Tag stops(20, "x");
  stops[0] = "param";
  stops[1] = "stop";
  EXPECT_TRUE(read(with_tags({{"i", kPrompt}, stops})).fault);
  EXPECT_TRUE(read(with_tags({{"i", kPrompt}, {"param", "model", std::string(201, 'x')}})).fault);
}

TEST(Fault, ConcernsTimesAndAmountsThatCannotBeRead) {
  for (const auto* value : {"soon", "-1", "1.5", "99999999999999"}) {
    EXPECT_EQ(read(with_tags({{"i", kPrompt}, {"expiration", value}})).fault->reason, DeclineReason::malformed)
        << value;
  }
  for (const auto* value : {"-1", "1e3", "21,000", "99999999999999999999"}) {
    EXPECT_EQ(read(with_tags({{"i", kPrompt}, {"bid", value}})).fault->reason, DeclineReason::malformed) << value;
  }
}

TEST(Fault, AConversationNeedsTheUsersWord) {
  EXPECT_EQ(read(with_tags({{"i", "Be brief.", "text", "", "system"}})).fault->reason, DeclineReason::no_prompt);
  EXPECT_EQ(read(with_tags({{"param", "system", "Be brief."}}, " \n")).fault->reason, DeclineReason::no_prompt);
}

TEST(Fault, QuotesOnlyTheStartOfWhatTheCustomerWrote) {
  const auto request = read(with_tags({{"i", kPrompt, "\x1b[2J" + std::string(1000, 'x')}}));
  ASSERT_TRUE(request.fault);
  EXPECT_LT(request.fault->message.size(), 250U);
  EXPECT_FALSE(has_disputed_controls(request.fault->message));
}

TEST(RealRequest, IsRead) {
  const std::string raw = vectors::real_events().request;
  const Event event = parse_event(raw).value();
  const auto request = read_request(event, raw, kUs);
  ASSERT_TRUE(request);
  EXPECT_FALSE(request->fault);
  EXPECT_FALSE(request->addressed);
  EXPECT_EQ(request->request_bytes, json_string_bytes(raw));
  EXPECT_EQ(request->reply_relays,
            (std::vector<std::string>{"wss://relay.nostrdvm.com", "wss://nostr.mom", "wss://nostr.oxtr.dev"}));
  EXPECT_EQ(conversation(event), "<user>What is a data vending machine?");
}

// ---- encrypted ------------------------------------------------------------------------------------------------------

const SecretKey kSeller = *SecretKey::from_bytes(std::string(31, '\0') + '\1');
const SecretKey kCustomer = *SecretKey::from_bytes(std::string(31, '\0') + '\2');

// A request whose content is `inner`, encrypted from customer to seller.
Event encrypted(ledger::Encryption form, const std::string& inner, std::vector<Tag> clear = {}) {
  clear.push_back({"p", kSeller.public_key().hex()});
  clear.push_back({"encrypted"});
  Unsigned request{.kind = kTextRequestKind, .tags = std::move(clear)};
  request.content =
      encrypt(form, inner, kCustomer, kSeller.public_key(), *Nip44Nonce::from_bytes(std::string(32, 'r'))).value();
  return sign(std::move(request), kCustomer, {});
}

JobRequested read_as_seller(const Event& event) {
  return read_request(event, to_json(event), kSeller).value_or(JobRequested{});
}

TEST(EncryptedRequest, IsReadAsIfItsTagsStoodInTheClear) {
  const std::string inner = tags_to_json({{"i", kPrompt, "text"}, {"param", "max_tokens", "7"}, {"bid", "3000"}});
  for (const auto form : {ledger::Encryption::nip04, ledger::Encryption::nip44}) {
    const Event event = encrypted(form, inner);
    const JobRequested request = read_as_seller(event);
    EXPECT_FALSE(request.fault) << request.fault->message;
    EXPECT_EQ(request.encryption, form);
    EXPECT_EQ(request.params.max_tokens, 7U);
    EXPECT_EQ(request.bid, base::Msat{3000});
    EXPECT_EQ(conversation(open_request(event, kSeller)->event), "<user>" + kPrompt);
  }
}

TEST(EncryptedRequest, HidesNeitherWhomItAsksNorWhereAnswersGo) {
  const std::string inner = tags_to_json({{"i", kPrompt}, {"p", kUs.hex()}, {"relays", "wss://hidden.example"}});
  const JobRequested request =
      read_as_seller(encrypted(ledger::Encryption::nip44, inner, {{"relays", "wss://open.example"}}));
  EXPECT_TRUE(request.addressed);
  EXPECT_EQ(request.reply_relays, std::vector<std::string>{"wss://open.example"});
}

TEST(EncryptedRequest, ThatCannotBeReadIsRefusedAndSaysWhatWouldWork) {
  Event to_another = encrypted(ledger::Encryption::nip44, tags_to_json({{"i", kPrompt}}));
  to_another.content.back() = '!';
  const std::vector<Event> bad = {
      to_another,
      encrypted(ledger::Encryption::nip44, "no JSON"),
      encrypted(ledger::Encryption::nip44, "{\"i\":\"an object\"}"),
      encrypted(ledger::Encryption::nip04, "[[\"i\",[\"nested\"]]]"),
      encrypted(ledger::Encryption::none, "in clear text after all"),
  };
  for (const Event& event : bad) {
    const JobRequested request = read_as_seller(event);
    ASSERT_TRUE(request.fault) << event.content;
    EXPECT_EQ(request.fault->reason, DeclineReason::encrypted);
    EXPECT_NE(request.fault->message.find("NIP-44"), std::string::npos);
    EXPECT_EQ(request.encryption, ledger::Encryption::none) << "so the refusal can be read";
  }
}

TEST(EncryptedRequest, WithinAnEncryptedRequestIsNoRequest) {
  const std::string inner = encrypted(ledger::Encryption::nip44, tags_to_json({{"i", kPrompt}})).content;
  const JobRequested request =
      read_as_seller(encrypted(ledger::Encryption::nip44, tags_to_json({{"encrypted"}, {"content", inner}})));
  ASSERT_TRUE(request.fault);
  EXPECT_EQ(request.fault->reason, DeclineReason::no_prompt);
}

}  // namespace
}  // namespace nostr
