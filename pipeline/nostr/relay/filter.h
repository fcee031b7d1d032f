// What a relay does with filters (NIP-01). Pure.
#pragma once

#include <deque>
#include <nlohmann/json_fwd.hpp>
#include <span>

#include "pipeline/nostr/messages.h"

namespace nostr {

// All members of the filter must hold; `limit` is not about single events and is ignored.
bool matches(const Filter& filter, const Event& event);
bool matches_any(std::span<const Filter> filters, const Event& event);

// The same condition as filters that have at most `max_kinds` kinds each and no kind in common.
std::vector<Filter> split_kinds(const Filter& filter, std::size_t max_kinds);

// Throws json::exception if a member has another type.
Filter filter_from(const nlohmann::json& object);

// What a relay sends of its stored events: newest first, at most `max_page` a filter, each once though several filters
// match. The pointers live as long as `stored` is not changed.
std::vector<const Event*> stored_page(const std::deque<Event>& stored, std::span<const Filter> filters,
                                      std::size_t max_page);

}  // namespace nostr
