#include "base/utf8.h"

#include <gtest/gtest.h>

using base::append_utf8;
using base::has_visible_text;
using base::is_utf8;
using base::utf8_prefix;

TEST(Utf8, WellFormedText) {
  for (const char* text : {"", "plain", "\x7f", "é", "€", "\xEF\xBF\xBF", "𝄞", "\xF4\x8F\xBF\xBF"})
    EXPECT_TRUE(is_utf8(text)) << text;
  EXPECT_TRUE(is_utf8(std::string_view("\0", 1)));
}

TEST(Utf8, IllFormedText) {
  const std::pair<const char*, const char*> cases[] = {{"\x80", "a continuation alone"},
                                                       {"\xC3", "cut off"},
                                                       {"\xC3(", "no continuation"},
                                                       {"\xC0\x80", "an overlong NUL"},
                                                       {"\xC1\xBF", "an overlong DEL"},
                                                       {"\xE0\x9F\xBF", "three bytes for two"},
                                                       {"\xED\xA0\x80", "a surrogate"},
                                                       {"\xF0\x8F\xBF\xBF", "four bytes for three"},
                                                       {"\xF4\x90\x80\x80", "above U+10FFFF"},
                                                       {"\xF5\x80\x80\x80", "no lead byte"},
                                                       {"\xFF", "no lead byte"}};
  for (const auto& [text, why] : cases) EXPECT_FALSE(is_utf8(text)) << why;
}

TEST(Utf8, AppendedCharactersAreWellFormed) {
  for (const std::uint32_t code : {0x0U, 0x7FU, 0x80U, 0x7FFU, 0x800U, 0xFFFFU, 0x10000U, 0x10FFFFU}) {
    std::string text;
    append_utf8(text, code);
    EXPECT_TRUE(is_utf8(text)) << code;
  }
  std::string euro;
  append_utf8(euro, 0x20AC);
  EXPECT_EQ(euro, "€");
}

TEST(Utf8, APrefixEndsWithAWholeCharacter) {
  EXPECT_EQ(utf8_prefix("a€b", 9), "a€b");
  EXPECT_EQ(utf8_prefix("a€b", 4), "a€");
  EXPECT_EQ(utf8_prefix("a€b", 3), "a");
  EXPECT_EQ(utf8_prefix("a€b", 1), "a");
  EXPECT_EQ(utf8_prefix("€", 2), "");
  EXPECT_EQ(utf8_prefix("", 5), "");
}

TEST(Utf8, VisibleTextIsOneCharacterThatAReaderSees) {
  for (const char* text :
       {"a", " \n.", "é", "\u00A1", "\u2010", "€", "\u200Bx", "字", "\U0001F41F", "\uFEFFa", "\xFF!"})
    EXPECT_TRUE(has_visible_text(text)) << text;
}

TEST(Utf8, BlanksControlsAndFormattingAreNoVisibleText) {
  const std::pair<const char*, const char*> cases[] = {{"", "nothing"},
                                                       {" \t\r\n\f\v", "white space"},
                                                       {"\x01\x1b\x7f", "controls"},
                                                       {"\u0085\u00A0", "a next line, a no-break space"},
                                                       {"\u2003\u2028\u3000", "wide and narrow spaces"},
                                                       {"\u200B\u200D\uFEFF", "joiners and a byte order mark"},
                                                       {"\u202E\u2066", "marks of direction"},
                                                       {"\u00AD\uFE0F\U000E0041", "ignorable"},
                                                       {"\uFFFD \uFFFD", "replacements"},
                                                       {"\xFF\x80", "no UTF-8"}};
  for (const auto& [text, why] : cases) EXPECT_FALSE(has_visible_text(text)) << why;
  EXPECT_FALSE(has_visible_text(std::string_view("\0", 1)));
}
