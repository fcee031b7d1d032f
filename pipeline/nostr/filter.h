// Does an event match a filter (NIP-01)? Pure.
#pragma once

#include <span>

#include "pipeline/nostr/messages.h"

namespace nostr {

// All members of the filter must hold; `limit` is not about single events and is ignored.
bool matches(const Filter& filter, const Event& event);
bool matches_any(std::span<const Filter> filters, const Event& event);

}  // namespace nostr
