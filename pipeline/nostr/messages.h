// The messages between a client and a relay (NIP-01, NIP-42). Pure.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "pipeline/nostr/event.h"
#include "pipeline/nostr/nip01.h"

namespace nostr {

inline constexpr std::size_t kMaxFrameBytes = kMaxEventBytes + 1024;  // an event and what stands around it
inline constexpr std::size_t kMaxRelayTextBytes = 512;  // of a relay's text for people; the rest is cut off

// ---- what we say ----------------------------------------------------------------------------------------------------

// A condition on events. An event must match every member that is present, by at least one of its values.
struct Filter {
  std::vector<EventId> ids;
  std::vector<PublicKey> authors;
  std::vector<std::uint32_t> kinds;
  std::vector<std::pair<char, std::vector<std::string>>> tags;  // {'p', {…}} is "#p"
  std::optional<std::int64_t> since_s;                          // created_at >= since
  std::optional<std::int64_t> until_s;                          // created_at <= until
  std::optional<std::uint64_t> limit;                           // of stored events
};

std::string to_json(const Filter& filter);

// `event_json` is the event's wire form.
std::string event_message(std::string_view event_json);
std::string auth_message(std::string_view event_json);
std::string req_message(std::string_view subscription, std::span<const Filter> filters);
std::string close_message(std::string_view subscription);

// ---- what a relay says ----------------------------------------------------------------------------------------------

// An event of a subscription: parsed, not verified. `raw` is its JSON text inside the frame and lives as long as the
// frame.
struct RelayEvent {
  std::string subscription;
  Event event;
  std::string_view raw;
};

// The answer to a publication; `message` is "" or starts with a machine-readable word (machine_word()).
struct RelayOk {
  EventId event;
  bool accepted = false;
  std::string message;
};

// All stored events of the subscription have been sent.
struct RelayEose {
  std::string subscription;
};

// The relay ended the subscription, or never began it.
struct RelayClosed {
  std::string subscription;
  std::string message;
};

struct RelayNotice {
  std::string message;
};

// NIP-42: the relay wants to know who we are.
struct RelayAuth {
  std::string challenge;
};

using RelayMessage = std::variant<RelayEvent, RelayOk, RelayEose, RelayClosed, RelayNotice, RelayAuth>;

// One frame. Fails with "relay.too_large", "relay.malformed", "relay.unknown_message" (a type that we do not know:
// ignore it), or with the "event.…" code of the event inside.
Result<RelayMessage> parse_relay_message(std::string_view frame, std::size_t max_bytes = kMaxFrameBytes);

// What a relay says to a person, made harmless: UTF-8, one line, no control characters, at most kMaxRelayTextBytes.
std::string clean_relay_text(std::string_view text);

// ---- what a refusal means -------------------------------------------------------------------------------------------

// The machine word of an OK or CLOSED message (NIP-01, NIP-42): "duplicate" of "duplicate: have it", "" where there is
// none. Read as relays write it: strfry puts "ERROR: " before the word in CLOSED, some leave the colon out when nothing
// follows.
std::string_view machine_word(std::string_view message);

// True if a CLOSED or NOTICE message means, or may mean, that the relay does not accept our filter, because the filter
// names neither an author nor a tag, or names too much. No standard word is reserved for this, so "blocked", "invalid",
// "restricted", "unsupported" and any text with "filter" or "bad req" count; strfry sends "ERROR: bad req: …".
bool refuses_filter(std::string_view message);

// What an event that a relay did not take needs.
enum class Rejection {
  passing,     // another try later: `error:`, a time-out, or an unknown word
  too_fast,    // another try much later, and fewer events until then: `rate-limited:`
  needs_work,  // as many zero bits as work_asked() says, which makes it another event: `pow:` (NIP-13)
  for_good,    // nothing: `blocked:`, `invalid:`, `restricted:`, `mute:`, `auth-required:` from a relay that knows us
};
// `message` is a relay's, or what we say ourselves instead of sending the event.
Rejection rejection(std::string_view message);

// The difficulty that a `pow:` message asks for: the largest number in it that can be one, for relays say it in many
// ways ("difficulty 26 is less than 30", "25 bits needed"). Nothing if it names none.
std::optional<unsigned> work_asked(std::string_view message);

// Our own message for an event that is not sent because it is longer than the relay accepts (NIP-11).
std::string too_long_for_relay(std::size_t max_bytes);

}  // namespace nostr
