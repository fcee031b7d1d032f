#include "pipeline/web/web_url.h"

namespace web {
namespace {

tl::unexpected<base::Error> refuse(const std::string& why) {
  return base::fail(base::ErrorKind::job_request, "web.url", "the web address cannot be used: " + why, {},
                    "write it like https://example.com/page");
}

std::string percent_encoded(std::string_view text) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += {'%', kHex[byte >> 4], kHex[byte & 15]};
    }
  }
  return out;
}

// "name:" in front of any path, query or fragment.
bool has_scheme(std::string_view reference) {
  const std::size_t at = reference.find_first_of(":/?#");
  return at != std::string_view::npos && reference[at] == ':';
}

}  // namespace

std::string WebUrl::text() const {
  return (secure ? "https://" : "http://") + authority() + target;
}

base::Result<WebUrl> parse_web_url(std::string_view url) {
  if (url.size() > kMaxUrlBytes) return refuse("it has more than " + std::to_string(kMaxUrlBytes) + " bytes");
  auto parts = net::parse_url(percent_encoded(url), "http");
  if (!parts) return refuse(parts.error());
  return WebUrl{std::move(*parts)};
}

base::Result<WebUrl> resolve(const WebUrl& base, std::string_view reference) {
  const std::string given(reference);
  if (has_scheme(reference)) return parse_web_url(given);
  if (reference.starts_with("//")) return parse_web_url((base.secure ? "https:" : "http:") + given);
  const std::string origin = (base.secure ? "https://" : "http://") + base.authority();
  if (reference.starts_with('/')) return parse_web_url(origin + given);
  if (reference.empty() || reference.starts_with('#')) return base;
  const std::string path = base.target.substr(0, base.target.find('?'));
  if (reference.starts_with('?')) return parse_web_url(origin + path + given);
  return parse_web_url(origin + path.substr(0, path.rfind('/') + 1) + given);
}

}  // namespace web
