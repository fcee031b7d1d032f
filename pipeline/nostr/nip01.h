// NIP-01: the canonical bytes of an event, its id, its wire form, and the strict reading of events from strangers.
// Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "pipeline/nostr/event.h"
#include "pipeline/nostr/keys.h"

namespace nostr {

inline constexpr std::size_t kMaxEventBytes = 128 * 1024;  // of JSON text; strfry refuses more than 64 KiB by default
inline constexpr std::size_t kMaxTags = 2'000;             // strfry's default
inline constexpr std::size_t kMaxSentEventBytes = 64 * 1024;  // of what we send: strfry's default
inline constexpr std::size_t kMaxTagValueBytes = 1'024;       // of a tag with a name of one letter: strfry's default
inline constexpr std::uint32_t kMaxKind = 65'535;
inline constexpr std::int64_t kMaxCreatedAtS = 253'402'300'799;  // the end of the year 9999

// [0,pubkey,created_at,kind,tags,content] with \n " \ \r \t \b \f escaped and everything else verbatim.
std::string canonical(const Event& event);
EventId compute_id(const Event& event);

// The event with its key, its id and its signature.
Event sign(Unsigned event, const SecretKey& key, const AuxRandom& aux);

// Compact JSON in the order id, pubkey, created_at, kind, tags, content, sig. parse_event gives the same event back.
std::string to_json(const Event& event);
std::string tags_to_json(const std::vector<Tag>& tags);
// Fails with "event.tags".
Result<std::vector<Tag>> tags_from_json(std::string_view text);

// One event from the JSON text of an object; nothing is verified yet. Strict about the seven fields, each of which must
// occur exactly once (of a repeated field, two readers might use different values); unknown fields are ignored.
// Failures, all of the kind job_request: "event.too_large", "event.utf8", "event.syntax", "event.depth", "event.type",
// "event.missing_field", "event.repeated_field", "event.hex" (ids, keys and signatures are lower-case hex of their
// exact length), "event.created_at", "event.kind", "event.tags".
Result<Event> parse_event(std::string_view text, std::size_t max_bytes = kMaxEventBytes);

// The cheap half of verification: whether the id is the hash of the event. NIP-01 wants control characters that have no
// short escape hashed as they are. This also accepts the id over their \u001b form, which JSON.stringify and serde
// write and most clients therefore sign. We never write such characters (without_disputed_controls), so that everybody
// agrees on the ids of our events.
bool id_matches(const Event& event);
// The expensive half: the signature of the id by the pubkey.
bool signature_matches(const Event& event);
// Both, cheap one first. Fails with "event.id_mismatch" or "event.signature".
Result<void> verify(const Event& event);

// True if the text contains a control character whose canonical form differs between implementations: below U+0020,
// except \n \r \t \b \f, or U+007F. strfry escapes U+007F, so it computes an id other than the signed one and refuses
// the event for ever.
bool has_disputed_controls(std::string_view text);
// The text with each of them replaced by U+FFFD.
std::string without_disputed_controls(std::string text);
// Returns the JSON text with each U+007F written as its escape. In JSON this character occurs only inside strings. For
// JSON that becomes part of an event.
std::string with_escaped_delete(std::string_view json);

}  // namespace nostr
