#include "cmd/text/when.h"

#include <ctime>
#include <iomanip>
#include <sstream>

#include "cmd/text/humanize.h"
#include "cmd/text/usage_error.h"

namespace cmd {
namespace {

using base::TimeMs;

std::tm local_calendar(TimeMs time) {
  const std::time_t seconds = time.ms / 1'000;
  std::tm calendar{};
  localtime_r(&seconds, &calendar);
  return calendar;
}

// The whole text in this format, or nothing; a day that its month does not have is none.
std::optional<std::tm> read_calendar(std::string_view text, const char* format) {
  std::tm calendar{};
  std::istringstream in{std::string(text)};
  in >> std::get_time(&calendar, format);
  if (in.fail() || in.peek() != std::istringstream::traits_type::eof()) return std::nullopt;
  std::tm normal = calendar;
  timegm(&normal);
  if (normal.tm_mday != calendar.tm_mday) return std::nullopt;
  calendar.tm_isdst = -1;
  return calendar;
}

}  // namespace

std::int64_t local_utc_offset(TimeMs time) {
  return local_calendar(time).tm_gmtoff * 1'000;
}

std::string local_time(TimeMs time) {
  return utc_time(time + local_utc_offset(time)).substr(0, 19).replace(10, 1, " ");
}

base::Result<TimeMs> parse_when(std::string_view text, TimeMs now) {
  if (const auto ago = parse_duration_ms(text)) return now - *ago;
  if (auto utc = read_calendar(text, "%Y-%m-%dT%H:%M:%SZ")) return TimeMs{timegm(&*utc) * 1'000};
  for (const char* format : {"%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"}) {
    if (auto local = read_calendar(text, format)) return TimeMs{std::mktime(&*local) * 1'000};
  }
  return usage_error("\"" + std::string(text) + "\" is no moment",
                     "give how long ago (90 min, 7d), a date (2026-11-20) or a time (2026-11-20T12:00:05Z)");
}

std::string ahead_of_clock(base::TimeMs last_entry, base::TimeMs now) {
  constexpr std::int64_t kToleranceMs = 60'000;
  if (last_entry - now <= kToleranceMs) return {};
  return "the ledger ends in the future, at " + local_time(last_entry) +
         ": this machine's clock was ahead then, or is late now; until it gets there, new entries bear that time and "
         "what "
         "is to be tried again waits; check the clock";
}

}  // namespace cmd
