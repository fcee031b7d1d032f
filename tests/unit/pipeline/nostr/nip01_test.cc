#include "pipeline/nostr/nip01.h"

#include <gtest/gtest.h>

#include "pipeline/nostr/keys.h"
#include "tests/support/vectors.h"

namespace nostr {
namespace {

using namespace std::string_literals;

Event an_event() {
  Event event;
  event.pubkey = *PublicKey::from_hex("7782f93c5762538e1f7ccc5af83cd8018a528b9cd965048386ca1b75335f24c6");
  event.created_at = 1744229914;
  event.kind = 5050;
  event.tags = {{"i", "Grüße, 世界 🌍", "text"}, {"encrypted"}, {}};
  event.content = "line\nbreak \"quoted\" back\\slash \r\t\b\f / é";
  event.id = compute_id(event);
  return event;
}

std::string with(std::string_view field, std::string_view value) {
  std::string out = "{";
  const std::vector<std::pair<std::string_view, std::string>> fields = {{"id", '"' + std::string(64, 'a') + '"'},
                                                                        {"pubkey", '"' + std::string(64, 'b') + '"'},
                                                                        {"created_at", "1744229914"},
                                                                        {"kind", "5050"},
                                                                        {"tags", "[]"},
                                                                        {"content", "\"\""},
                                                                        {"sig", '"' + std::string(128, 'c') + '"'}};
  for (const auto& [name, good] : fields) {
    if (name == field && value == "-") continue;
    out.append(out.size() > 1 ? "," : "").append("\"").append(name).append("\":");
    out.append(name == field ? value : std::string_view(good));
  }
  return out + "}";
}

// ---- the canonical form ---------------------------------------------------------------------------------------------

TEST(Canonical, EscapesSevenCharactersAndNothingElse) {
  EXPECT_EQ(canonical(an_event()),
            "[0,\"7782f93c5762538e1f7ccc5af83cd8018a528b9cd965048386ca1b75335f24c6\",1744229914,5050,"
            "[[\"i\",\"Grüße, 世界 🌍\",\"text\"],[\"encrypted\"],[]],"
            "\"line\\nbreak \\\"quoted\\\" back\\\\slash \\r\\t\\b\\f / é\"]");
}

TEST(Canonical, OtherControlCharactersStandVerbatim) {
  Event event;
  event.content = "nul\0 escape\x1b delete\x7f"s;
  EXPECT_NE(canonical(event).find("\"nul\0 escape\x1b delete\x7f\""s), std::string::npos);
}

TEST(Verify, AcceptsTheRealPairAndWritesItBackByteForByte) {
  const vectors::RealEvents events = vectors::real_events();
  for (const std::string& line : {events.request, events.result}) {
    const auto event = parse_event(line);
    ASSERT_TRUE(event) << event.error().describe();
    EXPECT_TRUE(verify(*event));
    EXPECT_EQ(to_json(*event), line);
  }
}

TEST(Verify, NamesWhatIsWrong) {
  const auto key = SecretKey::from_bytes(std::string(31, '\0') + '\3');
  Event event = an_event();
  event.pubkey = key->public_key();
  event.id = compute_id(event);
  event.sig = key->sign(event.id.view(), {});
  EXPECT_TRUE(verify(event));

  Event other_text = event;
  other_text.content += "!";
  EXPECT_EQ(verify(other_text).error().code, "event.id_mismatch");

  Event other_signer = event;
  other_signer.sig.bytes[5] ^= 1;
  EXPECT_EQ(verify(other_signer).error().code, "event.signature");

  Event no_point = event;
  no_point.pubkey = PublicKey{};
  no_point.id = compute_id(no_point);
  EXPECT_EQ(verify(no_point).error().code, "event.signature");
}

TEST(Verify, AcceptsBothFormsOfDisputedControlCharacters) {
  Event event = an_event();
  event.content = "\x1b[1mbold\x1b[0m";
  event.id = compute_id(event);
  EXPECT_TRUE(id_matches(event));
  std::string stringified = canonical(event);
  for (std::size_t at = 0; (at = stringified.find('\x1b', at)) != std::string::npos;)
    stringified.replace(at, 1, "\\u001b");
  event.id.bytes = base::sha256(stringified).bytes;
  EXPECT_TRUE(id_matches(event));
}

TEST(DisputedControls, AreReplacedInWhatWeWrite) {
  EXPECT_FALSE(has_disputed_controls("a\n\r\t\b\f é"));
  EXPECT_TRUE(has_disputed_controls("a\0b"s));
  EXPECT_TRUE(has_disputed_controls("a\x7f")) << "strfry computes another id";
  EXPECT_EQ(without_disputed_controls("a\x7f"), "a\xef\xbf\xbd");
  EXPECT_EQ(without_disputed_controls("\x1b[1m\n"), "\xef\xbf\xbd[1m\n");
  EXPECT_EQ(without_disputed_controls("plain\n"), "plain\n");
}

TEST(DisputedControls, AreEscapedInJsonThatIsQuoted) {
  EXPECT_EQ(with_escaped_delete("{\"a\":\"b\x7f\"}"), R"({"a":"b\u007f"})");
  EXPECT_EQ(with_escaped_delete("{}"), "{}");
}

// ---- reading and writing --------------------------------------------------------------------------------------------

TEST(EventJson, RoundTripsEveryCharacter) {
  Event event = an_event();
  for (int c = 0; c < 128; ++c) event.content.push_back(static_cast<char>(c));
  event.content += "\u0080\u07ff\u0800\uffff\U00010000\U0010ffff";
  event.tags.push_back({event.content, "", "x"});
  const auto back = parse_event(to_json(event));
  ASSERT_TRUE(back) << back.error().describe();
  EXPECT_EQ(*back, event);
  EXPECT_EQ(*tags_from_json(tags_to_json(event.tags)), event.tags);
}

TEST(EventJson, UnderstandsEveryEscapeAndAnyWhiteSpace) {
  const auto event =
      parse_event(" \n" + with("content", "\t\"\\u0041\\u00e9\\u4e16\\ud83c\\udf0d\\/\\u0000\" ") + "\r\n ");
  ASSERT_TRUE(event) << event.error().describe();
  EXPECT_EQ(event->content, "Aé世🌍/\0"s);
}

TEST(EventJson, IgnoresFieldsItDoesNotKnow) {
  std::string text = with("", "");
  text.insert(1, R"("relays":["wss://a",{"b":[1.5e-3,true,false,null,-0]}],"ots":"x","ots":"y",)");
  EXPECT_TRUE(parse_event(text));
}

TEST(EventJson, RefusesEachFaultByName) {
  struct Case {
    std::string text, code;
  };
  const auto quoted = [](std::size_t size, char c) { return '"' + std::string(size, c) + '"'; };
  std::string deep = with("", "");
  deep.insert(1, "\"x\":" + std::string(100, '[') + std::string(100, ']') + ",");
  std::string many_tags = "[[]";
  for (std::size_t i = 0; i < kMaxTags; ++i) many_tags += ",[]";
  const std::vector<Case> cases = {
      {"", "event.syntax"},
      {"null", "event.type"},
      {"[]", "event.type"},
      {"{}", "event.missing_field"},
      {"{", "event.syntax"},
      {with("", "") + "x", "event.syntax"},
      {with("", "") + with("", ""), "event.syntax"},
      {with("sig", "-"), "event.missing_field"},
      {with("content", "\"\",\"kind\":1"), "event.repeated_field"},
      {with("content", "\"\",\"\\u006bind\":1"), "event.repeated_field"},
      {with("content", "\"\","), "event.syntax"},
      {with("content", "null"), "event.type"},
      {with("content", "\"unterminated"), "event.syntax"},
      {with("content", "\"raw\nbreak\""), "event.syntax"},
      {with("content", "\"\0\""s), "event.syntax"},
      {with("content", "\"\\x\""), "event.syntax"},
      {with("content", "\"\\u12g4\""), "event.syntax"},
      {with("content", "\"\\ud800\""), "event.utf8"},
      {with("content", "\"\\ud800\\u0041\""), "event.utf8"},
      {with("content", "\"\\udc00\""), "event.utf8"},
      {with("content", "\"\xff\""), "event.utf8"},
      {with("content", "\"\xc0\x80\""), "event.utf8"},
      {with("content", "\"\xed\xa0\x80\""), "event.utf8"},
      {with("content", "\"\xf4\x90\x80\x80\""), "event.utf8"},
      {with("content", "\"\xe4\xb8\""), "event.utf8"},
      {with("id", quoted(64, 'A')), "event.hex"},
      {with("id", quoted(63, 'a')), "event.hex"},
      {with("id", quoted(66, 'a')), "event.hex"},
      {with("id", quoted(64, 'g')), "event.hex"},
      {with("id", "5"), "event.type"},
      {with("pubkey", quoted(66, 'b')), "event.hex"},
      {with("sig", quoted(64, 'c')), "event.hex"},
      {with("created_at", "-1"), "event.created_at"},
      {with("created_at", "253402300800"), "event.created_at"},
      {with("created_at", "99999999999999999999999"), "event.created_at"},
      {with("created_at", "1.5"), "event.type"},
      {with("created_at", "1e9"), "event.type"},
      {with("created_at", "\"1744229914\""), "event.type"},
      {with("created_at", "01"), "event.syntax"},
      {with("created_at", "+1"), "event.syntax"},
      {with("kind", "65536"), "event.kind"},
      {with("kind", "-1"), "event.kind"},
      {with("kind", "true"), "event.type"},
      {with("kind", "nonsense"), "event.type"},
      {with("tags", "{}"), "event.tags"},
      {with("tags", "[\"p\"]"), "event.tags"},
      {with("tags", "[[1]]"), "event.tags"},
      {with("tags", "[[null]]"), "event.tags"},
      {with("tags", "[[[]]]"), "event.tags"},
      {with("tags", "[[]"), "event.tags"},
      {with("tags", "[[] []]"), "event.syntax"},
      {with("tags", "[[\"\xff\"]]"), "event.utf8"},
      {with("tags", many_tags + "]"), "event.tags"},
      {deep, "event.depth"},
      {with("content", quoted(kMaxEventBytes, 'x')), "event.too_large"},
  };
  for (const auto& [text, code] : cases) {
    const auto event = parse_event(text);
    ASSERT_FALSE(event) << text.substr(0, 600);
    EXPECT_EQ(event.error().code, code) << text.substr(0, 600);
    EXPECT_EQ(event.error().kind, base::ErrorKind::job_request);
    EXPECT_FALSE(event.error().message.empty());
  }
}

TEST(EventJson, EveryTruncationIsRefused) {
  const std::string text = to_json(an_event());
  for (std::size_t size = 0; size < text.size(); ++size) EXPECT_FALSE(parse_event(text.substr(0, size))) << size;
}

TEST(TagValue, IsTheFirstValueOfTheFirstTagOfThatName) {
  const Event event{.tags = {{}, {"expiration", "12", "x"}, {"expiration", "13"}, {"bare"}, {"bare", "late"}}};
  EXPECT_EQ(event.tag_value("expiration"), "12");
  EXPECT_EQ(event.tag_value("bare"), std::nullopt);
  EXPECT_EQ(event.tag_value("absent"), std::nullopt);
}

}  // namespace
}  // namespace nostr
