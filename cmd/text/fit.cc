#include "cmd/text/fit.h"

#include <algorithm>

#include "cmd/text/humanize.h"

namespace cmd {
namespace {

// What the shown columns take side by side; `width_of` says how wide each is.
template <class WidthOf>
int total(std::span<const ColumnNeed> needs, const std::vector<bool>& shown, const WidthOf& width_of) {
  int sum = -kColumnGap;
  for (std::size_t i = 0; i < needs.size(); ++i) {
    if (shown[i]) sum += width_of(i) + kColumnGap;
  }
  return sum;
}

// The shown column to leave out next, or needs.size() when only essential ones are left.
std::size_t least_worth(std::span<const ColumnNeed> needs, const std::vector<bool>& shown) {
  std::size_t out = needs.size();
  for (std::size_t i = 0; i < needs.size(); ++i) {
    if (!shown[i] || needs[i].worth >= kEssential) continue;
    if (out == needs.size() || needs[i].worth <= needs[out].worth) out = i;
  }
  return out;
}

// Takes the next word and the spaces before it off the front; empty at the end.
std::string_view take_word(std::string_view& text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  const std::string_view word = text.substr(0, text.find(' '));
  text.remove_prefix(word.size());
  return word;
}

}  // namespace

std::vector<int> fit_columns(std::span<const ColumnNeed> needs, int width) {
  std::vector<bool> shown;
  for (const ColumnNeed& need : needs) shown.push_back(need.full > 0);
  while (total(needs, shown, [&](std::size_t i) { return needs[i].least; }) > width) {
    const std::size_t next = least_worth(needs, shown);
    if (next == needs.size()) break;
    shown[next] = false;
  }
  std::vector<int> widths;
  for (std::size_t i = 0; i < needs.size(); ++i) widths.push_back(shown[i] ? needs[i].full : 0);
  while (total(needs, shown, [&](std::size_t i) { return widths[i]; }) > width) {
    std::size_t widest = needs.size();
    for (std::size_t i = 0; i < needs.size(); ++i) {
      const bool may_shrink = shown[i] && widths[i] > needs[i].least;
      if (may_shrink && (widest == needs.size() || widths[i] > widths[widest])) widest = i;
    }
    if (widest == needs.size()) break;
    --widths[widest];
  }
  return widths;
}

std::string shortened(std::string_view text, int width) {
  if (display_width(text) <= width) return std::string(text);
  std::string out;
  int taken = 1;  // the "…"
  while (!text.empty()) {
    std::size_t size = 1;
    while (size < text.size() && (static_cast<unsigned char>(text[size]) & 0xC0) == 0x80) ++size;
    const std::string_view character = text.substr(0, size);
    taken += display_width(character);
    if (taken > width) break;
    out += character;
    text.remove_prefix(size);
  }
  return out + "…";
}

std::vector<std::string> wrapped(std::string_view text, int width) {
  if (display_width(text) <= width) return {std::string(text)};
  std::vector<std::string> lines;
  int taken = 0;
  for (std::string_view word = take_word(text); !word.empty(); word = take_word(text)) {
    const int more = display_width(word);
    if (lines.empty() || taken + 1 + more > width) {
      lines.emplace_back(word);
      taken = more;
    } else {
      lines.back().append(" ").append(word);
      taken += 1 + more;
    }
  }
  if (lines.empty()) lines.emplace_back();
  return lines;
}

std::string paragraph(std::string_view text, int width, int indent) {
  std::string out;
  for (const std::string& line : wrapped(text, width - indent)) {
    if (!out.empty()) out.append("\n").append(static_cast<std::size_t>(indent), ' ');
    out += line;
  }
  return out;
}

int longest_word(std::string_view text) {
  int longest = 0;
  for (std::string_view word = take_word(text); !word.empty(); word = take_word(text)) {
    longest = std::max(longest, display_width(word));
  }
  return longest;
}

}  // namespace cmd
