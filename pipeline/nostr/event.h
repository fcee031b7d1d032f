// A Nostr event (NIP-01) as a value, its canonical bytes and its wire form. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace nostr {

using base::EventId;
using base::PublicKey;
using base::Result;
using base::Signature;

using Tag = std::vector<std::string>;

inline constexpr std::uint32_t kDeletionKind = 5;  // NIP-09: its author withdraws events

struct Event {
  EventId id;
  PublicKey pubkey;
  std::int64_t created_at = 0;  // seconds
  std::uint32_t kind = 0;
  std::vector<Tag> tags;
  std::string content;
  Signature sig;

  bool operator==(const Event&) const = default;

  // The first value of the first tag with this name, or nothing.
  std::optional<std::string_view> tag_value(std::string_view name) const;
};

// An event that lacks its key and its signature.
struct Unsigned {
  std::uint32_t kind = 0;
  std::int64_t created_at_s = 0;
  std::vector<Tag> tags;
  std::string content;
};

}  // namespace nostr
