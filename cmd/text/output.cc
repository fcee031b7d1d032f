#include "cmd/text/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <ostream>

#include "base/check.h"
#include "cmd/text/humanize.h"

namespace cmd {
namespace {

std::string_view escape_code(Colour colour) {
  switch (colour) {
    case Colour::plain:
      return "";
    case Colour::bold:
      return "\x1b[1m";
    case Colour::dim:
      return "\x1b[2m";
    case Colour::red:
      return "\x1b[31m";
    case Colour::green:
      return "\x1b[32m";
    case Colour::yellow:
      return "\x1b[33m";
  }
  return "";
}

constexpr int kUsualWidth = 80;   // of a terminal that does not tell
constexpr int kLeastText = 8;     // columns of a text that is cut
constexpr int kLeastRemark = 16;  // columns of a text without a heading, and of one that is wrapped

std::string csv_field(const nlohmann::ordered_json& value) {
  if (value.is_null()) return {};
  const std::string text = value.is_string() ? printable_lines(value.get<std::string>()) : json_line(value);
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

// 0: none is told.
int width_of(int file_descriptor, std::string_view columns) {
  int told = 0;
  const auto [end, error] = std::from_chars(columns.data(), columns.data() + columns.size(), told);
  if (error == std::errc() && end == columns.data() + columns.size() && told > 0) return told;
  winsize size{};
  return ioctl(file_descriptor, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

}  // namespace

std::string Terminal::paint(Colour text_colour, std::string_view text) const {
  if (!colour || text_colour == Colour::plain || text.empty()) return std::string(text);
  return std::string(escape_code(text_colour)).append(text).append("\x1b[0m");
}

std::string Terminal::strangers(std::string_view text) const {
  return is_terminal ? printable_lines(text) : std::string(text);
}

int current_width(int file_descriptor, int otherwise) {
  const int width = width_of(file_descriptor, {});
  return width > 0 ? width : otherwise;
}

Terminal detect_terminal(int file_descriptor, ColourChoice choice, std::string_view no_color, std::string_view term,
                         std::string_view columns) {
  Terminal terminal;
  terminal.is_terminal = isatty(file_descriptor) == 1;
  terminal.interactive = terminal.is_terminal && term != "dumb";
  terminal.colour =
      choice == ColourChoice::always || (choice == ColourChoice::automatic && terminal.interactive && no_color.empty());
  if (const int width = width_of(file_descriptor, columns); width > 0)
    terminal.width = width;
  else if (terminal.is_terminal)
    terminal.width = kUsualWidth;
  return terminal;
}

std::string json_line(const nlohmann::ordered_json& value) {
  return printable_json(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add(std::vector<Cell> row) {
  CHECK(row.size() == columns_.size(), row.size(), columns_.size());
  rows_.push_back(std::move(row));
}

void Table::print(std::ostream& out, Format format, const Terminal& terminal) const {
  switch (format) {
    case Format::people:
      return print_people(out, terminal);
    case Format::json:
      return print_json(out);
    case Format::csv:
      return print_csv(out, true);
  }
}

void Table::print_part(std::ostream& out, Format format) {
  if (format == Format::csv)
    print_csv(out, !heading_printed_);
  else
    print_json(out);
  heading_printed_ = true;
  rows_.clear();
}

void Table::print_people(std::ostream& out, const Terminal& terminal) const {
  std::vector<Row> lines;
  Row heading;
  for (const Column& column : columns_) heading.emplace_back(column.title, nullptr, Colour::bold);
  if (std::ranges::any_of(columns_, [](const Column& column) { return !column.title.empty(); }))
    lines.push_back(heading);
  lines.insert(lines.end(), rows_.begin(), rows_.end());
  for (Row& line : lines) {
    for (Cell& cell : line) cell.text = printable(cell.text);
  }
  const std::vector<int> fitted = widths(lines, terminal.width);
  for (const Row& line : lines) print_line(out, line, fitted, terminal);
}

// What a column must have so that it can be read.
ColumnNeed Table::need(const std::vector<Row>& lines, std::size_t column, bool last) const {
  const Column& what = columns_[column];
  const bool whole = what.fit == Fit::whole || what.align == Align::right;
  ColumnNeed out{.worth = what.worth};
  int longest = 0;
  for (const Row& line : lines) {
    out.full = std::max(out.full, display_width(line[column].text));
    // A word that is too long for the last column does no harm: nothing follows it.
    if (what.fit == Fit::wrap && !last) longest = std::max(longest, longest_word(line[column].text));
  }
  const bool goes_on = what.fit == Fit::wrap || what.fit == Fit::fold;
  const int remark = goes_on || what.title.empty() ? kLeastRemark : kLeastText;
  const int wanted = std::max({display_width(what.title), remark, longest, what.least});
  out.least = whole ? out.full : std::min(out.full, wanted);
  return out;
}

std::vector<int> Table::widths(const std::vector<Row>& lines, int width) const {
  std::vector<ColumnNeed> needs(columns_.size());
  bool last = true;
  for (std::size_t i = columns_.size(); i-- > 0;) {
    const bool silent = std::ranges::all_of(rows_, [i](const Row& row) { return row[i].says_nothing(); });
    if (silent && i > 0 && !rows_.empty()) continue;
    needs[i] = need(lines, i, last);
    last = last && needs[i].full == 0;
  }
  return fit_columns(needs, width);
}

// The lines of one cell.
std::vector<std::string> Table::pieces(const std::string& text, std::size_t column, int width) const {
  if (width == 0) return {};
  if (display_width(text) <= width || columns_[column].fit == Fit::whole) return {text};
  if (columns_[column].fit == Fit::cut) return {shortened(text, width)};
  return columns_[column].fit == Fit::fold ? folded(text, width) : wrapped(text, width);
}

void Table::print_line(std::ostream& out, const Row& line, const std::vector<int>& fitted,
                       const Terminal& terminal) const {
  std::vector<std::vector<std::string>> parts;
  std::size_t height = 1;
  for (std::size_t i = 0; i < line.size(); ++i) {
    parts.push_back(pieces(line[i].text, i, fitted[i]));
    height = std::max(height, parts.back().size());
  }
  for (std::size_t row = 0; row < height; ++row) {
    std::string text;
    std::size_t owed = 0;  // spaces, written only when something follows
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (fitted[i] == 0) continue;
      const std::string part = row < parts[i].size() ? parts[i][row] : std::string();
      const auto padding = static_cast<std::size_t>(std::max(0, fitted[i] - display_width(part)));
      const bool right = columns_[i].align == Align::right;
      if (right) owed += padding;
      if (!part.empty()) {
        text.append(owed, ' ').append(terminal.paint(line[i].colour, part));
        owed = 0;
      }
      owed += kColumnGap + (right ? 0 : padding);
    }
    out << text << '\n';
  }
}

void Table::print_json(std::ostream& out) const {
  for (const auto& row : rows_) {
    nlohmann::ordered_json object = nlohmann::ordered_json::object();
    for (std::size_t i = 0; i < row.size(); ++i) {
      if (!columns_[i].key.empty()) object[columns_[i].key] = row[i].value;
    }
    out << json_line(object) << '\n';
  }
}

void Table::print_csv(std::ostream& out, bool with_heading) const {
  const auto line = [&](const auto& field_of) {
    std::string_view separator;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].key.empty()) continue;
      out << separator << field_of(i);
      separator = ",";
    }
    out << '\n';
  };
  if (with_heading) line([&](std::size_t i) { return columns_[i].key; });
  for (const auto& row : rows_) line([&](std::size_t i) { return csv_field(row[i].value); });
}

}  // namespace cmd
