#include "base/ascii.h"

#include <gtest/gtest.h>

using base::is_hex;
using base::lower;

TEST(Text, LowerTouchesAsciiLettersOnly) {
  EXPECT_EQ(lower("Text/HTML; Ä"), "text/html; Ä");
  EXPECT_EQ(lower(std::string_view("@[`{\0Z", 6)), std::string_view("@[`{\0z", 6));
}

TEST(Text, HexIsDigitsOfEitherCase) {
  EXPECT_TRUE(is_hex("09afAF"));
  EXPECT_TRUE(is_hex(""));
  for (const char* text : {"g", "0x", " a", "/", ":", "@", "G", "ä"}) EXPECT_FALSE(is_hex(text)) << text;
}
