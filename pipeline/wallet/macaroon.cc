#include "pipeline/wallet/macaroon.h"

#include "base/ascii.h"
#include "base/base64.h"
#include "base/types.h"

namespace wallet {

using base::Result;

namespace {

constexpr char kVersion2 = 2;            // the first byte of the binary form that LND writes
constexpr std::size_t kLeastBytes = 32;  // its signature alone

bool is_macaroon(std::string_view bytes) {
  return bytes.size() >= kLeastBytes && bytes.front() == kVersion2;
}

std::string without_white_space(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') out += c;
  }
  return out;
}

// The alphabet of MIME, with padding.
std::string usual_base64(std::string text) {
  for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
  while (text.size() % 4 != 0) text += '=';
  return text;
}

}  // namespace

Result<std::string> macaroon_hex(std::string_view bytes) {
  if (is_macaroon(bytes)) return base::to_hex(bytes);
  const std::string text = without_white_space(bytes);
  if (const auto decoded = base::from_hex(text); decoded && decoded->size() >= kLeastBytes) return base::lower(text);
  if (const auto decoded = base::from_base64(usual_base64(text)); decoded && is_macaroon(*decoded))
    return base::to_hex(*decoded);
  return base::fail(base::ErrorKind::config, "wallet.macaroon", "this is no macaroon of LND", {},
                    "make one with `lncli bakemacaroon invoices:read invoices:write info:read offchain:read`, and "
                    "write its hexadecimal digits, or the path of its file, into this file");
}

}  // namespace wallet
