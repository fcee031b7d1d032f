#include "pipeline/nostr/event.h"

namespace nostr {

std::optional<std::string_view> Event::tag_value(std::string_view name) const {
  for (const Tag& tag : tags) {
    if (tag.empty() || tag[0] != name) continue;
    if (tag.size() < 2) return std::nullopt;
    return tag[1];
  }
  return std::nullopt;
}

}  // namespace nostr
