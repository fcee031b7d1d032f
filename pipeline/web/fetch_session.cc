#include "pipeline/web/fetch_session.h"

#include <algorithm>

#include "pipeline/web/html.h"

namespace web {
namespace {

constexpr unsigned kOk = 200;
constexpr unsigned kTooManyRequests = 429;
constexpr std::size_t kMaxQuotedBytes = 60;
constexpr std::uint16_t kFirstFreePort = 1'024;  // below are the ports of mail, databases, shells, …
constexpr std::size_t kMaxDigits = 9;
constexpr char kOrSendTheText[] = "name another page, or send its text itself as the input";

// RFC 9110 section 15.4; 300 and 304 leave the choice to us, and 305 and 306 are withdrawn.
bool is_redirect(unsigned status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

// Only what stands between us and the server answers with these.
bool is_proxys(unsigned status) {
  return status == 408 || (status >= 502 && status <= 504) || (status >= 521 && status <= 530);
}

bool is_seconds(std::string_view text) {
  return !text.empty() && text.size() <= kMaxDigits && text.find_first_not_of("0123456789") == std::string_view::npos;
}

// A server's word in a message to a customer.
std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text.substr(0, kMaxQuotedBytes)) out += c >= ' ' && c <= '~' ? c : '?';
  return out + "\"";
}

}  // namespace

Next FetchSession::start(std::string_view url) {
  return visit(parse_web_url(url));
}

Next FetchSession::visit(base::Result<WebUrl> url) {
  if (!url) return Answer(tl::unexpected(url.error()));
  url_ = std::move(*url);
  const std::uint16_t port = url_.port;
  if (trusted() || port == 80 || port == 443 || port >= kFirstFreePort) return LookUp{};
  return Answer(fail("web.url", "port " + std::to_string(port) + " is not one of web servers",
                     "name a page on port 80, 443, or one from " + std::to_string(kFirstFreePort) + " on"));
}

Next FetchSession::on_addresses(const std::vector<Address>& found) {
  const auto chosen = trusted() ? found.begin() : std::find_if(found.begin(), found.end(), [](const Address& address) {
    return net::is_public_address(address);
  });
  if (chosen != found.end()) return Connect{static_cast<std::size_t>(chosen - found.begin())};
  if (found.empty()) return on_unreachable("it has no address");
  return Answer(fail("web.private_address", url_.host + " is not on the public internet",
                     "name a page that everybody can read, or send its text itself as the input"));
}

Next FetchSession::on_head(const Head& head) {
  if (is_redirect(head.status) && !head.location.empty()) return redirect(head.location);
  status_ = head.status;
  if (options_.own && head.status == kTooManyRequests) {
    auto refusal = fail("web.too_many_requests", "the server was asked too often (status 429)", "try again later");
    if (is_seconds(head.retry_after)) refusal.value().context = head.retry_after + " s";
    return Answer(std::move(refusal));
  }
  if (head.status != kOk && !options_.own) {
    return Answer(fail("web.status", "the server answered with status " + std::to_string(head.status),
                       "see whether the page opens without logging in, or send its text itself as the input"));
  }
  media_type_ = parse_media_type(head.content_type);
  if (!media_type_.is_text() && !options_.own) {
    return Answer(fail("web.type", "the page is of type " + quoted(media_type_.type),
                       "name a page of text, HTML, JSON or XML, or send its text itself as the input"));
  }
  if (!head.content_encoding.empty() && head.content_encoding != "identity") {
    return Answer(fail("web.type", "the page comes compressed although this was not asked for", kOrSendTheText));
  }
  if (head.content_length.value_or(0) > kMaxBodyBytes) return too_large();
  return Read{};
}

Next FetchSession::redirect(const std::string& location) {
  const std::string hint = "name the page itself that it should lead to";
  if (redirects_ == kMaxRedirects) {
    return Answer(
        fail("web.redirects", "the page redirects more than " + std::to_string(kMaxRedirects) + " times", hint));
  }
  auto target = resolve(url_, location);
  if (!target) {
    return Answer(fail("web.redirects", "the page redirects to " + quoted(location) + ", which cannot be used", hint));
  }
  if (url_.secure && !target->secure) {
    return Answer(fail("web.redirects", "the page redirects from https to http, where anybody could change it", hint));
  }
  ++redirects_;
  return visit(std::move(target));
}

Next FetchSession::on_body(std::string_view bytes) {
  if (bytes.size() > kMaxBodyBytes - body_.size()) return too_large();
  body_ += bytes;
  return Read{};
}

Next FetchSession::on_end() {
  if (status_ != kOk && (is_proxys(status_) || !body_.starts_with('{'))) {
    return Answer(fail("web.status", "the server answered with status " + std::to_string(status_),
                       "see whether the page opens elsewhere"));
  }
  auto text = decode_text(std::move(body_), options_.own ? "" : media_type_.charset);
  if (!text) {
    text.error().context = url_.text();
    return text;
  }
  if (media_type_.is_html() && !options_.own) text = html_to_text(*text);
  if (text->find_first_not_of(" \t\r\n") == std::string::npos) {
    return Answer(fail("web.not_text", "the page holds no text (scripts are not run)", kOrSendTheText));
  }
  return text;
}

Answer FetchSession::on_unreachable(const std::string& why) const {
  return fail("web.unreachable", url_.host + " gave no proper answer: " + why,
              "see whether the page opens elsewhere, or send its text itself as the input");
}

Answer FetchSession::on_tls_failure(const std::string& why) const {
  return fail("web.tls", "there is no secure connection to " + url_.host + ": " + why, kOrSendTheText);
}

Answer FetchSession::on_timeout() const {
  return fail("web.timeout", "the page did not come within " + std::to_string(kMaxFetchMs / 1'000) + " s",
              "try again later, or send its text itself as the input");
}

Answer FetchSession::too_large() const {
  return fail("web.too_large", "the page has more than " + std::to_string(kMaxBodyBytes / 1024) + " KiB",
              "name a shorter page, or send the part that matters as the input");
}

tl::unexpected<base::Error> FetchSession::fail(std::string code, std::string message, std::string hint) const {
  return base::fail(base::ErrorKind::job_request, std::move(code), std::move(message), url_.text(), std::move(hint));
}

}  // namespace web
