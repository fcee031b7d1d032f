#include "pipeline/nostr/relay/timing.h"

#include <algorithm>

#include "base/check.h"
#include "pipeline/nostr/relay/limits.h"

namespace nostr {

std::int64_t backoff_ms(unsigned failures, double chance) {
  constexpr unsigned kMaxDoublings = 16;
  CHECK(failures >= 1);
  const std::int64_t half = std::min(kMaxBackoffMs, kMinBackoffMs << std::min(failures - 1, kMaxDoublings)) / 2;
  return half + static_cast<std::int64_t>(chance * static_cast<double>(half));
}

std::string in_seconds(std::int64_t ms) {
  return std::to_string((ms + 999) / 1000) + " s";
}

std::string no_answer_within(std::int64_t ms, const std::string& reason) {
  return "no answer within " + in_seconds(ms) + (reason.empty() ? "" : " (" + reason + ")");
}

void wake_by(std::optional<base::TimeMs>& wake, std::optional<base::TimeMs> at) {
  if (at) wake = wake ? std::min(*wake, *at) : *at;
}

}  // namespace nostr
