// NIP-65: the list of the relays where somebody is found (kind 10002). Pure.
#pragma once

#include <optional>
#include <span>

#include "pipeline/nostr/event.h"

namespace nostr {

inline constexpr std::uint32_t kRelayListKind = 10'002;

// The kind 10002 event that must replace `existing` (our newest one; null: none) so that it lists all of `ours` for
// reading and writing. Other entries are kept unchanged. Returns nothing if all are listed already, whatever their
// marks. The caller sets the time.
std::optional<Unsigned> updated_relay_list(std::span<const std::string> ours, const Event* existing);

// Where its author reads: the list's relays that are not marked for writing alone, checked (url_guard.h), in their
// normal form, once each, in its order, at most so many.
std::vector<std::string> read_relays(const Event& list, std::size_t limit);

}  // namespace nostr
