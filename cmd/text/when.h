// Moments as people write and read them, in the time zone of this machine (TZ).
#pragma once

#include <string>

#include "base/result.h"
#include "base/types.h"

namespace cmd {

// How far this machine's clocks are ahead of UTC at a moment, in ms.
std::int64_t local_utc_offset(base::TimeMs time);

// "2026-11-20 13:00:05".
std::string local_time(base::TimeMs time);

// A moment as it is given in options: "7d" (so long ago), "2026-11-20" (its local midnight), "2026-11-20T13:00:05"
// (local) or "2026-11-20T12:00:05Z". Fails as a usage error.
base::Result<base::TimeMs> parse_when(std::string_view text, base::TimeMs now);

// What is wrong with a ledger whose last entry is more than a minute ahead of this machine's clock, and what to do; else
// empty.
std::string ahead_of_clock(base::TimeMs last_entry, base::TimeMs now);

}  // namespace cmd
