// One fetch of a web page's text as a state machine without I/O: each call returns what the caller must do next, and
// the caller reports the outcome with the next call. Every hop of a redirect passes the same checks. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "pipeline/web/media_type.h"
#include "pipeline/web/web_url.h"

namespace web {

inline constexpr std::size_t kMaxBodyBytes = 256 * 1024;
inline constexpr std::size_t kMaxHeadBytes = 64 * 1024;  // enforced by the caller
inline constexpr std::int64_t kMaxFetchMs = 15'000;      // in all, redirects included; enforced by the caller
inline constexpr unsigned kMaxRedirects = 5;

using Address = std::vector<std::uint8_t>;  // 4 bytes of IPv4, 16 of IPv6

// What a server says before the body. Empty: not said.
struct Head {
  unsigned status = 0;
  std::string location;
  std::string content_type;
  std::string content_encoding;
  std::string retry_after;  // seconds, or a date
  std::optional<std::uint64_t> content_length;
};

// The text, or an error for the customer: message (what and why), context (the URL) and hint (what to do).
using Answer = base::Result<std::string>;

// What the caller does next.
struct LookUp {};  // the addresses of the host of url(): on_addresses()
struct Connect {   // to this one of the addresses found, and asks for url(): on_head()
  std::size_t address = 0;
};
struct Read {};  // the body, or what is left of it: on_body(), on_end()
using Next = std::variant<LookUp, Connect, Read, Answer>;

struct FetchOptions {
  bool allow_private = false;  // for tests
  // The operator, not a stranger, named the URL. Its address may be private and its port any; those of a redirect may
  // not. The answer is read as JSON in UTF-8, whatever its media type. An answer with a status other than 200 counts
  // too, unless it is a status of proxies.
  bool own = false;
};

class FetchSession {
 public:
  explicit FetchSession(FetchOptions options = {}) : options_(options) {}

  // Fails with "web.url"; a later step with "web.private_address", "web.redirects", "web.status",
  // "web.too_many_requests" (its context is how long to wait, like "30 s", if the server says it), "web.type",
  // "web.too_large" or "web.not_text".
  Next start(std::string_view url);
  Next on_addresses(const std::vector<Address>& found);
  Next on_head(const Head& head);
  Next on_body(std::string_view bytes);
  Next on_end();

  // What ends it in any state, with "web.unreachable", "web.tls" or "web.timeout". `why` is for a person.
  Answer on_unreachable(const std::string& why) const;
  Answer on_tls_failure(const std::string& why) const;
  Answer on_timeout() const;

  const WebUrl& url() const { return url_; }

 private:
  Next visit(base::Result<WebUrl> url);
  Next redirect(const std::string& location);
  Answer too_large() const;
  bool trusted() const { return options_.allow_private || (options_.own && redirects_ == 0); }
  tl::unexpected<base::Error> fail(std::string code, std::string message, std::string hint) const;

  FetchOptions options_;
  WebUrl url_;
  unsigned redirects_ = 0;
  unsigned status_ = 0;
  MediaType media_type_;
  std::string body_;
};

}  // namespace web
