// The input is a URL, then lines that a server says (a status, a Location, a Content-Type), then a page.
#include <algorithm>

#include "base/utf8.h"
#include "pipeline/nostr/json.h"
#include "pipeline/web/fetch_session.h"
#include "pipeline/web/html.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace base;
using namespace web;

const Address kPublic = {93, 184, 216, 34};
const Address kPrivate = {10, 0, 0, 1};

std::string_view line(std::string_view& rest) {
  const std::string_view out = rest.substr(0, rest.find('\n'));
  rest.remove_prefix(std::min(rest.size(), out.size() + 1));
  return out;
}

void check_url(const WebUrl& url) {
  const std::string text = url.text();
  require(url.port != 0 && !url.host.empty() && url.target.starts_with('/'), "a URL says whom to ask for what");
  require(std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c <= '~'; }),
          "a URL cannot end the line of a request");
  if (text.size() > kMaxUrlBytes) return;
  const auto again = parse_web_url(text);
  require(again && *again == url, "the normal form is read as the same URL");
}

void check_reference(std::string_view url, std::string_view reference) {
  const auto base = parse_web_url(url);
  if (!base) return;
  check_url(*base);
  if (const auto target = resolve(*base, reference)) check_url(*target);
}

void check_html(std::string_view page) {
  const std::string text = html_to_text(page);
  require(text.size() <= page.size(), "the text of a page is not longer than the page");
  require(!base::is_utf8(page) || base::is_utf8(text), "UTF-8 gives UTF-8");
}

void check_answer(const Next& next) {
  const auto* answer = std::get_if<Answer>(&next);
  if (answer == nullptr) return;
  if (*answer) {
    require(base::is_utf8(**answer) && (*answer)->find('\0') == std::string::npos, "a text is UTF-8 without zeros");
    require((*answer)->size() <= 3 * kMaxBodyBytes, "a text has its limit");
  } else {
    const base::Error& error = answer->error();
    require(error.code.starts_with("web.") && !error.message.empty() && !error.hint.empty(),
            "a failure says what, why and what to do");
    const std::string told = error.describe();
    require(std::all_of(told.begin(), told.end(), [](char c) { return c >= ' ' && c <= '~'; }),
            "a failure can be told");
  }
}

// All hops, each with the same answer, to the end.
Next play(std::string_view url, const Head& head, std::string_view page, const std::vector<Address>& addresses) {
  FetchSession fetch;
  Next next = fetch.start(url);
  for (unsigned hops = 0; std::holds_alternative<LookUp>(next); ++hops) {
    require(hops <= kMaxRedirects, "redirects end");
    next = fetch.on_addresses(addresses);
    const auto* chosen = std::get_if<Connect>(&next);
    if (chosen == nullptr) break;
    require(net::is_public_address(addresses.at(chosen->address)), "only public addresses are connected to");
    next = fetch.on_head(head);
  }
  if (std::holds_alternative<Read>(next)) next = fetch.on_body(page);
  return std::holds_alternative<Read>(next) ? fetch.on_end() : next;
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view rest = fuzz::text_of(data, size);
  const std::string_view url = line(rest);
  Head head{.status = line(rest) == "302" ? 302U : 200U};
  head.location = line(rest);
  head.content_type = line(rest);
  check_reference(url, head.location);
  check_html(rest);
  check_answer(play(url, head, rest, {kPrivate, kPublic}));
  require(std::holds_alternative<Answer>(play(url, head, rest, {kPrivate})), "a private host gives an answer");
  return 0;
}
