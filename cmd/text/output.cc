#include "cmd/text/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cassert>
#include <ostream>

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

std::string csv_field(const nlohmann::ordered_json& value) {
  if (value.is_null()) return {};
  const std::string text = value.is_string() ? value.get<std::string>() : json_line(value);
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

}  // namespace

std::string Terminal::paint(Colour text_colour, std::string_view text) const {
  if (!colour || text_colour == Colour::plain || text.empty()) return std::string(text);
  return std::string(escape_code(text_colour)).append(text).append("\x1b[0m");
}

Terminal detect_terminal(int file_descriptor, ColourChoice choice, std::string_view no_color, std::string_view term) {
  Terminal terminal;
  const bool is_terminal = isatty(file_descriptor) == 1;
  terminal.interactive = is_terminal && term != "dumb";
  terminal.colour =
      choice == ColourChoice::always || (choice == ColourChoice::automatic && terminal.interactive && no_color.empty());
  winsize size{};
  if (is_terminal && ioctl(file_descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) terminal.width = size.ws_col;
  return terminal;
}

std::string json_line(const nlohmann::ordered_json& value) {
  return printable_json(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
}

Table::Table(std::vector<Column> columns) : columns_(std::move(columns)) {}

void Table::add(std::vector<Cell> row) {
  assert(row.size() == columns_.size());
  rows_.push_back(std::move(row));
}

void Table::print(std::ostream& out, Format format, const Terminal& terminal) const {
  switch (format) {
    case Format::people:
      return print_people(out, terminal);
    case Format::json:
      return print_json(out);
    case Format::csv:
      return print_csv(out);
  }
}

void Table::print_people(std::ostream& out, const Terminal& terminal) const {
  std::vector<std::vector<Cell>> lines;
  std::vector<Cell> heading;
  for (const Column& column : columns_) heading.emplace_back(column.title, nullptr, Colour::bold);
  if (std::ranges::any_of(columns_, [](const Column& column) { return !column.title.empty(); }))
    lines.push_back(heading);
  lines.insert(lines.end(), rows_.begin(), rows_.end());

  std::vector<int> widths(columns_.size());
  for (auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      line[i].text = printable(line[i].text);
      widths[i] = std::max(widths[i], display_width(line[i].text));
    }
  }
  for (const auto& line : lines) {
    std::string text;
    std::size_t owed = 0;  // spaces, written only when something follows
    for (std::size_t i = 0; i < line.size(); ++i) {
      const auto padding = static_cast<std::size_t>(widths[i] - display_width(line[i].text));
      const bool right = columns_[i].align == Align::right;
      if (right) owed += padding;
      if (!line[i].text.empty()) {
        text.append(owed, ' ').append(terminal.paint(line[i].colour, line[i].text));
        owed = 0;
      }
      owed += 2 + (right ? 0 : padding);
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

void Table::print_csv(std::ostream& out) const {
  const auto line = [&](const auto& field_of) {
    std::string_view separator;
    for (std::size_t i = 0; i < columns_.size(); ++i) {
      if (columns_[i].key.empty()) continue;
      out << separator << field_of(i);
      separator = ",";
    }
    out << '\n';
  };
  line([&](std::size_t i) { return columns_[i].key; });
  for (const auto& row : rows_) line([&](std::size_t i) { return csv_field(row[i].value); });
}

}  // namespace cmd
