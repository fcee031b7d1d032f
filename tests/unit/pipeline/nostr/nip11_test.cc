#include "pipeline/nostr/nip11.h"

#include <gtest/gtest.h>

namespace nostr {
namespace {

TEST(RelayInfo, SaysWhoAndWithinWhichLimits) {
  const auto info = parse_relay_info(R"({
    "name": "A relay", "description": "…", "pubkey": "00", "supported_nips": [1, 11, 42],
    "software": "git+https://example.com/relay.git", "version": "1.0",
    "limitation": {
      "max_message_length": 131072, "max_subscriptions": 20, "max_limit": 500, "max_subid_length": 100,
      "max_event_tags": 2000, "max_content_length": 70000, "min_pow_difficulty": 28,
      "auth_required": true, "payment_required": true, "restricted_writes": true,
      "created_at_lower_limit": 94608000, "created_at_upper_limit": 900
    },
    "fees": {"admission": [{"amount": 1000, "unit": "msats"}]}
  })");
  ASSERT_TRUE(info) << info.error().describe();
  EXPECT_EQ(*info, (RelayInfo{.name = "A relay",
                              .software = "git+https://example.com/relay.git",
                              .max_message_length = 131'072,
                              .max_content_length = 70'000,
                              .max_event_tags = 2'000,
                              .max_limit = 500,
                              .min_pow_difficulty = 28,
                              .created_at_lower_limit = 94'608'000,
                              .created_at_upper_limit = 900,
                              .auth_required = true,
                              .payment_required = true,
                              .restricted_writes = true}));
}

TEST(RelayInfo, WhatIsOfAnotherTypeIsNotSaid) {
  for (const char* document : {
           "{}",
           R"({"name":null,"software":["x"],"limitation":null})",
           R"({"name":{"a":1},"limitation":[1,2]})",
           R"({"limitation":{"max_limit":"500","max_event_tags":1.5,"max_content_length":-1,"auth_required":"yes",
               "payment_required":1,"restricted_writes":null,"created_at_upper_limit":{}}})",
       }) {
    const auto info = parse_relay_info(document);
    ASSERT_TRUE(info) << document;
    EXPECT_EQ(*info, RelayInfo{}) << document;
  }
}

TEST(RelayInfo, LongNamesAreCut) {
  const auto info = parse_relay_info("{\"name\":\"" + std::string(kMaxRelayNameBytes - 1, 'a') + "\xc3\xa4\"}");
  EXPECT_EQ(info->name, std::string(kMaxRelayNameBytes - 1, 'a'));
}

TEST(RelayInfo, RefusesWhatIsNoDocument) {
  for (const char* document :
       {"", "[]", "\"x\"", "{", "{\"name\":\"x\"", "{\"name\" \"x\"}", "{} x", "<html>", "{\"name\":\"\xff\"}"}) {
    const auto info = parse_relay_info(document);
    ASSERT_FALSE(info) << document;
    EXPECT_EQ(info.error().code, "nip11.malformed");
  }
  EXPECT_EQ(parse_relay_info(std::string(kMaxRelayInfoBytes + 1, ' ')).error().code, "nip11.too_large");
}

}  // namespace
}  // namespace nostr
