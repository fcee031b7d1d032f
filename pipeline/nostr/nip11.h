// NIP-11: the information document of a relay, with the limits that it sets. Read liberally: a value of the wrong type,
// or one that makes no sense, counts as absent. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace nostr {

inline constexpr std::size_t kMaxRelayInfoBytes = 64 * 1024;
inline constexpr std::size_t kMaxRelayNameBytes = 200;  // longer names are cut

// Limits are in the units of NIP-11; no value: the document does not state the limit.
struct RelayInfo {
  std::string name;
  std::string software;
  std::optional<std::int64_t> max_message_length;  // bytes of one websocket message
  std::optional<std::int64_t> max_content_length;  // characters of an event's content
  std::optional<std::int64_t> max_event_tags;
  std::optional<std::int64_t> max_limit;               // of a filter
  std::optional<std::int64_t> min_pow_difficulty;      // leading zero bits (NIP-13)
  std::optional<std::int64_t> created_at_lower_limit;  // seconds into the past
  std::optional<std::int64_t> created_at_upper_limit;  // seconds into the future
  bool auth_required = false;
  bool payment_required = false;
  bool restricted_writes = false;
  bool operator==(const RelayInfo&) const = default;
};

// The JSON document that a relay serves as application/nostr+json. Fails with "nip11.too_large", or "nip11.malformed"
// when it is no JSON object.
base::Result<RelayInfo> parse_relay_info(std::string_view document);

}  // namespace nostr
