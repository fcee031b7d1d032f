// Text that must fit the width of a terminal: the columns of a table, and long texts in them. All widths are in
// terminal columns, as display_width() counts them.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace cmd {

inline constexpr int kColumnGap = 2;  // between two columns of a table

// What one column of a table asks for.
struct ColumnNeed {
  int full = 0;   // its widest text; 0: the column is not shown
  int least = 0;  // what it must have if it is shown at all; at most `full`
  int worth = 0;  // columns of the least worth are left out first
};
inline constexpr int kEssential = 100;  // the worth of a column that is never left out

// The width of each column, so that all of them with their gaps fit into `width`; 0: left out. First, columns are left
// out until each of the others has its `least` width: the column of the least worth goes first, of equal ones the last.
// Then the widest column becomes narrower, again and again. If even the `least` widths of the essential columns do
// not fit, these columns get them all the same.
std::vector<int> fit_columns(std::span<const ColumnNeed> needs, int width);

// The text if it fits, else its beginning and "…".
std::string shortened(std::string_view text, int width);

// The text in lines, broken at spaces. A word that is longer than a line stays whole, so that it can be copied. One
// line at least.
std::vector<std::string> wrapped(std::string_view text, int width);

// The same as one text, with line feeds between the lines and `indent` spaces before all but the first. Every line has
// at most `width` - `indent` columns of text, the first one too.
std::string paragraph(std::string_view text, int width, int indent = 0);

// The width of the longest word.
int longest_word(std::string_view text);

}  // namespace cmd
