#include "pipeline/nostr/bech32.h"

#include <gtest/gtest.h>

namespace nostr {
namespace {

constexpr std::size_t kNoLimit = std::string::npos;

TEST(Bech32, ReadsAndWritesTheBipsValidStrings) {
  for (const std::string text :
       {"A12UEL5L", "a12uel5l", "?1ezyfcl",
        "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs",
        "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw",
        "11qqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqqc8247j",
        "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w"}) {
    const auto decoded = decode_bech32(text);
    ASSERT_TRUE(decoded) << text << ": " << decoded.error().describe();
    std::string lower = text;
    for (char& c : lower) c = static_cast<char>(std::tolower(c));
    EXPECT_EQ(encode_bech32(decoded->prefix, decoded->groups), lower);
  }
}

TEST(Bech32, RefusesEachFaultByName) {
  struct Case {
    std::string text, code;
  };
  for (const auto& [text, code] : {
           Case{"\x20"
                "1nwldj5",
                "bech32.character"},
           Case{"\x7f"
                "1axkwrx",
                "bech32.character"},
           Case{"\x80"
                "1eym55h",
                "bech32.character"},
           Case{"an84characterslonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1569pvx",
                "bech32.length"},
           Case{"pzry9x0s0muk", "bech32.separator"},
           Case{"1pzry9x0s0muk", "bech32.separator"},
           Case{"10a06t8", "bech32.separator"},
           Case{"1qzzfhee", "bech32.separator"},
           Case{"li1dgmt3", "bech32.separator"},
           Case{"x1b4n0q5v", "bech32.character"},
           Case{"de1lg7wt\xff", "bech32.character"},
           Case{"A1G7SGD8", "bech32.checksum"},
           Case{"A12uEL5L", "bech32.case"},
           Case{"", "bech32.separator"},
       }) {
    const auto decoded = decode_bech32(text);
    ASSERT_FALSE(decoded) << text;
    EXPECT_EQ(decoded.error().code, code) << text;
  }
}

TEST(Bech32, TheLimitOnLengthIsTheCallersChoice) {
  const std::vector<std::uint8_t> groups(1000, 7);
  const std::string text = encode_bech32("nevent", groups);
  EXPECT_FALSE(decode_bech32(text));
  EXPECT_EQ(decode_bech32(text, kNoLimit)->groups, groups);
}

TEST(ConvertBits, RoundTripsBytesThroughPaddedGroups) {
  std::vector<std::uint8_t> bytes;
  for (unsigned size = 0; size < 40; ++size) {
    const auto groups = convert_bits(bytes, 8, 5, true);
    ASSERT_TRUE(groups);
    EXPECT_EQ(groups->size(), (size * 8 + 4) / 5);
    EXPECT_EQ(convert_bits(*groups, 5, 8, false), bytes);
    bytes.push_back(static_cast<std::uint8_t>(size * 37 + 11));
  }
}

TEST(ConvertBits, RefusesWhatIsNoPadding) {
  EXPECT_FALSE(convert_bits(std::vector<std::uint8_t>{31, 31}, 5, 8, false)) << "left-over bits that are not zero";
  EXPECT_FALSE(convert_bits(std::vector<std::uint8_t>{31, 28, 0}, 5, 8, false)) << "a whole group too many";
  EXPECT_FALSE(convert_bits(std::vector<std::uint8_t>{32}, 5, 8, true)) << "a value beyond its group";
  EXPECT_EQ(convert_bits(std::vector<std::uint8_t>{31, 28}, 5, 8, false), (std::vector<std::uint8_t>{0xff}));
}

}  // namespace
}  // namespace nostr
