#include "cmd/text/qr.h"

#include <qrencode.h>

#include <memory>

namespace cmd {
namespace {

constexpr int kQuietZone = 2;  // modules around the code; readers manage with half of the standard's four
constexpr char kBlackOnWhite[] = "\x1b[38;5;16;48;5;231m";
constexpr char kPlain[] = "\x1b[0m";

}  // namespace

std::string qr_code(std::string_view invoice, int width) {
  constexpr int kInCapitals = 0;  // the library calls it "not case-sensitive", and then has a denser mode
  const std::unique_ptr<QRcode, decltype(&QRcode_free)> code(
      QRcode_encodeString(std::string(invoice).c_str(), 0, QR_ECLEVEL_L, QR_MODE_8, kInCapitals), QRcode_free);
  if (!code || code->width + 2 * kQuietZone > width) return {};
  const auto dark = [&](int x, int y) {
    const bool inside = x >= 0 && y >= 0 && x < code->width && y < code->width;
    return inside && (code->data[y * code->width + x] & 1) != 0;
  };
  std::string out;
  for (int y = -kQuietZone; y < code->width + kQuietZone; y += 2) {
    out += kBlackOnWhite;
    for (int x = -kQuietZone; x < code->width + kQuietZone; ++x) {
      const bool upper = dark(x, y);
      const bool lower = dark(x, y + 1);
      out += upper && lower ? "█" : upper ? "▀" : lower ? "▄" : " ";
    }
    out += std::string(kPlain) + "\n";
  }
  return out;
}

}  // namespace cmd
