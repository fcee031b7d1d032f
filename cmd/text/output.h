// What commands print: one table, three readers. Rows are given once and come out aligned for people, as one JSON
// object a line, or as CSV. Data goes to stdout; everything else to stderr (cmd/cli/command.h).
#pragma once

#include <iosfwd>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace cmd {

enum class Format { people, json, csv };
enum class ColourChoice { automatic, always, never };
enum class Colour { plain, bold, dim, red, green, yellow };

// What the receiver of our output can do with it.
struct Terminal {
  bool interactive = false;  // a person watches: progress and animation make sense
  bool colour = false;
  int width = 80;  // columns

  // The text in a colour, or as it is where colours are off.
  std::string paint(Colour colour, std::string_view text) const;
};

// Colours are on when chosen, or when `file_descriptor` is a terminal that is not TERM=dumb and NO_COLOR
// (https://no-color.org) is not set. `no_color` and `term` are those environment variables, empty if unset.
Terminal detect_terminal(int file_descriptor, ColourChoice choice, std::string_view no_color, std::string_view term);

// One JSON value on one line. Broken UTF-8 becomes U+FFFD instead of failing.
std::string json_line(const nlohmann::ordered_json& value);

enum class Align { left, right };

struct Column {
  std::string title;  // for people; empty: a column without a heading
  std::string key;    // for programs; empty: people only (a bar, a hint). Keys are a promise: they are only ever added
  Align align = Align::left;
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
};

class Table {
 public:
  explicit Table(std::vector<Column> columns);
  // As many cells as there are columns.
  void add(std::vector<Cell> row);
  bool empty() const { return rows_.empty(); }

  // People: padded columns two spaces apart, control characters made harmless; no trailing spaces. JSON: one object a
  // row. CSV (RFC 4180, but lines end in \n): a heading of keys, then the values.
  void print(std::ostream& out, Format format, const Terminal& terminal) const;

 private:
  void print_people(std::ostream& out, const Terminal& terminal) const;
  void print_json(std::ostream& out) const;
  void print_csv(std::ostream& out) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
};

}  // namespace cmd
