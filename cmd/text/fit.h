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

// wrapped(), but a word that is longer than a line is broken, after one of "/._,:-" where there is one.
std::vector<std::string> folded(std::string_view text, int width);

// Each line of a text wrapped by itself. A line goes on as far from the margin as it begins.
std::string wrapped_lines(std::string_view text, int width);

// Paragraphs, between which there are empty lines, wrapped anew: other line breaks in the text count as spaces.
std::string reflowed(std::string_view text, int width);

// The width of the longest word.
int longest_word(std::string_view text);

// Text that is wrapped at spaces while it still grows, as wrapped_lines() does it. Lines of code, between two lines
// that begin with ```, stay as they are, so that they can be copied.
class GrowingText {
 public:
  explicit GrowingText(int width) : width_(width) {}

  // Returns what can be printed now. The last word is kept back until its end comes, because it may not fit; only the
  // beginning of a word that is longer than a line is not kept back.
  std::string add(std::string_view text);
  // Call it if other lines have been printed meanwhile: what comes next begins a line.
  void interrupted();

 private:
  void put_word(std::string& out);

  const int width_;
  std::string blanks_, word_;  // not printed yet
  int column_ = 0;             // where the next character goes
  int indent_ = 0;             // of the line
  bool begins_line_ = true;    // nothing of the line has been printed
  bool within_word_ = false;   // the beginning of `word_` has been printed
  bool in_code_ = false;
};

}  // namespace cmd
