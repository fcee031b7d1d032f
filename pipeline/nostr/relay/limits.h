// The limits of one relay session: times in milliseconds, sizes in bytes. Pure data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace nostr {

// ---- the connection -------------------------------------------------------------------------------------------------

inline constexpr std::int64_t kDialTimeoutMs = 15'000;   // name, TCP, TLS and upgrade together
inline constexpr std::int64_t kPingIntervalMs = 30'000;  // of silence
inline constexpr std::int64_t kPongTimeoutMs = 15'000;
inline constexpr std::int64_t kIdleMs = 60'000;  // a guest is disconnected this long after its last work
inline constexpr std::int64_t kMinBackoffMs = 1'000;
inline constexpr std::int64_t kMaxBackoffMs = 300'000;
inline constexpr std::int64_t kStableMs = 60'000;  // a connection that lasted this long resets the back-off

// ---- publications ---------------------------------------------------------------------------------------------------

inline constexpr std::int64_t kPublishTimeoutMs = 30'000;  // from publish() to its answer at the latest
inline constexpr std::int64_t kSlowMs = 60'000;            // after `rate-limited:` publications are sent …
inline constexpr std::int64_t kSlowPaceMs = 2'000;         // … no faster than one in this time
inline constexpr std::size_t kMaxPublications = 256;       // waiting for an answer; more are refused at once
inline constexpr std::size_t kMaxPublicationBytes = 4 * 1024 * 1024;

// The limits that a relay states in its information document (NIP-11, `limitation`).
struct RelayLimits {
  std::optional<std::size_t> max_message_length;  // bytes of one message to the relay
  unsigned min_pow_difficulty = 0;                // of each event (NIP-13)
  std::optional<std::uint64_t> max_limit;         // events of one filter
};

// ---- queries and subscriptions --------------------------------------------------------------------------------------

inline constexpr std::int64_t kQueryTimeoutMs = 10'000;  // from query() to its answer at the latest
// The most kinds of one filter that we send: strfry's default where it checks filters (`filterValidation`).
inline constexpr std::size_t kMaxKindsPerFilter = 3;
inline constexpr std::int64_t kResubscribeMs = 1'000;  // between two REQs for one subscription that changes
// A relay sends its newest stored events, at most as many as it likes. After a page of this many or more the session
// asks for older ones, until none come.
inline constexpr std::size_t kFullPage = 20;
// The limit with which a single second is asked for at a relay that states no limit of its own (NIP-11).
inline constexpr std::uint64_t kMaxPage = 5'000;
// A page of stored events for which neither an event nor its end comes for this long counts as refused.
inline constexpr std::int64_t kPageTimeoutMs = 60'000;

// ---- what ends a connection -----------------------------------------------------------------------------------------

inline constexpr unsigned kMaxBadFrames = 20;         // per connection
inline constexpr unsigned kMaxAuths = 3;              // per connection
inline constexpr unsigned kMaxNoticesPerMinute = 10;  // that are reported; what a relay says beyond them is not
// Junk is an event that no honest relay sends: forged, or not asked for. More than this in a minute ends the connection
// and delays the next one, so that a hostile relay cannot keep us busy with its signatures. A few unasked events are
// normal: they cross a CLOSE of ours.
inline constexpr unsigned kMaxJunkPerMinute = 500;
// Chatter is what is allowed and of no use: pings and pongs that we did not ask for, notices, challenges, answers to
// nothing, messages of an unknown type. More than this in a minute ends the connection in the same way.
inline constexpr unsigned kMaxChatterPerMinute = 3'000;
inline constexpr std::int64_t kJunkBackoffMs = 60'000;

}  // namespace nostr
