// The media type of an HTTP answer, and the answer's bytes as UTF-8 (RFC 9110 section 8.3, RFC 6838, WHATWG Encoding).
// Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace web {

// Of a Content-Type header; both in lower case and empty when not given.
struct MediaType {
  std::string type;  // "text/html"
  std::string charset;

  // True for text/*, JSON and XML, types built on these (…+json, …+xml), and a missing type.
  bool is_text() const;
  bool is_html() const;
};

MediaType parse_media_type(std::string_view content_type);

// The text that the bytes stand for, without a byte order mark. Without a charset they are UTF-8; Latin-1 is converted
// (and is Windows-1252, as in browsers). Fails with "web.not_text": another charset, no UTF-8, or a zero byte.
base::Result<std::string> decode_text(std::string bytes, std::string_view charset);

// The character that a byte stands for in Windows-1252.
std::uint32_t windows_1252(unsigned char byte);

}  // namespace web
