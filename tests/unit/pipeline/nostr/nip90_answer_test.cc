#include "pipeline/nostr/nip90_answer.h"

#include <gtest/gtest.h>

#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "tests/support/vectors.h"

namespace nostr {
namespace {

using base::Msat;

const SecretKey& provider() {
  static const SecretKey kProvider = *SecretKey::from_bytes(std::string(31, '\0') + '\7');
  return kProvider;
}

Event a_request(std::vector<Tag> tags = {{"i", "Why is the \"sky\" blue?", "text"}, {"bid", "21000"}}) {
  const auto customer = *SecretKey::from_bytes(std::string(31, '\0') + '\3');
  return sign({.kind = kTextRequestKind, .created_at_s = 1744229914, .tags = std::move(tags)}, customer, {});
}

// ---- written --------------------------------------------------------------------------------------------------------

TEST(Result, HasTheTagsOfTheProtocolInOrder) {
  const Event request = a_request();
  const std::string raw = " " + to_json(request) + "\n";  // verbatim, whatever its spacing
  const auto written =
      result(request, raw, "wss://r.example", "Scattering.", Bill{Msat{9000}, "lnbc90n1…"}, 1744229984);
  EXPECT_EQ(written.kind, 6050U);
  EXPECT_EQ(written.created_at_s, 1744229984);
  EXPECT_EQ(written.content, "Scattering.");
  EXPECT_EQ(written.tags, (std::vector<Tag>{{"request", raw},
                                            {"e", request.id.hex(), "wss://r.example"},
                                            {"p", request.pubkey.hex()},
                                            {"i", "Why is the \"sky\" blue?", "text"},
                                            {"amount", "9000", "lnbc90n1…"},
                                            {"status", "success"},
                                            {"alt", "Result of a text job (NIP-90)"}}));
  const Event event = sign(written, provider(), {});
  EXPECT_TRUE(verify(event));
  EXPECT_EQ(*parse_event(to_json(event)), event);
}

TEST(Result, WithoutMoneyOrRelayHintSaysNothingOfThem) {
  const Event request = a_request({{"i", "Why?"}});
  const auto written = result(request, to_json(request), "", "Because.", std::nullopt, 1);
  EXPECT_EQ(written.tags[1], (Tag{"e", request.id.hex()}));
  for (const Tag& tag : written.tags) EXPECT_NE(tag[0], "amount");
}

TEST(Result, LeavesOutInputsThatWouldMakeItTooLong) {
  const Event request =
      a_request({{"i", "short"}, {"i", std::string(40 * 1024, 'x')}, {"i", "\x1b[1m"}, {"i", "last"}});
  const auto written = result(request, to_json(request), "", "Because.", std::nullopt, 1);
  std::vector<std::string> inputs;
  for (const Tag& tag : written.tags) {
    if (tag[0] == "i") inputs.push_back(tag[1]);
  }
  EXPECT_EQ(inputs, (std::vector<std::string>{"short", "last"}));
}

TEST(Result, NeverExceedsItsEstimate) {
  for (const char c : {'x', '"', '\n', '\x1b', '\xe9'}) {
    const std::string prompt = c == '\xe9' ? "é" : std::string(500, c);
    const Event request = a_request({{"i", prompt}, {"relays", "wss://r.example"}});
    const std::string raw = to_json(request);
    const std::string content = c == '\x1b' ? "text" : std::string(300, c == '\xe9' ? 'e' : c);
    const std::string bolt11 = "lnbc" + std::string(1200, 'q');
    auto written = result(request, raw, "wss://" + std::string(200, 'r'), content, Bill{Msat{Msat::kMax}, bolt11}, 1);
    std::erase_if(written.tags, [](const Tag& tag) { return tag[0] == "i"; });
    EXPECT_LE(to_json(sign(written, provider(), {})).size(), result_event_bytes(raw, json_string_bytes(content)));
  }
  EXPECT_EQ(json_string_bytes("a\"\n\x1b"), 1U + 2U + 2U + 6U);
}

TEST(Feedback, HasTheTagsOfTheProtocol) {
  const Event request = a_request();
  const RequestRef about{.id = request.id, .customer = request.pubkey, .relay = "wss://r.example"};
  const auto asks =
      feedback(about, Status::payment_required, "9 sat for up to 212 tokens", Bill{Msat{9000}, "lnbc1"}, 7);
  EXPECT_EQ(asks.kind, 7000U);
  EXPECT_EQ(asks.content, "");
  EXPECT_EQ(asks.tags, (std::vector<Tag>{{"status", "payment-required", "9 sat for up to 212 tokens"},
                                         {"e", request.id.hex(), "wss://r.example"},
                                         {"p", request.pubkey.hex()},
                                         {"amount", "9000", "lnbc1"}}));
  const auto partial = feedback(about, Status::partial, "", std::nullopt, 7, "Scat");
  EXPECT_EQ(partial.tags[0], (Tag{"status", "partial"}));
  EXPECT_EQ(partial.content, "Scat");
}

TEST(Feedback, ItsTextIsShortAndClean) {
  const auto written = feedback({}, Status::error, "\x1b" + std::string(5000, 'x'), std::nullopt, 7);
  EXPECT_LT(written.tags[0][2].size(), kMaxStatusTextBytes + 4);
  EXPECT_FALSE(has_disputed_controls(written.tags[0][2]));
}

TEST(Feedback, EveryStatusHasItsWord) {
  EXPECT_EQ(wire_name(Status::payment_required), "payment-required");
  EXPECT_EQ(wire_name(Status::processing), "processing");
  EXPECT_EQ(wire_name(Status::error), "error");
  EXPECT_EQ(wire_name(Status::success), "success");
  EXPECT_EQ(wire_name(Status::partial), "partial");
}

// ---- kept -----------------------------------------------------------------------------------------------------------

ledger::NoticeSigned notice_of(const Event& event) {
  return {.kind = event.kind, .event = event.id, .created_at_s = event.created_at, .signature = event.sig};
}

TEST(KeptNotice, GivesTheSameBytesAgain) {
  const Event request = a_request();
  const std::string raw = to_json(request);
  const Event event =
      sign(result(request, raw, "wss://r.example", "Scattering.", Bill{Msat{9000}, "lnbc1"}, 9), provider(), {});
  const std::string tags = stored_tags(event.tags);
  EXPECT_TRUE(tags.starts_with(R"([["request"],["e",)")) << tags;
  EXPECT_EQ(tags.find("pubkey"), std::string::npos);
  const auto rebuilt = rebuild_notice(notice_of(event), provider().public_key(), event.content, tags, raw);
  ASSERT_TRUE(rebuilt) << rebuilt.error().describe();
  EXPECT_EQ(to_json(*rebuilt), to_json(event));
}

// strfry escapes U+007F, finds another id, and refuses the event.
TEST(KeptNotice, QuotesADeleteCharacterOfTheRequestAsItsEscape) {
  Event request = a_request();
  request.content =
      "a\x7f"
      "b";
  request.id = compute_id(request);
  const std::string raw = to_json(request);
  Event event = sign(result(request, raw, "", "Scattering.", std::nullopt, 9), provider(), {});
  EXPECT_FALSE(has_disputed_controls(to_json(event)));
  EXPECT_EQ(read_answer(event)->request, request.id);
  EXPECT_EQ(parse_event(*event.tag_value("request"))->content, request.content);
  EXPECT_TRUE(rebuild_notice(notice_of(event), provider().public_key(), event.content, stored_tags(event.tags), raw));

  event.tags[0] = {"request", raw};  // as earlier versions quoted it
  event.id = compute_id(event);
  EXPECT_TRUE(rebuild_notice(notice_of(event), provider().public_key(), event.content, stored_tags(event.tags), raw));
}

TEST(Result, LeavesOutInputsThatAreTooLongForATag) {
  Event request = a_request();
  request.tags = {{"i", std::string(kMaxTagValueBytes + 1, 'x'), "text"}, {"i", std::string(kMaxTagValueBytes, 'y')}};
  const auto written = result(request, to_json(request), "", "Scattering.", std::nullopt, 9);
  std::size_t inputs = 0;
  for (const Tag& tag : written.tags) inputs += tag[0] == "i" && tag[1][0] == 'y' ? 1 : tag[0] == "i" ? 100 : 0;
  EXPECT_EQ(inputs, 1u);
}

TEST(KeptNotice, OtherTextsAreNoticed) {
  const Event event = sign(feedback({}, Status::processing, "queued", std::nullopt, 9), provider(), {});
  const std::string tags = stored_tags(event.tags);
  const auto key = provider().public_key();
  EXPECT_TRUE(rebuild_notice(notice_of(event), key, "", tags, ""));
  EXPECT_EQ(rebuild_notice(notice_of(event), key, "other", tags, "").error().code, "notice.id_mismatch");
  EXPECT_EQ(rebuild_notice(notice_of(event), key, "", "[]", "").error().code, "notice.id_mismatch");
  EXPECT_EQ(rebuild_notice(notice_of(event), key, "", "not JSON", "").error().code, "notice.tags");
}

TEST(KeptNotice, TheRealResultIsRebuiltFromItsParts) {
  const auto [raw_request, raw_result] = vectors::real_events();
  const Event event = parse_event(raw_result).value();
  const auto rebuilt =
      rebuild_notice(notice_of(event), event.pubkey, event.content, stored_tags(event.tags), raw_request);
  ASSERT_TRUE(rebuilt) << rebuilt.error().describe();
  EXPECT_EQ(to_json(*rebuilt), raw_result);
  const auto answer = read_answer(event);
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->request, parse_event(raw_request).value().id);
  EXPECT_TRUE(answer->is_result);
  EXPECT_EQ(answer->known, Status::success);
  EXPECT_EQ(answer->amount, std::nullopt);
}

// ---- read -----------------------------------------------------------------------------------------------------------

TEST(Answer, WhatWeWriteIsReadBack) {
  const Event request = a_request();
  const RequestRef about{.id = request.id, .customer = request.pubkey, .relay = {}};
  const auto asked = read_answer(
      sign(feedback(about, Status::payment_required, "pay first", Bill{Msat{9000}, "lnbc1"}, 7), provider(), {}));
  ASSERT_TRUE(asked);
  EXPECT_EQ(asked->request, request.id);
  EXPECT_EQ(asked->provider, provider().public_key());
  EXPECT_FALSE(asked->is_result);
  EXPECT_EQ(asked->known, Status::payment_required);
  EXPECT_EQ(asked->text, "pay first");
  EXPECT_EQ(asked->amount, Msat{9000});
  EXPECT_EQ(asked->bolt11, "lnbc1");

  const auto answered =
      read_answer(sign(result(request, to_json(request), "", "Scattering.", std::nullopt, 7), provider(), {}));
  EXPECT_TRUE(answered->is_result);
  EXPECT_EQ(answered->content, "Scattering.");
}

TEST(Answer, OtherProvidersAreReadLiberally) {
  const Event request = a_request();
  const std::string id = request.id.hex();
  const auto read = [](std::uint32_t kind, std::vector<Tag> tags, std::string content = {}) {
    return read_answer({.kind = kind, .tags = std::move(tags), .content = std::move(content)});
  };
  EXPECT_EQ(read(6050, {{"request", to_json(request)}})->request, request.id) << "no e tag";
  EXPECT_EQ(read(6050, {{"e", id}})->status, "success") << "no status";
  EXPECT_TRUE(read(6002, {{"e", id}})->is_result) << "of another kind of text job";
  EXPECT_EQ(read(7000, {{"status", "error"}, {"e", id}}, "out of memory")->text, "out of memory")
      << "said in the content";
  EXPECT_EQ(read(7000, {{"status", "partial"}, {"e", id}}, "Scat")->text, "") << "a partial result is no explanation";
  EXPECT_EQ(read(7000, {{"status", "pong"}, {"e", id}})->known, Status::pong) << "not NIP-90's, and in use";
  const auto unheard_of = read(7000, {{"status", "thinking"}, {"e", id}});
  EXPECT_EQ(unheard_of->status, "thinking");
  EXPECT_EQ(unheard_of->known, std::nullopt);
  EXPECT_EQ(read(7000, {{"amount", "nine"}, {"e", id}})->amount, std::nullopt);
  EXPECT_EQ(read(7000, {{"amount", "9", "https://pay.example"}, {"e", id}})->bolt11, "");
  EXPECT_TRUE(read(6050, {{"encrypted"}, {"e", id}})->encrypted);
}

TEST(Answer, WhatIsEncryptedForUsIsOpened) {
  const Event request = a_request();
  const SecretKey customer = *SecretKey::from_bytes(std::string(32, 'c'));
  const RequestRef about{.id = request.id, .customer = customer.public_key(), .relay = {}, .encrypted = true};
  const auto told = [&](Status status, const std::string& plaintext) {
    const auto content = encrypt(ledger::Encryption::nip44, plaintext, provider(), customer.public_key(),
                                 *Nip44Nonce::from_bytes(std::string(32, 'r')));
    return *read_answer(sign(feedback(about, status, {}, std::nullopt, 7, *content), provider(), {}), customer);
  };
  EXPECT_EQ(hidden_status(Status::processing, "at \"work\""), R"([["status","processing","at \"work\""]])");
  const Answer ours = told(Status::processing, hidden_status(Status::processing, "at work"));
  EXPECT_EQ(ours.text, "at work");
  EXPECT_EQ(ours.content, "");
  EXPECT_FALSE(ours.encrypted);
  const Answer billed =
      told(Status::payment_required, R"([["amount","9000","lnbc1"],["status","payment-required","pay"]])");
  EXPECT_EQ(billed.amount, Msat{9000}) << "others hide the bill too";
  EXPECT_EQ(billed.text, "pay");
  EXPECT_EQ(told(Status::error, "out of memory").text, "out of memory") << "others write bare words";
  EXPECT_EQ(told(Status::partial, R"([["status","no"]])").content, R"([["status","no"]])")
      << "an answer, whatever it is";
  EXPECT_TRUE(read_answer(sign(feedback(about, Status::error, {}, std::nullopt, 7, "AgAA"), provider(), {}), customer)
                  ->encrypted)
      << "what cannot be opened";
}

TEST(Answer, MustNameItsRequest) {
  const std::string id(64, 'a');
  EXPECT_FALSE(read_answer({.kind = 1, .tags = {{"e", id}}}));
  EXPECT_FALSE(read_answer({.kind = 6050}));
  EXPECT_FALSE(read_answer({.kind = 6050, .tags = {{"e", "short"}, {"request", "{}"}}}));
}

}  // namespace
}  // namespace nostr
