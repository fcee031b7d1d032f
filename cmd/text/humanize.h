// Amounts, times and names as people read and write them. Pure text; every function is total.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/types.h"

namespace cmd {

// 41208 as "41,208".
std::string grouped(std::int64_t number);

// "1 job", "1,234 jobs"; where another plural than one with an s is needed, it is `many`.
std::string counted(std::uint64_t count, std::string_view one, std::string_view many = {});

// "1,234 sat"; fractions of a sat as decimals: "9.5 sat", "0.021 sat".
std::string sats(base::Msat amount);

// How long ago or how old, in one rounded-down unit: "12 s", "3 min", "5 h", "2 d". Negative ages count as none.
std::string age(std::int64_t age_ms);

// How long something took: "38 ms", "1.2 s", and from a minute on as `age` says it.
std::string took(std::int64_t duration_ms);

// The last millisecond that took() writes like this: "1.2 s" is 1299, "3 min" is 239999. Nothing for any other text.
std::optional<std::int64_t> parse_took_ms(std::string_view text);

// A duration as it is written in settings and options: a whole number and ms, s, min, h, d or w, with or without a
// space ("90 s", "15min", "30 d"). Returns nothing for any other text.
std::optional<std::int64_t> parse_duration_ms(std::string_view text);
// The shortest text that parse_duration_ms reads back exactly: 3600000 is "1 h".
std::string duration_text(std::int64_t duration_ms);

// RFC 3339 in UTC with milliseconds: "2026-11-20T12:00:00.250Z".
std::string utc_time(base::TimeMs time);

// The first eight digits of an id: enough to tell jobs apart on a screen, and any unique prefix is accepted back.
std::string short_id(std::string_view hex);
// "npub1wu7e…": the first nine characters of a bech32 text.
std::string short_npub(std::string_view npub);

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
