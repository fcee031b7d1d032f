#include "pipeline/nostr/filter.h"

#include <algorithm>

namespace nostr {
namespace {

template <class T>
bool allows(const std::vector<T>& values, const T& value) {
  return values.empty() || std::find(values.begin(), values.end(), value) != values.end();
}

bool has_tag(const Event& event, char name, const std::vector<std::string>& values) {
  return std::any_of(event.tags.begin(), event.tags.end(), [&](const Tag& tag) {
    return tag.size() >= 2 && tag[0].size() == 1 && tag[0][0] == name &&
           std::find(values.begin(), values.end(), tag[1]) != values.end();
  });
}

}  // namespace

bool matches(const Filter& filter, const Event& event) {
  return allows(filter.kinds, event.kind) && allows(filter.ids, event.id) && allows(filter.authors, event.pubkey) &&
         (!filter.since_s || event.created_at >= *filter.since_s) &&
         (!filter.until_s || event.created_at <= *filter.until_s) &&
         std::all_of(filter.tags.begin(), filter.tags.end(),
                     [&](const auto& tag) { return has_tag(event, tag.first, tag.second); });
}

bool matches_any(std::span<const Filter> filters, const Event& event) {
  return std::any_of(filters.begin(), filters.end(), [&](const Filter& filter) { return matches(filter, event); });
}

}  // namespace nostr
