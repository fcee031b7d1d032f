// NIP-13: proof of work, which some relays ask of an event before they take it. Pure.
#pragma once

#include <cstdint>
#include <optional>

#include "pipeline/nostr/event.h"

namespace nostr {

// The difficulty of an id: how many bits of zero it starts with.
unsigned leading_zero_bits(const EventId& id);

// What counts as the event's work: its difficulty, but no more than its nonce tag committed to beforehand (the rest is
// luck). Zero without a commitment. The id must have been checked.
unsigned committed_difficulty(const Event& event);

// The event with a last tag ["nonce", n, bits] with which its id has `bits` leading zeros when `author` signs it;
// nothing if `max_tries` do not find one. Nonce tags that it had are taken away. Each further bit doubles the tries,
// and each try hashes the whole event.
std::optional<Unsigned> mine(Unsigned event, const PublicKey& author, unsigned bits, std::uint64_t max_tries);

// What the event says beside its work; its id is no longer that of these tags.
Event without_work(Event event);

inline constexpr unsigned kMaxWorkBits = 20;  // that a relay is given: a million tries

// The same, of at most kMaxWorkBits and as far as that takes no more than about half a second; else as it was.
Unsigned with_work(Unsigned event, const PublicKey& author, unsigned bits);

}  // namespace nostr
