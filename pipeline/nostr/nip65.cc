#include "pipeline/nostr/nip65.h"

#include <algorithm>

#include "pipeline/nostr/url_guard.h"

namespace nostr {
namespace {

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

}  // namespace nostr
