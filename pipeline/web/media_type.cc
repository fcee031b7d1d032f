#include "pipeline/web/media_type.h"

#include <algorithm>
#include <array>

#include "base/ascii.h"
#include "base/utf8.h"
#include "pipeline/nostr/json.h"

namespace web {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

// Where Windows-1252 differs from Latin-1: 0x80 to 0x9f.
constexpr std::array<std::uint16_t, 32> kWindows1252 = {0x20ac, 0x81,   0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021,
                                                        0x02c6, 0x2030, 0x0160, 0x2039, 0x0152, 0x8d,   0x017d, 0x8f,
                                                        0x90,   0x2018, 0x2019, 0x201c, 0x201d, 0x2022, 0x2013, 0x2014,
                                                        0x02dc, 0x2122, 0x0161, 0x203a, 0x0153, 0x9d,   0x017e, 0x0178};

// Without white space and quotation marks around it.
std::string_view bare(std::string_view text) {
  constexpr std::string_view kAround = " \t\"'";
  const std::size_t first = text.find_first_not_of(kAround);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kAround) - first + 1);
}

tl::unexpected<base::Error> no_text(const std::string& why) {
  return base::fail(base::ErrorKind::job_request, "web.not_text", "the page is no text that is read here: " + why, {},
                    "name a page in UTF-8, or send its text itself as the input");
}

std::string from_windows_1252(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) base::append_utf8(out, windows_1252(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

bool MediaType::is_text() const {
  return type.empty() || type.starts_with("text/") || type == "application/json" || type == "application/xml" ||
         type.ends_with("+json") || type.ends_with("+xml");
}

bool MediaType::is_html() const {
  return type == "text/html" || type == "application/xhtml+xml";
}

MediaType parse_media_type(std::string_view content_type) {
  MediaType out;
  std::size_t end = content_type.find(';');
  out.type = base::lower(bare(content_type.substr(0, end)));
  while (end != std::string_view::npos) {
    content_type.remove_prefix(end + 1);
    end = content_type.find(';');
    const std::string_view parameter = content_type.substr(0, end);
    const std::size_t equals = parameter.find('=');
    if (equals == std::string_view::npos || base::lower(bare(parameter.substr(0, equals))) != "charset") continue;
    if (out.charset.empty()) out.charset = base::lower(bare(parameter.substr(equals + 1)));
  }
  return out;
}

base::Result<std::string> decode_text(std::string bytes, std::string_view charset) {
  if (charset == "iso-8859-1" || charset == "latin1" || charset == "windows-1252") {
    bytes = from_windows_1252(bytes);
  } else if (!charset.empty() && charset != "utf-8" && charset != "utf8" && charset != "us-ascii") {
    return no_text("its charset is neither UTF-8 nor ISO-8859-1");
  }
  if (bytes.starts_with(kByteOrderMark)) bytes.erase(0, kByteOrderMark.size());
  if (!base::is_utf8(bytes)) return no_text("it is not valid UTF-8");
  if (bytes.find('\0') != std::string::npos) return no_text("it holds zero bytes");
  return bytes;
}

std::uint32_t windows_1252(unsigned char byte) {
  return byte >= 0x80 && byte < 0xa0 ? kWindows1252[byte - 0x80] : byte;
}

}  // namespace web
