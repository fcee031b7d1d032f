#include "pipeline/nostr/messages.h"

#include <gtest/gtest.h>

namespace nostr {
namespace {

const std::string kId(64, 'a');
const std::string kEventJson = R"({ "id": ")" + kId + R"(","pubkey":")" + std::string(64, 'b') +
                               R"(","created_at":1,"kind":1,"tags":[["t","x"]],"content":"hi","sig":")" +
                               std::string(128, 'c') + "\" }";

template <class Message>
Message parsed(const std::string& frame) {
  const auto message = parse_relay_message(frame);
  EXPECT_TRUE(message) << frame << ": " << message.error().describe();
  return message && std::holds_alternative<Message>(*message) ? std::get<Message>(*message) : Message{};
}

TEST(ClientMessages, AreWrittenCompactly) {
  EXPECT_EQ(event_message(R"({"id":"x"})"), R"(["EVENT",{"id":"x"}])");
  EXPECT_EQ(auth_message(R"({"id":"x"})"), R"(["AUTH",{"id":"x"}])");
  EXPECT_EQ(close_message("s\"1"), R"(["CLOSE","s\"1"])");
  EXPECT_EQ(req_message("s", {}), R"(["REQ","s"])");
  const std::vector<Filter> filters = {{}, {.kinds = {5050}, .since_s = 12}};
  EXPECT_EQ(req_message("s", filters), R"(["REQ","s",{},{"kinds":[5050],"since":12}])");
}

TEST(ClientMessages, AFilterWritesWhatItRestricts) {
  const Filter filter{.ids = {*EventId::from_hex(kId)},
                      .authors = {*PublicKey::from_hex(kId)},
                      .kinds = {5050, 7000},
                      .tags = {{'p', {"k", "l"}}, {'e', {}}},
                      .since_s = 1,
                      .until_s = 2,
                      .limit = 0};
  EXPECT_EQ(to_json(filter), R"({"ids":[")" + kId + R"("],"authors":[")" + kId +
                                 R"("],"kinds":[5050,7000],"#p":["k","l"],"since":1,"until":2,"limit":0})");
}

TEST(RelayMessages, AnEventKeepsItsTextAsItCrossedTheWire) {
  const std::string frame = R"( [ "EVENT" , "sub:1" ,  )" + kEventJson + R"(  ] )";
  const auto message = parse_relay_message(frame);
  ASSERT_TRUE(message) << message.error().describe();
  const auto& event = std::get<RelayEvent>(*message);
  EXPECT_EQ(event.subscription, "sub:1");
  EXPECT_EQ(event.event.content, "hi");
  EXPECT_EQ(event.raw, kEventJson);
  EXPECT_GE(event.raw.data(), frame.data());
}

TEST(RelayMessages, EachTypeIsRead) {
  const auto ok = parsed<RelayOk>(R"(["OK",")" + kId + R"(",false,"blocked: no"])");
  EXPECT_EQ(ok.event.hex(), kId);
  EXPECT_FALSE(ok.accepted);
  EXPECT_EQ(ok.message, "blocked: no");
  EXPECT_TRUE(parsed<RelayOk>(R"(["OK",")" + kId + R"(",true])").accepted) << "some relays leave the message out";
  EXPECT_EQ(parsed<RelayEose>(R"(["EOSE","s"])").subscription, "s");
  EXPECT_EQ(parsed<RelayClosed>(R"(["CLOSED","s","auth-required: who are you"])").message,
            "auth-required: who are you");
  EXPECT_EQ(parsed<RelayClosed>(R"(["CLOSED","s"])").message, "") << "some relays leave the message out";
  EXPECT_EQ(parsed<RelayNotice>(R"(["NOTICE","hello"])").message, "hello");
  EXPECT_EQ(parsed<RelayAuth>(R"(["AUTH","challenge"])").challenge, "challenge");
  EXPECT_EQ(parsed<RelayEose>(R"(["EOSE","s",{"hint":[1]}])").subscription, "s") << "a later version may add something";
}

TEST(RelayMessages, WhatARelaySaysToAPersonIsCut) {
  const auto notice = parsed<RelayNotice>(R"(["NOTICE",")" + std::string(kMaxRelayTextBytes - 1, 'x') + R"(éé"])");
  EXPECT_EQ(notice.message, std::string(kMaxRelayTextBytes - 1, 'x'));
}

TEST(RelayMessages, EachFaultIsNamed) {
  struct Case {
    std::string frame, code;
  };
  const std::vector<Case> cases = {
      {"", "relay.malformed"},
      {"hello", "relay.malformed"},
      {"{}", "relay.malformed"},
      {"[]", "relay.malformed"},
      {"[1]", "relay.malformed"},
      {"[\"EOSE\"]", "relay.malformed"},
      {"[\"EOSE\",1]", "relay.malformed"},
      {"[\"EOSE\",\"s\"", "relay.malformed"},
      {"[\"EOSE\",\"s\"]]", "relay.malformed"},
      {"[\"EOSE\",\"\xff\"]", "relay.malformed"},
      {"[\"CLOSED\"]", "relay.malformed"},
      {"[\"CLOSED\",\"s\",1]", "relay.malformed"},
      {"[\"CLOSED\",\"s\"", "relay.malformed"},
      {"[\"OK\",\"zz\",true,\"\"]", "relay.malformed"},
      {"[\"OK\",\"" + kId + "\",1,\"\"]", "relay.malformed"},
      {"[\"OK\",\"" + kId + "\",true,1]", "relay.malformed"},
      {"[\"OK\",\"" + kId + "\",true,\"\"", "relay.malformed"},
      {"[\"EVENT\"]", "relay.malformed"},
      {"[\"EVENT\",\"s\"]", "relay.malformed"},
      {"[\"EVENT\",\"s\",{\"content\":\"\\ud800\"}]", "event.malformed"},
      {"[\"EVENT\",\"s\"," + std::string(100, '[') + std::string(100, ']') + "]", "event.malformed"},
      {"[\"EVENT\",\"s\",{}]", "event.missing_field"},
      {"[\"EVENT\",\"s\",[]]", "event.type"},
      {"[\"COUNT\",\"s\",{}]", "relay.unknown_message"},
      {"[\"NOTICE\",\"" + std::string(kMaxFrameBytes, 'x') + "\"]", "relay.too_large"},
  };
  for (const auto& [frame, code] : cases) {
    const auto message = parse_relay_message(frame);
    ASSERT_FALSE(message) << frame;
    EXPECT_EQ(message.error().code, code) << frame.substr(0, 100);
  }
}

TEST(MachineWord, StandsBeforeTheFirstColon) {
  EXPECT_EQ(machine_word("duplicate: have it"), "duplicate");
  EXPECT_EQ(machine_word("ERROR: auth-required: say who you are"), "auth-required") << "strfry's CLOSED";
  EXPECT_EQ(machine_word("Some prose: with a colon"), "");
  EXPECT_EQ(machine_word("no word"), "");
  EXPECT_EQ(machine_word(""), "");
}

TEST(Refusals, OfAFilterAreToldFromOthersByTheirWords) {
  for (const char* words : {"ERROR: bad req: too many kinds in filter: 4",
                            "ERROR: bad req: filter must have exactly one author, p tag, or e tag",
                            "ERROR: bad req: invalid number of filters: 5", "blocked: name an author",
                            "unsupported: too broad", "error: this Filter is too wide"}) {
    EXPECT_TRUE(refuses_filter(words)) << words;
  }
  for (const char* words : {"", "no", "error: no", "error: too many subscriptions", "auth-required: to filter, sign in",
                            "rate-limited: too many filters a minute", "shutting down"}) {
    EXPECT_FALSE(refuses_filter(words)) << words;
  }
}

TEST(MachineWord, MayStandAlone) {
  EXPECT_EQ(machine_word("auth-required"), "auth-required");
  EXPECT_EQ(machine_word("ERROR: auth-required"), "auth-required");
  EXPECT_EQ(machine_word("blocked:"), "blocked");
  EXPECT_EQ(machine_word("no"), "") << "a word, but no machine's";
}

TEST(Rejection, SaysWhatAnEventNeeds) {
  for (const char* message : {"blocked: not on the list", "invalid: bad event", "restricted: members only",
                              "auth-required: still", "mute: nobody listens", "blocked"}) {
    EXPECT_EQ(rejection(message), Rejection::for_good) << message;
  }
  EXPECT_EQ(rejection("rate-limited: slow down"), Rejection::too_fast);
  EXPECT_EQ(rejection("pow: 25 bits needed"), Rejection::needs_work);
  for (const char* message : {"error: could not save", "no answer within 30 s", "connection refused", ""}) {
    EXPECT_EQ(rejection(message), Rejection::passing) << message;
  }
}

TEST(Rejection, OfAnEventThatIsTooLongForTheRelayIsForGood) {
  EXPECT_EQ(too_long_for_relay(65'536), "not sent: this relay takes at most 65536 bytes");
  EXPECT_EQ(rejection(too_long_for_relay(65'536)), Rejection::for_good);
}

TEST(WorkAsked, IsReadAsRelaysSayIt) {
  EXPECT_EQ(work_asked("pow: 25 bits needed"), 25U);
  EXPECT_EQ(work_asked("pow: required difficulty 20"), 20U);
  EXPECT_EQ(work_asked("pow: difficulty 26 is less than 30"), 30U);
  EXPECT_EQ(work_asked("pow: difficulty 25<28"), 28U);
  EXPECT_EQ(work_asked("pow: 28"), 28U);
}

TEST(WorkAsked, IsNothingWhereNoNumberCanBeADifficulty) {
  EXPECT_EQ(work_asked("pow: difficulty too low"), std::nullopt);
  EXPECT_EQ(work_asked("pow: see NIP13, event 00ab12 of 1700000000"), std::nullopt);
  EXPECT_EQ(work_asked("pow: 99999999999999999999 bits"), std::nullopt);
  EXPECT_EQ(work_asked(""), std::nullopt);
}

}  // namespace
}  // namespace nostr
