#include "pipeline/web/media_type.h"

#include <gtest/gtest.h>

namespace web {
namespace {

TEST(MediaType, IsReadLiberally) {
  const auto html = parse_media_type("Text/HTML ; Charset=\"UTF-8\"; x");
  EXPECT_EQ(html.type, "text/html");
  EXPECT_EQ(html.charset, "utf-8");
  EXPECT_EQ(parse_media_type("text/plain;boundary=x;charset=latin1").charset, "latin1");
  EXPECT_EQ(parse_media_type("").type, "");
  EXPECT_EQ(parse_media_type(";;=").charset, "");
}

TEST(MediaType, KnowsWhatIsText) {
  for (const char* type : {"text/html", "text/plain", "text/markdown", "application/json", "application/xml",
                           "application/xhtml+xml", "application/nostr+json", "image/svg+xml", ""}) {
    EXPECT_TRUE(parse_media_type(type).is_text()) << type;
  }
  for (const char* type : {"image/png", "application/pdf", "application/octet-stream", "video/mp4", "texts/x", "?"}) {
    EXPECT_FALSE(parse_media_type(type).is_text()) << type;
  }
}

TEST(DecodeText, TakesUtf8) {
  for (const char* charset : {"", "utf-8", "utf8", "us-ascii"})
    EXPECT_EQ(decode_text("K\xc3\xa4se", charset), "K\xc3\xa4se");
  EXPECT_EQ(decode_text("\xef\xbb\xbfx", ""), "x") << "without the byte order mark";
}

TEST(DecodeText, ConvertsLatin1) {
  for (const char* charset : {"iso-8859-1", "latin1", "windows-1252"}) {
    EXPECT_EQ(decode_text("K\xe4se \x80", charset), "K\xc3\xa4se \xe2\x82\xac");
  }
}

TEST(DecodeText, RefusesTheRest) {
  struct Case {
    std::string bytes, charset;
  };
  for (const auto& [bytes, charset] : {Case{"K\xe4se", ""}, Case{"K\xe4se", "utf-8"}, Case{std::string("a\0b", 3), ""},
                                       Case{"x", "utf-16"}, Case{"x", "shift_jis"}}) {
    const auto text = decode_text(bytes, charset);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, "web.not_text");
  }
}

}  // namespace
}  // namespace web
