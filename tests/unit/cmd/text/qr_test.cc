// The codes that a customer's phone reads.
#include "cmd/text/qr.h"

#include <gtest/gtest.h>
#include <qrencode.h>

#include <algorithm>
#include <cctype>
#include <memory>
#include <sstream>
#include <string>

namespace cmd {
namespace {

constexpr int kRoom = 200;
constexpr char kInvoice[] =
    "lnbc20m1pvjluezpp5qqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqqqsyqcyq5rqwzqfqypqhp58yjmdan79s6qqdhdzgynm4zwqd5d7xmw5fk98k"
    "lysy043l2ahrqsfpp3qjmp7lwpagxun9pygexvgpjdc4jdj85fr9yq20q82gphp2nflc7jtzrcazrra7wwgzxqc8u7754cdlpfrmccae92qgzqv"
    "zq2ps8pqqqqqqpqqqqq9qqqvpeuqafqxu92d8lr6fvg0r5gv0heeeqgcrqlnm6jhphu9y00rrhy4grqszsvpcgpy9qqqqqqgqqqqq7qqzqj9n4e"
    "vl6mr5aj9f58zp6fyjzup6ywn3x6sk8akg5v4tgn2q8g4fhx05wf6juaxu9760yp46454gpg5mtzgerlzezqcqvjnhjh8z3g2qqdhhwkj";

using Code = std::unique_ptr<QRcode, decltype(&QRcode_free)>;

// The code of a text as it is.
Code code_of(const std::string& text) {
  return {QRcode_encodeString(text.c_str(), 0, QR_ECLEVEL_L, QR_MODE_8, 1), QRcode_free};
}

// As qr_code() draws it, without its colours and its quiet zone.
std::string drawn(const QRcode& code) {
  const auto dark = [&](int x, int y) { return y < code.width && (code.data[y * code.width + x] & 1) != 0; };
  std::string out;
  for (int y = 0; y < code.width; y += 2) {
    for (int x = 0; x < code.width; ++x) {
      const bool upper = dark(x, y), lower = dark(x, y + 1);
      out += upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ";
    }
    out += "\n";
  }
  return out;
}

std::string without_frame(const std::string& shown) {
  std::string out;
  std::istringstream lines(shown);
  for (std::string line; std::getline(lines, line);) {
    line = line.substr(line.find('m') + 1);             // the colours
    line = line.substr(2, line.rfind('\x1b') - 2 - 2);  // the quiet zone at both sides
    if (line.find_first_not_of(' ') != std::string::npos) out += line + "\n";
  }
  return out;
}

TEST(QrCode, HoldsTheInvoiceInCapitalsAndIsSmallerSo) {
  std::string capitals = kInvoice;
  std::ranges::transform(capitals, capitals.begin(), [](unsigned char c) { return std::toupper(c); });
  const Code expected = code_of(capitals), as_it_is = code_of(kInvoice);
  EXPECT_LT(expected->version, as_it_is->version);
  EXPECT_EQ(without_frame(qr_code(kInvoice, kRoom)), drawn(*expected));
}

TEST(QrCode, IsNotShownWhereThereIsNoRoom) {
  const int width = code_of("LNBC1")->width + 4;
  EXPECT_NE(qr_code("lnbc1", width), "");
  EXPECT_EQ(qr_code("lnbc1", width - 1), "");
  EXPECT_EQ(qr_code(std::string(10'000, 'q'), kRoom), "");
}

}  // namespace
}  // namespace cmd
