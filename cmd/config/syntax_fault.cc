#include "cmd/config/syntax_fault.h"

#include <algorithm>
#include <map>
#include <optional>

#include "cmd/config/config.h"

namespace cmd {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view trimmed(std::string_view text) {
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) + 1 - begin);
}

bool says(std::string_view message, std::string_view words) {
  return message.find(words) != std::string_view::npos;
}

// One line of the file, as far as a person would read it. Names in quotes are not looked at.
struct Line {
  std::string_view header = {};  // of "[wallet]" or "[[models]]": wallet, models
  bool of_list = false;          // it had two brackets
  std::string_view name = {};    // of "kind = nwc  # comment": kind
  std::string_view value = {};   // the rest without the comment: nwc
};

std::string_view header_of(std::string_view line) {
  const std::size_t begin = line.find_first_not_of('[');
  const std::size_t end = line.find(']');
  if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) return {};
  return trimmed(line.substr(begin, end - begin));
}

Line read_line(std::string_view text) {
  const std::string_view line = trimmed(text);
  if (line.starts_with('[')) return {.header = header_of(line), .of_list = line.starts_with("[[")};
  const std::size_t equals = line.find('=');
  if (equals == std::string_view::npos) return {};
  const std::string_view name = trimmed(line.substr(0, equals));
  const bool is_name = std::ranges::all_of(name, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
  });
  if (!is_name) return {};
  const std::string_view value = line.substr(equals + 1);
  return {.name = name, .value = trimmed(value.substr(0, value.find('#')))};
}

// The line at which the parser stopped, and what stands above it.
struct Stop {
  std::string_view text;
  Line line;
  std::string setting;                            // the whole name of what the line sets: wallet.kind
  std::map<std::string, std::size_t> first_line;  // of each setting and header above: "wallet.kind", "[wallet]"
};

Stop find_stop(std::string_view text, std::size_t stop_line) {
  Stop stop;
  std::string table;
  for (std::size_t number = 1; number <= stop_line; ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    stop.text = trimmed(text.substr(0, end));
    stop.line = read_line(stop.text);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!stop.line.header.empty()) {
      table = stop.line.header;
      if (stop.line.of_list) {  // another table of the list: the same names again
        std::erase_if(stop.first_line, [&](const auto& entry) { return entry.first.starts_with(table + "."); });
      } else if (number < stop_line) {
        stop.first_line.try_emplace("[" + table + "]", number);
      }
    }
    const std::string name(stop.line.name);
    stop.setting = name.empty() ? "" : (table.empty() ? "" : table + ".") + name;
    if (number < stop_line && !stop.setting.empty()) stop.first_line.try_emplace(stop.setting, number);
  }
  return stop;
}

// ---- set twice ------------------------------------------------------------------------------------------------------

std::string both(std::size_t first, std::size_t second) {
  return std::to_string(first) + " and :" + std::to_string(second);
}

std::optional<SyntaxFault> header_again(const Stop& stop, std::size_t line) {
  const std::string section(stop.line.header);
  if (!is_section(section)) return std::nullopt;
  const std::string header = "[" + section + "]";
  if (const auto first = stop.first_line.find(header); first != stop.first_line.end()) {
    return SyntaxFault{header + " begins twice", both(first->second, line), "move its settings below the first one"};
  }
  const auto dotted = stop.first_line.lower_bound(section + ".");
  if (dotted == stop.first_line.end() || !dotted->first.starts_with(section + ".")) return std::nullopt;
  if (!find_key(dotted->first)) return std::nullopt;
  return SyntaxFault{header + " cannot begin below `" + dotted->first + "`", both(dotted->second, line),
                     "remove the line " + header + ", and write each setting below it as " + section +
                         ".NAME = VALUE; do not set any twice"};
}

std::optional<SyntaxFault> set_twice(const Stop& stop, std::size_t line) {
  if (!stop.line.header.empty()) return header_again(stop, line);
  const auto first = stop.first_line.find(stop.setting);
  if (first == stop.first_line.end() || !find_key(stop.setting)) return std::nullopt;
  return SyntaxFault{"`" + stop.setting + "` is set twice", both(first->second, line), "keep one of the two lines"};
}

// ---- a value that cannot be read ------------------------------------------------------------------------------------

bool is_text(ValueKind kind) {
  return kind != ValueKind::boolean && kind != ValueKind::integer && kind != ValueKind::relay_urls;
}

// What was written is repeated only if it is a word of ours or a duration: other text may be a secret in a wrong place.
std::string in_quotes_if_harmless(const Key& key, std::string_view written) {
  Config scratch;
  const Value value = std::string(written);
  const bool harmless = key.kind == ValueKind::choice || key.kind == ValueKind::duration;
  return harmless && assign(key, value, scratch, {}) ? toml_text(value) : "\"…\"";
}

SyntaxFault quotes_of_addresses(const std::string& lines) {
  return {"the addresses in `relays.urls` need quotes", lines,
          "write each in straight quotes, with commas between them: [\"wss://…\", \"wss://…\"]"};
}

SyntaxFault unreadable_value(const Key& key, const Line& line, const std::string& lines) {
  const std::string name = "`" + std::string(key.name) + "`";
  if (line.value.empty()) return {name + " has no value", lines, "it is " + allowed(key)};
  if (key.kind == ValueKind::relay_urls) return quotes_of_addresses(lines);
  if (is_text(key.kind)) {
    return {"the text of " + name + " needs quotes", lines,
            "write it in straight quotes: " + std::string(line.name) + " = " + in_quotes_if_harmless(key, line.value)};
  }
  const std::string how = key.kind == ValueKind::integer ? ", written in digits only, without quotes and commas" : "";
  return {"the value of " + name + " cannot be read", lines, "it is " + allowed(key) + how};
}

}  // namespace

SyntaxFault explain_syntax(std::string_view text, std::size_t line, std::string_view parser_message) {
  const Stop stop = find_stop(text, line);
  const std::string lines = std::to_string(line);
  const std::string_view expected = parser_message.substr(0, parser_message.find(", saw "));  // what it saw is a value
  const SyntaxFault as_reported{"the config file is no TOML: " + std::string(expected), lines, {}};
  if (says(parser_message, "cannot redefine")) return set_twice(stop, line).value_or(as_reported);
  if (says(parser_message, "closing ']'") && stop.line.header.empty()) {
    return {"a list in [ ] is not complete", lines, "put a comma between its entries, and a ] at its end"};
  }
  if (says(parser_message, "expected '='")) {
    return {"this line sets nothing", lines, "write a setting as NAME = VALUE, and begin a comment with #"};
  }
  if (says(parser_message, "utf-8") || says(parser_message, "escape sequence")) return as_reported;
  if (const Key* key = find_key(stop.setting)) return unreadable_value(*key, stop.line, lines);
  if (stop.text.starts_with("ws://") || stop.text.starts_with("wss://")) return quotes_of_addresses(lines);
  const bool quoted = stop.line.value.starts_with('"') || stop.line.value.starts_with('\'');
  if (stop.line.name.empty() || quoted) return as_reported;
  return {"the value in this line cannot be read", lines, "a text needs straight quotes"};
}

}  // namespace cmd
