// Pauses, and how times are named in messages. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/types.h"

namespace nostr {

// The pause in milliseconds before the next try after `failures` failures in a row (at least 1): it doubles from
// kMinBackoffMs up to kMaxBackoffMs. `chance` in [0, 1) decides half of it, so that the clients of a relay that
// comes back do not all dial at once.
std::int64_t backoff_ms(unsigned failures, double chance);

// "15 s"; rounded up.
std::string in_seconds(std::int64_t ms);
// "no answer within 15 s", with " (reason)" unless the reason is empty.
std::string no_answer_within(std::int64_t ms, const std::string& reason = {});

// Moves `wake` forward to `at` if it is later or not set.
void wake_by(std::optional<base::TimeMs>& wake, std::optional<base::TimeMs> at);

}  // namespace nostr
