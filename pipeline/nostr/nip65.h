// NIP-65: the list of the relays where somebody is found (kind 10002). Pure.
#pragma once

#include <optional>
#include <span>

#include "pipeline/nostr/event.h"

namespace nostr {

inline constexpr std::uint32_t kRelayListKind = 10'002;

// The kind 10002 that must replace `existing` (our newest so far; null: none) so that `ours` are all in it, for reading
// and writing. What it has besides stays to the letter. Nothing when all are there already, however marked. The time is
// left for the caller.
std::optional<Unsigned> updated_relay_list(std::span<const std::string> ours, const Event* existing);

// Where its author reads: the list's relays that are not marked for writing alone, checked (url_guard.h), in their
// normal form, once each, in its order, at most so many.
std::vector<std::string> read_relays(const Event& list, std::size_t limit);

}  // namespace nostr
