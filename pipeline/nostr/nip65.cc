#include "pipeline/nostr/nip65.h"

#include <algorithm>

#include "pipeline/net/url_guard.h"

namespace nostr {
namespace {

using net::parse_relay_url;

std::string normal_form(const std::string& url) {
  const auto parsed = parse_relay_url(url);
  return parsed ? parsed->text() : url;
}

bool lists(const std::vector<Tag>& tags, const std::string& relay) {
  return std::ranges::any_of(tags, [&](const Tag& tag) {
    return tag.size() >= 2 && tag[0] == "r" && normal_form(tag[1]) == normal_form(relay);
  });
}

}  // namespace

std::optional<Unsigned> updated_relay_list(std::span<const std::string> ours, const Event* existing) {
  Unsigned out{.kind = kRelayListKind};
  if (existing) {
    out.tags = existing->tags;
    out.content = existing->content;
  }
  const std::size_t before = out.tags.size();
  for (const std::string& relay : ours) {
    if (!lists(out.tags, relay)) out.tags.push_back({"r", relay});
  }
  return out.tags.size() == before ? std::nullopt : std::optional(std::move(out));
}

std::vector<std::string> read_relays(const Event& list, std::size_t limit) {
  std::vector<std::string> out;
  for (const Tag& tag : list.tags) {
    if (out.size() == limit) break;
    if (tag.size() < 2 || tag[0] != "r" || (tag.size() > 2 && tag[2] == "write")) continue;
    const auto url = parse_relay_url(tag[1]);
    if (!url) continue;
    std::string text = url->text();
    if (std::ranges::find(out, text) == out.end()) out.push_back(std::move(text));
  }
  return out;
}

}  // namespace nostr
