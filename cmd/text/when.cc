#include "cmd/text/when.h"

#include <charconv>
#include <ctime>
#include <iomanip>
#include <sstream>

#include "base/ascii.h"
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

// Takes ".250" off the end, if it is there; nothing for another number of digits.
std::int64_t take_milliseconds(std::string& text) {
  constexpr std::size_t kSize = 4;
  if (text.size() < kSize || text[text.size() - kSize] != '.') return 0;
  std::int64_t ms = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(end - kSize + 1, end, ms);
  if (error != std::errc() || rest != end) return 0;
  text.resize(text.size() - kSize);
  return ms;
}

// A date, and a time if there is one: in UTC where it ends in Z, else local.
std::optional<TimeMs> read_date(std::string text) {
  constexpr std::size_t kDateSize = 10;
  const bool utc = text.ends_with('Z');
  if (utc) text.pop_back();
  const std::int64_t ms = take_milliseconds(text);
  if (text.size() > kDateSize && text[kDateSize] == 'T') text[kDateSize] = ' ';
  for (const char* format : {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"}) {
    auto calendar = read_calendar(text, format);
    if (calendar) return TimeMs{(utc ? timegm(&*calendar) : std::mktime(&*calendar)) * 1'000 + ms};
  }
  return std::nullopt;
}

std::string date_of(TimeMs time) {
  return local_time(time).substr(0, 10);
}

std::string yesterday(TimeMs now) {
  return date_of(read_date(date_of(now)).value_or(now) - 12 * base::kHourMs);
}

// "today", "yesterday 21:30", and a time alone: the last one that was not later than now.
std::optional<TimeMs> read_day(const std::string& text, TimeMs now) {
  for (const auto& [name, date] : {std::pair("today", date_of(now)), std::pair("yesterday", yesterday(now))}) {
    if (base::lower(text).starts_with(name)) return read_date(date + text.substr(std::string_view(name).size()));
  }
  const auto today = read_date(date_of(now) + " " + text);
  return !today || *today <= now ? today : read_date(yesterday(now) + " " + text);
}

// As programs get moments: thirteen digits, from 2001 to 2286.
std::optional<TimeMs> read_milliseconds(std::string_view text) {
  constexpr std::size_t kDigits = 13;
  std::int64_t ms = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), ms);
  const bool whole = error == std::errc() && rest == text.data() + text.size();
  return whole && text.size() == kDigits && ms > 0 ? std::optional(TimeMs{ms}) : std::nullopt;
}

}  // namespace

std::int64_t local_utc_offset(TimeMs time) {
  return local_calendar(time).tm_gmtoff * 1'000;
}

std::string local_time(TimeMs time) {
  return utc_time(time + local_utc_offset(time)).substr(0, 19).replace(10, 1, " ");
}

base::Result<TimeMs> parse_when(std::string_view text, TimeMs now) {
  constexpr std::string_view kAgo = " ago";
  const bool says_ago = text.ends_with(kAgo);
  if (const auto ago = parse_typed_duration_ms(text.substr(0, text.size() - (says_ago ? kAgo.size() : 0))))
    return now - *ago;
  if (const auto moment = read_milliseconds(text)) return *moment;
  if (const auto date = read_date(std::string(text))) return *date;
  if (const auto day = read_day(std::string(text), now)) return *day;
  return usage_error(
      "\"" + std::string(text) + "\" is no moment",
      "give how long ago (90s, 5m, 2h, 7d, 1w), a day (today, yesterday, 2026-11-20), a time (21:30), or both "
      "(yesterday 21:30, 2026-11-20T12:00:05Z)");
}

}  // namespace cmd
