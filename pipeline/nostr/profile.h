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

// The kind 0 that must replace `existing` (our newest so far; null: none) so that it says what `ours` says. Fields that
// `ours` does not say, and those that we know nothing of, stay to the letter, and so do the tags; a content that is no
// JSON object is replaced. Nothing when `existing` says all of it already. The time is left for the caller.
std::optional<Unsigned> updated_profile(const Profile& ours, const Event* existing);

}  // namespace nostr
