#include "cmd/text/humanize.h"

#include <uniwidth.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>
#include <limits>
#include <vector>

namespace cmd {
namespace {

constexpr std::string_view kReplacement = "\xEF\xBF\xBD";  // U+FFFD
constexpr char32_t kBroken = 0xFFFFFFFF;

struct Unit {
  std::string_view name;
  std::int64_t ms;
};
constexpr std::array<Unit, 6> kUnits = {
    {{"ms", 1}, {"s", 1'000}, {"min", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}, {"w", 604'800'000}}};

// Takes one code point off the front (RFC 3629: no overlong forms, no surrogates); kBroken takes one byte.
char32_t take_code_point(std::string_view& text) {
  const auto first = static_cast<std::uint8_t>(text.front());
  const std::size_t size = first < 0x80   ? 1
                           : first < 0xC2 ? 0
                           : first < 0xE0 ? 2
                           : first < 0xF0 ? 3
                           : first < 0xF5 ? 4
                                          : 0;
  char32_t code = size <= 1 ? first : first & (0x7F >> size);
  bool good = size != 0 && size <= text.size();
  for (std::size_t i = 1; good && i < size; ++i) {
    const auto next = static_cast<std::uint8_t>(text[i]);
    good = (next & 0xC0) == 0x80;
    code = code << 6 | (next & 0x3F);
  }
  good = good && !(size == 3 && (code < 0x800 || (code >= 0xD800 && code < 0xE000))) &&
         !(size == 4 && (code < 0x10000 || code > 0x10FFFF));
  text.remove_prefix(good ? size : 1);
  return good ? code : kBroken;
}

// C0, DEL and C1 controls, line and paragraph separators, and the marks that turn the direction of text.
bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == kBroken || code == 0x061C || code == 0x200E ||
         code == 0x200F || (code >= 0x2028 && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

}  // namespace

std::optional<std::int64_t> parse_duration_ms(std::string_view text) {
  std::int64_t number = 0;
  const auto [rest, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(rest - text.data()));
  if (unit.starts_with(' ')) unit.remove_prefix(1);
  for (const Unit& known : kUnits) {
    if (unit != known.name) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / known.ms) return std::nullopt;
    return number * known.ms;
  }
  return std::nullopt;
}

std::optional<std::int64_t> parse_typed_duration_ms(std::string_view text) {
  const bool is_short = text.ends_with('m');
  return parse_duration_ms(is_short ? std::string(text) + "in" : std::string(text));
}

std::optional<std::int64_t> parse_took_ms(std::string_view text) {
  std::string whole(text);
  std::int64_t tenths = 0;
  if (const auto point = whole.find('.'); point != std::string::npos) {
    if (point + 2 >= whole.size() || whole[point + 1] < '0' || whole[point + 1] > '9') return std::nullopt;
    tenths = whole[point + 1] - '0';
    whole.erase(point, 2);
    if (whole.substr(point) != " s" && whole.substr(point) != "s") return std::nullopt;
  }
  std::erase(whole, ',');
  const auto from = parse_duration_ms(whole);
  if (!from) return std::nullopt;
  if (whole.ends_with("ms")) return from;
  if (whole.ends_with('s')) return *from + tenths * 100 + 99;
  const auto unit = std::ranges::find_if(kUnits, [&](const Unit& one) { return whole.ends_with(one.name); });
  return *from + unit->ms - 1;
}

std::string duration_text(std::int64_t duration_ms) {
  Unit best = kUnits.front();
  for (const Unit& unit : kUnits) {
    if (unit.name != "w" && duration_ms != 0 && duration_ms % unit.ms == 0) best = unit;
  }
  if (duration_ms == 0) best = kUnits[1];
  return std::to_string(duration_ms / best.ms) + " " + std::string(best.name);
}

std::string utc_time(base::TimeMs time) {
  using namespace std::chrono;
  const sys_time<milliseconds> instant{milliseconds{time.ms}};
  const auto day = floor<days>(instant);
  const year_month_day date{day};
  const hh_mm_ss clock{instant - day};
  const auto pad = [](std::int64_t number, std::size_t width) {
    std::string digits = std::to_string(number);
    return digits.size() < width ? std::string(width - digits.size(), '0') + digits : digits;
  };
  return pad(int{date.year()}, 4) + "-" + pad(unsigned{date.month()}, 2) + "-" + pad(unsigned{date.day()}, 2) + "T" +
         pad(clock.hours().count(), 2) + ":" + pad(clock.minutes().count(), 2) + ":" + pad(clock.seconds().count(), 2) +
         "." + pad(clock.subseconds().count(), 3) + "Z";
}

std::string short_id(std::string_view hex) {
  return std::string(hex.substr(0, 8));
}

std::string short_npub(std::string_view npub) {
  constexpr std::size_t kShown = 9;
  return npub.size() <= kShown ? std::string(npub) : std::string(npub.substr(0, kShown)) + "…";
}

std::string path_text(const std::filesystem::path& path, const std::filesystem::path& home) {
  const std::filesystem::path below = path.lexically_relative(home);
  const bool is_below = !home.empty() && !below.empty() && *below.begin() != ".." && *below.begin() != ".";
  return is_below ? (std::filesystem::path("~") / below).string() : path.string();
}

std::string bar(std::int64_t value, std::int64_t maximum, int width) {
  constexpr std::array<std::string_view, 8> kEighths = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
  if (value <= 0 || maximum <= 0 || width <= 0) return {};
  const double share = std::min(1.0, static_cast<double>(value) / static_cast<double>(maximum));
  const auto eighths = std::max<std::size_t>(1, static_cast<std::size_t>(std::lround(share * width * 8)));
  std::string out;
  for (std::size_t i = 0; i < eighths / 8; ++i) out += "█";
  return out.append(kEighths[eighths % 8]);
}

int display_width(std::string_view utf8) {
  int columns = 0;
  while (!utf8.empty()) {
    const char32_t code = take_code_point(utf8);
    const int width = code == kBroken ? -1 : uc_width(code, "UTF-8");
    columns += width < 0 ? 1 : width;  // what is printed as U+FFFD
  }
  return columns;
}

std::string printable(std::string_view text) {
  std::string line(text);
  std::ranges::replace_if(
      line, [](char c) { return c == '\n' || c == '\r' || c == '\t'; }, ' ');
  return printable_lines(line);
}

std::string printable_lines(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const std::string_view before = text;
    const char32_t code = take_code_point(text);
    const bool is_layout = code == '\n' || code == '\t';
    if (code == '\r' && text.starts_with('\n')) continue;
    if (is_control(code) && !is_layout)
      out += kReplacement;
    else
      out += before.substr(0, before.size() - text.size());
  }
  return out;
}

// What is replaced elsewhere has at most four digits of hex, and stands inside strings.
std::string printable_json(std::string_view json) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  out.reserve(json.size());
  while (!json.empty()) {
    const std::string_view before = json;
    const char32_t code = take_code_point(json);
    if (!is_control(code) || code == kBroken || code == '\n') {
      out += before.substr(0, before.size() - json.size());
      continue;
    }
    out += "\\u";
    for (int shift = 12; shift >= 0; shift -= 4) out += kDigits[code >> shift & 0xf];
  }
  return out;
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before_last, last(b.size() + 1), row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      row[j] = std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1)});
      const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
      if (swapped) row[j] = std::min(row[j], before_last[j - 2] + 1);
    }
    before_last = last;
    last = row;
  }
  return last[b.size()];
}

}  // namespace cmd
