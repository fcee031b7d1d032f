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

// The event without its nonce tags. Its id and signature are unchanged, so they no longer match its tags.
Event without_work(Event event);

inline constexpr unsigned kMaxWorkBits = 20;  // that a relay is given: a million tries

// As mine(), but for at most kMaxWorkBits and for about half a second at most. Returns the event unchanged if no nonce
// was found in that time.
Unsigned with_work(Unsigned event, const PublicKey& author, unsigned bits);

}  // namespace nostr
