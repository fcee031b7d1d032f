#include "cmd/text/fit.h"

#include <algorithm>
#include <utility>

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

// As many of the first characters as fit.
std::string_view beginning(std::string_view text, int width) {
  std::size_t end = 0;
  for (int taken = 0; end < text.size();) {
    std::size_t size = 1;
    while (end + size < text.size() && (static_cast<unsigned char>(text[end + size]) & 0xC0) == 0x80) ++size;
    taken += display_width(text.substr(end, size));
    if (taken > width) break;
    end += size;
  }
  return text.substr(0, end);
}

constexpr int kWidestCharacter = 2;

// The first part of a word that is broken.
std::string_view first_part(std::string_view word, int width) {
  const std::string_view most = beginning(word, width);
  const std::size_t mark = most.find_last_of("/._,:-");
  return mark == std::string_view::npos ? most : most.substr(0, mark + 1);
}

std::vector<std::string> filled(std::string_view text, int width, bool breaks_words) {
  if (display_width(text) <= width) return {std::string(text)};
  std::vector<std::string> lines;
  int taken = 0;
  for (std::string_view word = take_word(text); !word.empty(); word = take_word(text)) {
    while (breaks_words && display_width(word) > std::max(width, kWidestCharacter)) {
      lines.emplace_back(first_part(word, std::max(width, kWidestCharacter)));
      word.remove_prefix(lines.back().size());
      taken = width;
    }
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
  return std::string(beginning(text, width - 1)) + "…";
}

std::vector<std::string> wrapped(std::string_view text, int width) {
  return filled(text, width, false);
}

std::vector<std::string> folded(std::string_view text, int width) {
  return filled(text, width, true);
}

std::string wrapped_lines(std::string_view text, int width) {
  std::string out = GrowingText(width).add(std::string(text) + "\n");
  out.pop_back();
  return out;
}

std::string reflowed(std::string_view text, int width) {
  std::string joined(text);
  for (std::size_t i = 1; i + 1 < joined.size(); ++i) {
    if (joined[i] == '\n' && joined[i - 1] != '\n' && joined[i + 1] != '\n') joined[i] = ' ';
  }
  return wrapped_lines(joined, width);
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

std::string GrowingText::add(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c != ' ' && c != '\t' && c != '\n') {
      word_ += c;
      continue;
    }
    put_word(out);
    if (c != '\n') {
      blanks_ += c;
      continue;
    }
    out += c;
    blanks_.clear();
    column_ = indent_ = 0;
    begins_line_ = true;
  }
  if (display_width(word_) > width_) {
    put_word(out);
    within_word_ = true;
  }
  return out;
}

void GrowingText::interrupted() {
  blanks_.clear();
  column_ = indent_ = 0;
  within_word_ = false;
}

void GrowingText::put_word(std::string& out) {
  const bool goes_on = std::exchange(within_word_, false);
  if (word_.empty()) return;
  if (begins_line_) {
    if (word_.starts_with("```")) in_code_ = !in_code_;
    indent_ = std::min(display_width(blanks_), width_ / 2);
  } else if (!goes_on && !in_code_ && column_ > indent_ &&
             column_ + display_width(blanks_) + display_width(word_) > width_) {
    out.append("\n").append(static_cast<std::size_t>(indent_), ' ');
    blanks_.clear();
    column_ = indent_;
  }
  out.append(blanks_).append(word_);
  column_ += display_width(blanks_) + display_width(word_);
  if (column_ > width_) column_ %= width_;  // a long word goes on in the next line by itself
  begins_line_ = false;
  blanks_.clear();
  word_.clear();
}

}  // namespace cmd
