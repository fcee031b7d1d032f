#include "pipeline/web/web_url.h"

#include <gtest/gtest.h>

namespace web {
namespace {

TEST(WebUrl, HasOneNormalForm) {
  struct Case {
    std::string given, normal;
  };
  for (const auto& [given, normal] : {
           Case{"https://example.com", "https://example.com/"},
           Case{"HTTPS://Example.COM:443/Page?Q=1#part", "https://example.com/Page?Q=1"},
           Case{"http://example.com:80/", "http://example.com/"},
           Case{"http://example.com:443/", "http://example.com:443/"},
           Case{"http://[2001:DB8::1]:8080/a", "http://[2001:db8::1]:8080/a"},
           Case{"https://de.wikipedia.org/wiki/K\xc3\xa4se", "https://de.wikipedia.org/wiki/K%C3%A4se"},
       }) {
    const auto url = parse_web_url(given);
    ASSERT_TRUE(url) << given << ": " << url.error().describe();
    EXPECT_EQ(url->text(), normal);
    EXPECT_EQ(parse_web_url(normal)->text(), normal);
  }
}

TEST(WebUrl, RefusesWhatIsNoWebPage) {
  for (const std::string url :
       {"", "example.com", "/page", "ftp://example.com/", "file:///etc/passwd", "ws://example.com", "data:text/plain,x",
        "https://", "https://user:word@example.com/", "http://127.1/", "http://2130706433/", "http://0x7f.0.0.1/",
        "http://example.com:0/", "http://example.com/a b", "http://example.com/\r\nHost: x",
        "https://k\xc3\xa4se.example/"}) {
    const auto parsed = parse_web_url(url);
    ASSERT_FALSE(parsed) << url;
    EXPECT_EQ(parsed.error().code, "web.url");
    EXPECT_FALSE(parsed.error().hint.empty());
  }
  EXPECT_FALSE(parse_web_url("https://example.com/" + std::string(kMaxUrlBytes, 'a')));
}

TEST(WebUrl, IsResolvedAgainstThePageThatNamesIt) {
  const WebUrl base = *parse_web_url("https://example.com/a/b?q=/x/");
  struct Case {
    std::string reference, meant;
  };
  for (const auto& [reference, meant] : {
           Case{"c?d", "https://example.com/a/c?d"},
           Case{"/c", "https://example.com/c"},
           Case{"?r", "https://example.com/a/b?r"},
           Case{"#part", "https://example.com/a/b?q=/x/"},
           Case{"", "https://example.com/a/b?q=/x/"},
           Case{"//other.example/c", "https://other.example/c"},
           Case{"http://other.example:8080/c", "http://other.example:8080/c"},
           Case{"c?to=http://x/", "https://example.com/a/c?to=http://x/"},
       }) {
    const auto url = resolve(base, reference);
    ASSERT_TRUE(url) << reference;
    EXPECT_EQ(url->text(), meant);
  }
  EXPECT_FALSE(resolve(base, "javascript:alert(1)"));
  EXPECT_FALSE(resolve(base, "//user@other.example/"));
}

}  // namespace
}  // namespace web
