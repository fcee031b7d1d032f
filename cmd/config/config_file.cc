#include "cmd/config/config_file.h"

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>

#include "cmd/config/syntax_fault.h"
#include "cmd/text/humanize.h"

namespace cmd {
namespace {

using base::ErrorKind;

constexpr std::size_t kMinBegun = 3;  // letters of a name that is taken for the beginning of a longer one

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string_view last_part(std::string_view name) {
  return name.substr(name.rfind('.') + 1);
}

// The name that was meant: one in this table, of which `known` are the names, that begins so or is nearly the same;
// else the same name in another table.
std::optional<std::string> meant_name(const std::string& name, const std::vector<std::string>& known) {
  const std::string_view last = last_part(name);
  const auto longer = std::ranges::find_if(known, [&](const std::string& one) { return one.starts_with(last); });
  const bool is_begun = longer != known.end() && last.size() >= kMinBegun;
  const auto near = is_begun ? std::optional(*longer) : nearest(last, known);
  if (near) return name.substr(0, name.size() - last.size()) + *near;
  const auto elsewhere = std::ranges::find(config_keys(), last, [](const Key& key) { return last_part(key.name); });
  return elsewhere == config_keys().end() ? std::nullopt : std::optional(std::string(elsewhere->name));
}

std::vector<std::string> known_names(std::string_view section) {
  std::vector<std::string> names;
  for (const Key& key : config_keys()) {
    if (key.section() == section) names.emplace_back(last_part(key.name));
  }
  return names;
}

std::vector<std::string> section_names() {
  std::vector<std::string> names;
  for (const Key& key : config_keys()) {
    if (std::ranges::find(names, key.section()) == names.end()) names.emplace_back(key.section());
  }
  return names;
}

std::optional<Value> to_value(const toml::node& node) {
  if (const auto* flag = node.as_boolean()) return flag->get();
  if (const auto* number = node.as_integer()) return number->get();
  if (const auto* text = node.as_string()) return text->get();
  if (!node.is_array()) return std::nullopt;
  std::vector<std::string> list;
  for (const toml::node& element : *node.as_array()) {
    if (!element.is_string()) return std::nullopt;
    list.push_back(element.as_string()->get());
  }
  return list;
}

class FileReader {
 public:
  FileReader(std::string file, Faults& faults) : file_(std::move(file)), faults_(faults) {}

  FileSettings read(std::string_view text) {
    try {
      return read(toml::parse(text, file_));
    } catch (const toml::parse_error& error) {
      const std::uint64_t line = error.source().begin.line;
      const SyntaxFault fault = explain_syntax(text, line, error.description());
      const Place where{file_ + ":" + fault.lines, line};
      faults_.add(where, {ErrorKind::config, "config.syntax", fault.message, where.text, fault.hint});
      return {};
    }
  }

 private:
  Place place(const toml::source_region& source) const {
    return {file_ + ":" + std::to_string(source.begin.line), source.begin.line};
  }

  void refuse(const toml::source_region& source, std::string code, std::string message, std::string hint) {
    const Place where = place(source);
    faults_.add(where, {ErrorKind::config, std::move(code), std::move(message), where.text, std::move(hint)});
  }

  void refuse_name(const toml::source_region& source, const std::string& name, const std::vector<std::string>& known) {
    const auto meant = meant_name(name, known);
    refuse(source, "config.unknown_key", "there is no setting `" + name + "`",
           meant ? "did you mean `" + *meant + "`?" : "known here: " + listed(known));
  }

  FileSettings read(const toml::table& root) {
    FileSettings out;
    const auto sections = section_names();
    for (const auto& [section, node] : root) {
      const std::string name(section.str());
      if (std::ranges::find(sections, name) == sections.end()) {
        refuse_name(section.source(), name, sections);
      } else if (name == "models") {
        read_list(name, {"name"}, node, out.models);
      } else if (name == "kinds") {
        read_list(name, {"kind", "instruction"}, node, out.kinds);
      } else {
        read_section(name, node, out.settings);
      }
    }
    return out;
  }

  // A list of tables, each of which must have some keys.
  void read_list(const std::string& list, std::initializer_list<std::string_view> needed, const toml::node& node,
                 std::vector<WrittenTable>& out) {
    if (!node.is_array_of_tables()) {
      return refuse(node.source(), "config.value", "`" + list + "` is not a list of tables",
                    "begin each with a line [[" + list + "]]");
    }
    for (const toml::node& table : *node.as_array()) {
      WrittenTable& written = out.emplace_back();
      written.place = place(table.source());
      read_section(list, table, written.values);
      for (const std::string_view key : needed) {
        if (table.as_table()->contains(key)) continue;
        refuse(table.source(), "config.value", "a [[" + list + "]] table has no `" + std::string(key) + "`",
               "add a line that begins with `" + std::string(key) + " = `");
      }
    }
  }

  void read_section(const std::string& section, const toml::node& node, WrittenValues& out) {
    if (!node.is_table()) {
      return refuse(node.source(), "config.value", "`" + section + "` is a section, not a value",
                    "write [" + section + "] on a line of its own");
    }
    for (const auto& [name, value] : *node.as_table()) {
      const std::string full = section + "." + std::string(name.str());
      const Key* key = find_key(full);
      if (!key && value.is_table() && is_section(name.str())) {
        refuse(name.source(), "config.unknown_key",
               "a setting of `" + std::string(name.str()) + "` stands in the table [" + section + "]",
               "move the line above the first line that begins with [");
      } else if (!key) {
        refuse_name(name.source(), full, known_names(section));
      } else if (auto read = to_value(value)) {
        out.emplace(full, Written{std::move(*read), place(name.source())});
      } else {
        refuse(name.source(), "config.value", "`" + full + "` has the wrong type", "it is " + allowed(*key));
      }
    }
  }

  std::string file_;
  Faults& faults_;
};

}  // namespace

FileSettings read_config_file(const Paths& paths, bool named, Faults& faults) {
  const std::string file = paths.config_file.string();
  const auto unreadable = [&](const std::string& why, std::string hint) {
    faults.add(
        {}, {ErrorKind::config, "config.unreadable", "the config file cannot be read: " + why, file, std::move(hint)});
    return FileSettings{};
  };
  const std::string not_ours = "run this as the user whose file it is, or name your own with --config";
  std::error_code error;
  const auto size = std::filesystem::file_size(paths.config_file, error);
  if (error == std::errc::no_such_file_or_directory && !named) return {};
  if (error == std::errc::permission_denied) return unreadable(error.message(), not_ours);
  if (error) return unreadable(error.message(), "`sellcompute init` writes one");
  if (size > kMaxConfigFileBytes) return unreadable("it is larger than 1 MiB", "name the right file with --config");
  std::ifstream in(paths.config_file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return unreadable("Permission denied", not_ours);
  if (!text && size > 0) return unreadable("reading stopped before its end", "is it on a bad disk?");
  return FileReader(file, faults).read(text.str());
}

}  // namespace cmd
