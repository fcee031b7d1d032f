// URLs of web pages, in one normal form (RFC 3986, RFC 9110 section 4.2). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "pipeline/net/url_guard.h"

namespace web {

inline constexpr std::size_t kMaxUrlBytes = 2'048;

struct WebUrl : net::UrlParts {
  // The normal form: scheme and host in lower case, no default port, no fragment.
  std::string text() const;
};

// An http:// or https:// URL (net::parse_url says what is refused). Letters outside ASCII are percent-encoded first,
// as browsers do. Fails with "web.url"; the message says why.
base::Result<WebUrl> parse_web_url(std::string_view url);

// What a page at `base` means by a reference such as "../b?c" (RFC 3986 section 5.2); dot segments are left to the
// server. Fails as above.
base::Result<WebUrl> resolve(const WebUrl& base, std::string_view reference);

}  // namespace web
