// What commands print: one table in three formats. Rows are given once and printed aligned for people, as one JSON
// object per line, or as CSV. Data goes to stdout; everything else to stderr (cmd/cli/command.h).
#pragma once

#include <iosfwd>
#include <limits>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "cmd/text/fit.h"

namespace cmd {

enum class Format { people, json, csv };
enum class ColourChoice { automatic, always, never };
enum class Colour { plain, bold, dim, red, green, yellow };

inline constexpr int kAnyWidth = std::numeric_limits<int>::max();

// What the receiver of our output can do with it.
struct Terminal {
  bool is_terminal = false;  // it executes control characters, so strangers' text must have none
  bool interactive = false;  // a person watches: progress and animation make sense
  bool colour = false;
  int width = kAnyWidth;  // columns; kAnyWidth: lines may be as long as they like

  // The text in a colour, or as it is where colours are off.
  std::string paint(Colour colour, std::string_view text) const;
  // What strangers wrote, of any number of lines: printable_lines() of it for a terminal; a file or a program gets the
  // bytes as they are.
  std::string strangers(std::string_view text) const;
};

// Colours are on when chosen, or when `file_descriptor` is a terminal that is not TERM=dumb and NO_COLOR
// (https://no-color.org) is not set. The width is that of `columns`, else the terminal's own, else 80 on a terminal.
// `no_color`, `term` and `columns` are the environment variables of these names, empty if unset.
Terminal detect_terminal(int file_descriptor, ColourChoice choice, std::string_view no_color, std::string_view term,
                         std::string_view columns = {});

// The columns of a terminal as they are now, which the user may have changed since detect_terminal(); `otherwise` if the
// system does not tell.
int current_width(int file_descriptor, int otherwise);

// One JSON value on one line. Broken UTF-8 becomes U+FFFD instead of failing; characters that command or mislead a
// terminal are escaped (\u001b, \u009b, \u202e), which changes nothing for a JSON reader.
std::string json_line(const nlohmann::ordered_json& value);

enum class Align { left, right };

// What becomes of a column's texts where the table is wider than the terminal.
enum class Fit {
  wrap,   // they go on in the lines below; long words stay whole, so that they can be copied
  fold,   // they go on in the lines below, long words too
  cut,    // they end in "…"
  whole,  // they stay whole; columns that are aligned to the right always do
};

struct Column {
  std::string title;  // for people; empty: a column without a heading
  std::string key;    // for programs; empty: people only (a bar, a hint). Keys are a promise: they are only ever added
  Align align = Align::left;
  Fit fit = Fit::wrap;
  int worth = kEssential;  // where the terminal is too narrow, the columns of the least worth are left out first
  int least = 0;           // of a text that is cut: columns of less worth are left out before it has less than this
};

// One fact, said twice: `text` for people, `value` for programs.
struct Cell {
  std::string text;
  nlohmann::ordered_json value;
  Colour colour = Colour::plain;

  Cell(std::string both)
      : text(both), value(std::move(both)) {}          // NOLINT(google-explicit-constructor): rows read as lists
  Cell(const char* both) : Cell(std::string(both)) {}  // NOLINT(google-explicit-constructor)
  Cell(std::string for_people, nlohmann::ordered_json for_programs, Colour paint = Colour::plain)
      : text(std::move(for_people)), value(std::move(for_programs)), colour(paint) {}

  // A dash for people, null for programs.
  static Cell nothing() { return {"–", nullptr}; }
  // Whether people read nothing in it: a dash, or no text.
  bool says_nothing() const { return text.empty() || text == "–"; }
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);
  // As many cells as there are columns.
  void add(std::vector<Cell> row);
  bool empty() const { return rows_.empty(); }

  // People: padded columns two spaces apart that fit the terminal, control characters made harmless; no trailing
  // spaces. A column that says nothing in any row (dashes, empty texts) is left out, except for the first. JSON: one
  // object per row. CSV (RFC 4180, but lines end in \n): a heading of keys, then the values, control characters made
  // harmless.
  void print(std::ostream& out, Format format, const Terminal& terminal) const;

  // For lists of any length: prints the rows as print() does, and forgets them. CSV's heading comes the first time
  // only. The format is JSON or CSV.
  void print_part(std::ostream& out, Format format);

 private:
  using Row = std::vector<Cell>;
  void print_people(std::ostream& out, const Terminal& terminal) const;
  std::vector<int> widths(const std::vector<Row>& lines, int width) const;
  ColumnNeed need(const std::vector<Row>& lines, std::size_t column, bool last) const;
  std::vector<std::string> pieces(const std::string& text, std::size_t column, int width) const;
  void print_line(std::ostream& out, const Row& line, const std::vector<int>& fitted, const Terminal& terminal) const;
  void print_json(std::ostream& out) const;
  void print_csv(std::ostream& out, bool with_heading) const;

  std::vector<Column> columns_;
  std::vector<Row> rows_;
  bool heading_printed_ = false;
};

}  // namespace cmd
