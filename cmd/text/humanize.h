// Amounts, times and names as people read and write them. Pure text; every function is total.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/number_text.h"
#include "base/types.h"

namespace cmd {

using base::age;
using base::counted;
using base::grouped;
using base::sats;
using base::took;

// The last millisecond that took() writes like this: "1.2 s" is 1299, "3 min" is 239999. Nothing for any other text.
std::optional<std::int64_t> parse_took_ms(std::string_view text);

// A duration as it is written in settings and options: a whole number and ms, s, min, h, d or w, with or without a
// space ("90 s", "15min", "30 d"). Returns nothing for any other text.
std::optional<std::int64_t> parse_duration_ms(std::string_view text);
// The same as people type it on a command line, where "m" is short for "min" ("5m").
std::optional<std::int64_t> parse_typed_duration_ms(std::string_view text);
// The shortest text that parse_duration_ms reads back exactly: 3600000 is "1 h".
std::string duration_text(std::int64_t duration_ms);

// RFC 3339 in UTC with milliseconds: "2026-11-20T12:00:00.250Z".
std::string utc_time(base::TimeMs time);

// The first eight digits of an id: enough to tell jobs apart on a screen, and any unique prefix is accepted back.
std::string short_id(std::string_view hex);
// "npub1wu7e…": the first nine characters of a bech32 text.
std::string short_npub(std::string_view npub);

// A path for people: "~/demo" for a path below `home`, which may be empty. Programs do not know the "~".
std::string path_text(const std::filesystem::path& path, const std::filesystem::path& home);

// value / maximum of `width` columns, drawn in eighths of a block. Nothing where the value or the maximum is not
// positive.
std::string bar(std::int64_t value, std::int64_t maximum, int width);

// The columns a text takes on a terminal: combining marks none, East Asian wide characters and emoji two (Unicode's
// EastAsianWidth, by libunistring).
int display_width(std::string_view utf8);

// The text with control characters and broken UTF-8 replaced by U+FFFD, and line breaks and tabs by a space: what
// strangers wrote must not command the terminal.
std::string printable(std::string_view text);
// The same, but tabs and line breaks stay, "\r\n" as "\n".
std::string printable_lines(std::string_view text);
// The same JSON text with all that printable() replaces as escapes (\u009b): it says the same, and commands no
// terminal.
std::string printable_json(std::string_view json);

// The candidate nearest to a mistyped word, if any is near enough to be meant.
template <class Range>
std::optional<std::string> nearest(std::string_view word, const Range& candidates);

// How many letters must be put in, left out, changed or swapped with their neighbour to make one word the other.
std::size_t edit_distance(std::string_view a, std::string_view b);

// ---- details --------------------------------------------------------------------------------------------------------

template <class Range>
std::optional<std::string> nearest(std::string_view word, const Range& candidates) {
  std::optional<std::string> best;
  std::size_t best_distance = word.size() / 3 + 1;  // a third of it may be wrong
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance > best_distance || (best && distance == best_distance)) continue;
    best = std::string(candidate);
    best_distance = distance;
  }
  return best;
}

}  // namespace cmd
