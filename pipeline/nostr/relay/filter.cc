#include "pipeline/nostr/relay/filter.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <tuple>

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

template <class Id>
std::vector<Id> ids_from(const nlohmann::json& list) {
  std::vector<Id> ids;
  for (const auto& hex : list) {
    if (const auto id = Id::from_hex(hex.get<std::string>())) ids.push_back(*id);
  }
  return ids;
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

std::vector<Filter> split_kinds(const Filter& filter, std::size_t max_kinds) {
  std::vector<Filter> out;
  for (std::size_t from = 0; from < filter.kinds.size(); from += max_kinds) {
    const auto kinds = std::span(filter.kinds).subspan(from, std::min(max_kinds, filter.kinds.size() - from));
    out.emplace_back(filter).kinds.assign(kinds.begin(), kinds.end());
  }
  if (out.empty()) out.push_back(filter);
  return out;
}

Filter filter_from(const nlohmann::json& object) {
  Filter filter;
  for (const auto& [name, value] : object.items()) {
    if (name == "ids") filter.ids = ids_from<EventId>(value);
    if (name == "authors") filter.authors = ids_from<PublicKey>(value);
    if (name == "kinds") filter.kinds = value.get<std::vector<std::uint32_t>>();
    if (name == "since") filter.since_s = value.get<std::int64_t>();
    if (name == "until") filter.until_s = value.get<std::int64_t>();
    if (name == "limit") filter.limit = value.get<std::uint64_t>();
    if (name.size() == 2 && name[0] == '#') {
      filter.tags.emplace_back(name[1], value.get<std::vector<std::string>>());
    }
  }
  return filter;
}

std::vector<const Event*> stored_page(const std::deque<Event>& stored, std::span<const Filter> filters,
                                      std::size_t max_page) {
  const auto newer = [](const Event* a, const Event* b) {
    return std::tie(b->created_at, a->id) < std::tie(a->created_at, b->id);
  };
  std::set<const Event*, decltype(newer)> found(newer);
  for (const auto& filter : filters) {
    std::vector<const Event*> matching;
    for (const auto& event : stored) {
      if (matches(filter, event)) matching.push_back(&event);
    }
    std::sort(matching.begin(), matching.end(), newer);
    const auto page = std::min<std::uint64_t>(filter.limit.value_or(max_page), max_page);
    if (matching.size() > page) matching.resize(page);
    found.insert(matching.begin(), matching.end());
  }
  return {found.begin(), found.end()};
}

}  // namespace nostr
