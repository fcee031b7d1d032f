// Who somebody is: kind 0 (NIP-01, NIP-24), and the same fields inside other events. Pure.
#pragma once

#include <optional>

#include "pipeline/nostr/event.h"

namespace nostr {

inline constexpr std::uint32_t kProfileKind = 0;

// Empty: not said.
struct Profile {
  std::string name;
  std::string about;
  std::string picture;  // the address of an image
  std::string lud16;    // a Lightning address, for tips
  bool operator==(const Profile&) const = default;

  bool says_nothing() const { return *this == Profile{}; }
};

// The kind 0 event that must replace `existing` (our newest one; null: none) so that it has every field of `ours`.
// Fields that are empty in `ours`, unknown fields and tags are kept unchanged. Content that is not a JSON object is
// replaced. Returns nothing if `existing` has all fields already, or if `ours` is empty. The caller sets the time.
std::optional<Unsigned> updated_profile(const Profile& ours, const Event* existing);

}  // namespace nostr
