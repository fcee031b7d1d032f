// The bytes of facts: protobuf's wire format, canonical, tolerant of what newer versions add.
#include "ledger/codec.h"

#include <gtest/gtest.h>

#include "ledger/fact.h"
#include "ledger/text.h"

namespace ledger {
namespace {

using base::from_hex;
using base::sha256;
using base::to_hex;

TEST(Codec, WritesProtobufBytesInFieldOrderWithoutDefaults) {
  InvoiceFailed event;
  event.attempt = 300;
  event.message = "no";
  EXPECT_EQ(to_hex(encode(event)), "10ac021a026e6f");
}

TEST(Codec, ReadsBackEveryFieldOfAFact) {
  JobRequested event;
  event.request = *TextRef::from_hex(std::string(64, 'a'));
  event.reply_relays = {"wss://a", "wss://b"};
  event.params.temperature = 0.5;
  event.params.seed = -7;
  event.bid = Msat{0};
  event.fault = RequestFault{DeclineReason::parameter, "temperature: 9 is above 2.0", {}};
  const auto back = decode<JobRequested>(encode(event));
  ASSERT_TRUE(back);
  EXPECT_EQ(back->request, event.request);
  EXPECT_EQ(back->reply_relays, event.reply_relays);
  EXPECT_EQ(back->params.temperature, 0.5);
  EXPECT_EQ(back->params.seed, -7);
  EXPECT_EQ(back->bid, Msat{0}) << "an optional that is set to zero is not absent";
  EXPECT_EQ(back->fault->reason, DeclineReason::parameter);
  EXPECT_EQ(encode(*back), encode(event));
}

TEST(Codec, KeepsFieldsThatANewerVersionWrote) {
  const std::string newer = encode(WentOffline{"drained", {}}) + *from_hex("c23e03616263");  // field 1000 = "abc"
  const auto event = decode<WentOffline>(newer);
  ASSERT_TRUE(event);
  EXPECT_EQ(event->reason, "drained");
  EXPECT_EQ(encode(*event), newer);
}

TEST(Codec, RefusesBytesThatAreNoMessage) {
  for (const char* hex : {"0a", "0a05616263", "08", "ffffffffffffffffffffff01", "00", "0b", "0801"}) {
    EXPECT_FALSE(decode<WentOffline>(*from_hex(hex))) << hex;
  }
}

TEST(Codec, RefusesAnIdOfTheWrongSize) {
  EXPECT_FALSE(decode<JobRequested>(*from_hex("0a03616263")));
}

TEST(Facts, EveryTypeHasANumberANameAndItsBytes) {
  const Fact event = JobQuoted{.price = Msat{9000}};
  EXPECT_EQ(type_name(type_of(event)), "JobQuoted");
  const auto back = decode_facts(type_of(event), encode_facts(event));
  ASSERT_TRUE(back);
  EXPECT_EQ(std::get<JobQuoted>(*back).price, Msat{9000});
  EXPECT_EQ(decode_facts(9999, "").error().code, "ledger.unknown_type");
}

TEST(Hashing, TakesATextInTwoParts) {
  EXPECT_EQ(sha256("abc").hex(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256("a", "bc"), sha256("abc"));
  EXPECT_EQ(sha256("", ""), sha256(""));
  const Text text{.salt = *Salt::from_hex(std::string(64, '7')), .bytes = "a prompt"};
  EXPECT_EQ(ref(text).hex(), sha256(std::string(text.salt.view()) + text.bytes).hex());
}

}  // namespace
}  // namespace ledger
