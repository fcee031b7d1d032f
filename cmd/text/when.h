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

// A moment as it is given in options, and as commands print it: "7d", "5m", "5 min ago"; "2026-11-20" (its local midnight),
// "today", "yesterday"; "21:30" (the last one); a day and a time, as "yesterday 21:30" or "2026-11-20 13:00:05"
// (local), with T for the space, in UTC with a Z behind it ("2026-11-20T12:00:05.250Z"); milliseconds since 1970, as in
// --json. Fails as a usage error.
base::Result<base::TimeMs> parse_when(std::string_view text, base::TimeMs now);

}  // namespace cmd
