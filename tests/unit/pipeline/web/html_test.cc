#include "pipeline/web/html.h"

#include <gtest/gtest.h>

namespace web {
namespace {

TEST(HtmlToText, ShowsTitleAndText) {
  EXPECT_EQ(html_to_text(R"(<!DOCTYPE html>
<html><head>
  <title>Of  cheese &amp;
     wine</title>
  <style>p > b { color: red }</style>
  <script>if (1 < 2) document.write("<p>never</p>");</script>
</head><body>
  <!-- <p>nor this --><h1>Cheese</h1>
  <p>It is <b>made</b> of <a href="x" title="a > b">milk</a>.<br>And salt.</p>
  <ul><li>Brie<li>Gouda</ul>
  <table><tr><td>age<td>3 months</tr></table>
</body></html>)"),
            "Of cheese & wine\n\nCheese\nIt is made of milk.\nAnd salt.\nBrie\nGouda\nage 3 months");
}

TEST(HtmlToText, ReadsReferences) {
  EXPECT_EQ(html_to_text("&lt;b&gt; &amp;amp; &quot;&apos;&#39;&#x4B;&nbsp;&#8364;"), "<b> &amp; \"''K \xe2\x82\xac");
  EXPECT_EQ(html_to_text("it&#146;s"), "it\xe2\x80\x99s") << "as Windows-1252, like browsers";
  EXPECT_EQ(html_to_text("&#0;&#xD800;&#x110000;&#99999999999;"), "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd&#99999999999;");
  EXPECT_EQ(html_to_text("a & b &unknown; &#; &#x; &"), "a & b &unknown; &#; &#x; &");
}

TEST(HtmlToText, KeepsWhiteSpaceOfCode) {
  EXPECT_EQ(html_to_text("so:<pre>if x:\n    y()\n</pre> done"), "so:\nif x:\n    y()\ndone");
}

TEST(HtmlToText, LeavesPlainTextAsItIs) {
  EXPECT_EQ(html_to_text("1 < 2 and 3 > 2, a<1"), "1 < 2 and 3 > 2, a<1");
}

TEST(HtmlToText, TakesBrokenPages) {
  EXPECT_EQ(html_to_text("a<p don't>b"), "a\nb");
  EXPECT_EQ(html_to_text("a<script>b"), "a");
  EXPECT_EQ(html_to_text("a<!-- b"), "a");
  EXPECT_EQ(html_to_text("a<!-->b"), "ab");
  EXPECT_EQ(html_to_text("a<b title=\"c>d"), "a");
  EXPECT_EQ(html_to_text("<title>a"), "a");
  EXPECT_EQ(html_to_text("<SCRIPT>x</Script>a</"), "a</");
  EXPECT_EQ(html_to_text(""), "");
}

TEST(HtmlToText, TheFirstTitleIsThePages) {
  EXPECT_EQ(html_to_text("<title>page</title><svg><title>drawing</title></svg>text"), "page\n\ntext");
}

}  // namespace
}  // namespace web
