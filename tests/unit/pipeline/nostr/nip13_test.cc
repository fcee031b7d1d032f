// Proof of work: what an id is worth, and finding one.
#include "pipeline/nostr/nip13.h"

#include <gtest/gtest.h>

#include "pipeline/nostr/nip01.h"

namespace nostr {
namespace {

const PublicKey kAuthor = *PublicKey::from_hex(std::string(64, 'a'));

EventId id_of(const std::string& start) {
  return *EventId::from_hex(start + std::string(64 - start.size(), 'f'));
}

Event with_author(const Unsigned& mined) {
  Event event{.pubkey = kAuthor,
              .created_at = mined.created_at_s,
              .kind = mined.kind,
              .tags = mined.tags,
              .content = mined.content};
  event.id = compute_id(event);
  return event;
}

// Another way to the same number: digit by digit of the hex text.
unsigned zero_bits_of_hex(const std::string& hex) {
  unsigned bits = 0;
  for (const char digit : hex) {
    const auto value = static_cast<unsigned>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
    if (value != 0) return bits + (value < 2 ? 3 : value < 4 ? 2 : value < 8 ? 1 : 0);
    bits += 4;
  }
  return bits;
}

// ---- what an id is worth --------------------------------------------------------------------------------------------

TEST(Difficulty, IsTheNumberOfLeadingZeroBits) {
  EXPECT_EQ(leading_zero_bits(id_of("")), 0U);
  EXPECT_EQ(leading_zero_bits(id_of("7")), 1U);
  EXPECT_EQ(leading_zero_bits(id_of("002f")), 10U);
  EXPECT_EQ(leading_zero_bits(id_of("000000000e9d97a1ab09fc381030b346cdd7a142ad57e6df0b46dc9bef6c7e2d")), 36U)
      << "the example of NIP-13";
  EXPECT_EQ(leading_zero_bits(EventId{}), 256U);
}

// The mined note that NIP-13 shows.
TEST(CommittedDifficulty, OfTheExampleOfTheNip) {
  Event note{.pubkey = *PublicKey::from_hex("a48380f4cfcc1ad5378294fcac36439770f9c878dd880ffa94bb74ea54a6f243"),
             .created_at = 1'651'794'653,
             .kind = 1,
             .tags = {{"nonce", "776797", "20"}},
             .content = "It's just me mining my own business"};
  note.id = compute_id(note);
  EXPECT_EQ(note.id.hex(), "000006d8c378af1779d2feebc7603a125d99eca0ccf1085959b307f64e5dd358");
  EXPECT_EQ(leading_zero_bits(note.id), 21U);
  EXPECT_EQ(committed_difficulty(note), 20U) << "one more was luck";
}

TEST(CommittedDifficulty, IsNeverMoreThanTheIdHas) {
  EXPECT_EQ(committed_difficulty({.id = id_of("00"), .tags = {{"nonce", "1", "40"}}}), 8U);
}

TEST(CommittedDifficulty, IsNothingWithoutACommitment) {
  for (const Tag& tag : {Tag{}, Tag{"nonce"}, Tag{"nonce", "1"}, Tag{"nonce", "1", ""}, Tag{"nonce", "1", "20 bits"},
                         Tag{"nonce", "1", "-1"}, Tag{"nonce", "1", "99999999999999999999"}, Tag{"t", "1", "20"}}) {
    EXPECT_EQ(committed_difficulty({.id = EventId{}, .tags = {tag}}), 0U);
  }
}

// ---- mining ---------------------------------------------------------------------------------------------------------

TEST(Mine, GivesAnIdWithTheBitsAskedFor) {
  const Unsigned event{.kind = 7000,
                       .created_at_s = 1'700'000'000,
                       .tags = {{"status", "processing"}, {"p", "customer"}},
                       .content = R"(a ["nonce","0"] in the text, and a "quoted" line
)"};
  for (unsigned bits = 0; bits <= 12; ++bits) {
    const auto mined = mine(event, kAuthor, bits, 1'000'000);
    ASSERT_TRUE(mined);
    const Event signed_later = with_author(*mined);
    EXPECT_GE(zero_bits_of_hex(signed_later.id.hex()), bits);
    EXPECT_EQ(committed_difficulty(signed_later), bits);
    ASSERT_EQ(mined->tags.size(), 3U);
    EXPECT_EQ(mined->tags[0], event.tags[0]);
    EXPECT_EQ(mined->tags[2][2], std::to_string(bits));
    EXPECT_EQ(mined->content, event.content);
  }
}

TEST(Mine, ReplacesTheNonceThatWasThere) {
  const auto mined = mine({.kind = 1, .tags = {{"nonce", "7", "3"}, {"t", "x"}, {"nonce"}}}, kAuthor, 4, 10'000);
  ASSERT_TRUE(mined);
  ASSERT_EQ(mined->tags.size(), 2U);
  EXPECT_EQ(mined->tags[0], (Tag{"t", "x"}));
  EXPECT_GE(leading_zero_bits(with_author(*mined).id), 4U);
}

TEST(Mine, GivesUpAfterItsTries) {
  EXPECT_FALSE(mine({.kind = 1}, kAuthor, 200, 1'000));
  EXPECT_FALSE(mine({.kind = 1}, kAuthor, 0, 0));
}

// Counted and written by other means.
TEST(Mine, TriesOneNonceAfterTheOther) {
  for (std::int64_t second = 0; second < 20; ++second) {
    const Unsigned event{.kind = 1, .created_at_s = second};
    const auto mined = mine(event, kAuthor, 6, 999);
    Unsigned expected = event;
    for (int nonce = 1'000; nonce < 1'999; ++nonce) {
      expected.tags = {{"nonce", std::to_string(nonce), "6"}};
      if (with_author(expected).id.hex() < "04") break;
    }
    ASSERT_TRUE(mined);
    EXPECT_EQ(mined->tags, expected.tags);
  }
}

}  // namespace
}  // namespace nostr
