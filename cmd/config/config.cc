#include "cmd/config/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <set>
#include <sstream>

#include "cmd/text/humanize.h"
#include "pipeline/nostr/nip90_request.h"

namespace cmd {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;

struct Written {
  Value value;
  std::string where;
};

using WrittenTable = std::map<std::string, Written, std::less<>>;

// What the file says: settings by key, and each [[models]] and [[kinds]] table.
struct FileSettings {
  WrittenTable settings;
  std::vector<WrittenTable> models;
  std::vector<WrittenTable> kinds;
};

std::string variable(const ConfigSources& sources, std::string_view name) {
  const auto found = sources.environment.find(name);
  return found == sources.environment.end() ? std::string() : found->second;
}

const Key* find_key(std::string_view name) {
  const auto found = std::ranges::find(config_keys(), name, &Key::name);
  return found == config_keys().end() ? nullptr : &*found;
}

std::string listed(const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += (out.empty() ? "" : ", ") + name;
  return out;
}

std::string_view last_part(std::string_view name) {
  return name.substr(name.rfind('.') + 1);
}

// The name that was meant: the same in another section, or nearly the same in this one, of which `known` are the names.
std::optional<std::string> meant_name(const std::string& name, const std::vector<std::string>& known) {
  const std::string_view last = last_part(name);
  const auto elsewhere = std::ranges::find(config_keys(), last, [](const Key& key) { return last_part(key.name); });
  if (elsewhere != config_keys().end()) return std::string(elsewhere->name);
  const auto near = nearest(last, known);
  return near ? std::optional(name.substr(0, name.size() - last.size()) + *near) : std::nullopt;
}

tl::unexpected<base::Error> unknown_key(const std::string& name, const std::vector<std::string>& known,
                                        const std::string& where) {
  const auto meant = meant_name(name, known);
  return fail(ErrorKind::config, "config.unknown_key", "there is no setting `" + name + "`", where,
              (meant ? "did you mean `" + *meant + "`? " : "") + std::string("known here: ") + listed(known));
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

// ---- the file -------------------------------------------------------------------------------------------------------

class FileReader {
 public:
  explicit FileReader(std::string file) : file_(std::move(file)) {}

  Result<FileSettings> read(std::string_view text) {
    try {
      return read(toml::parse(text, file_));
    } catch (const toml::parse_error& error) {
      return fail(ErrorKind::config, "config.syntax", "the config file is no TOML: " + std::string(error.description()),
                  where(error.source()));
    }
  }

 private:
  std::string where(const toml::source_region& source) const { return file_ + ":" + std::to_string(source.begin.line); }

  Result<FileSettings> read(const toml::table& root) {
    FileSettings out;
    for (const auto& [section, node] : root) {
      const std::string_view name = section.str();
      const auto sections = section_names();
      if (std::ranges::find(sections, name) == sections.end()) {
        return unknown_key(std::string(name), sections, where(section.source()));
      }
      auto done = name == "models"  ? read_list(name, {"name"}, node, out.models)
                  : name == "kinds" ? read_list(name, {"kind", "instruction"}, node, out.kinds)
                                    : read_section(name, node, out.settings);
      if (!done) return tl::unexpected(done.error());
    }
    return out;
  }

  // A list of tables, each of which must have some keys.
  Result<void> read_list(std::string_view list, std::initializer_list<std::string_view> needed, const toml::node& node,
                         std::vector<WrittenTable>& out) {
    const std::string name(list);
    if (!node.is_array_of_tables()) {
      return fail(ErrorKind::config, "config.value", "`" + name + "` is not a list of tables", where(node.source()),
                  "begin each with a line [[" + name + "]]");
    }
    for (const toml::node& table : *node.as_array()) {
      if (auto done = read_section(list, table, out.emplace_back()); !done) return done;
      for (const std::string_view key : needed) {
        if (out.back().contains(name + "." + std::string(key))) continue;
        return fail(ErrorKind::config, "config.value", "a [[" + name + "]] table has no `" + std::string(key) + "`",
                    where(table.source()), "`sellcompute init` writes a file that explains it");
      }
    }
    return {};
  }

  Result<void> read_section(std::string_view section, const toml::node& node, WrittenTable& out) {
    if (!node.is_table()) {
      return fail(ErrorKind::config, "config.value", "`" + std::string(section) + "` is a section, not a value",
                  where(node.source()), "write [" + std::string(section) + "] on a line of its own");
    }
    for (const auto& [name, value] : *node.as_table()) {
      const std::string full = std::string(section) + "." + std::string(name.str());
      const Key* key = find_key(full);
      if (!key) return unknown_key(full, known_names(section), where(name.source()));
      const auto read = to_value(value);
      if (!read) {
        return fail(ErrorKind::config, "config.value", "`" + full + "` has the wrong type", where(name.source()),
                    "it is " + allowed(*key));
      }
      out.emplace(full, Written{*read, where(name.source())});
    }
    return {};
  }

  static std::optional<Value> to_value(const toml::node& node) {
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

  std::string file_;
};

Result<FileSettings> read_file(const Paths& paths, bool named) {
  std::error_code error;
  const auto size = std::filesystem::file_size(paths.config_file, error);
  if (error && !named && error == std::errc::no_such_file_or_directory) return FileSettings{};
  const auto unreadable = [&](const std::string& why, const std::string& hint) {
    return fail(ErrorKind::config, "config.unreadable", "the config file cannot be read: " + why,
                paths.config_file.string(), hint);
  };
  const bool refused = error == std::errc::permission_denied;
  if (refused) return unreadable(error.message(), "run this as the user whose file it is");
  if (error) return unreadable(error.message(), "`sellcompute init` writes one");
  if (size > kMaxConfigFileBytes) return unreadable("it is larger than 1 MiB", "name the right file with --config");
  std::ifstream in(paths.config_file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) return unreadable("no permission, or no file", "look at its owner and mode");
  if (!text && size > 0) return unreadable("reading stopped before its end", "is it on a bad disk?");
  return FileReader(paths.config_file.string()).read(text.str());
}

// ---- precedence -----------------------------------------------------------------------------------------------------

Result<void> check_environment(const ConfigSources& sources) {
  constexpr std::string_view kPrefix = "SELLCOMPUTE_";
  std::vector<std::string> known = {std::string(kConfigVariable), std::string(kDataDirVariable)};
  for (const Key& key : config_keys()) {
    if (!key.of_list()) known.push_back(key.environment_name());
  }
  for (std::string& name : known) name.erase(0, kPrefix.size());
  for (const auto& [variable_name, value] : sources.environment) {
    if (!variable_name.starts_with(kPrefix) || variable_name.starts_with(kTestVariables)) continue;
    const std::string name = variable_name.substr(kPrefix.size());
    if (std::ranges::find(known, name) != known.end()) continue;
    auto meant = nearest(name, known);
    const auto elsewhere = std::ranges::find_if(known, [&](const std::string& k) { return k.ends_with("_" + name); });
    if (!meant && elsewhere != known.end()) meant = *elsewhere;
    return fail(ErrorKind::config, "config.unknown_key", "there is no setting for the variable " + variable_name,
                "environment",
                meant ? "did you mean " + std::string(kPrefix) + *meant + "?" : "`sellcompute config` shows all");
  }
  return {};
}

// The strongest word on this key.
Setting setting_in_force(const Key& key, const ConfigSources& sources, const FileSettings& file) {
  const std::string name(key.name);
  const auto flagged = std::ranges::find_if(sources.flags, [&](const auto& flag) { return flag.first == key.name; });
  if (flagged != sources.flags.end()) {
    return {name, value_of_text(key, flagged->second), Source::flag, "--" + std::string(key.flag)};
  }
  const std::string env_name = key.environment_name();
  if (const auto found = sources.environment.find(env_name); found != sources.environment.end()) {
    return {name, value_of_text(key, found->second), Source::environment, env_name};
  }
  if (const auto found = file.settings.find(name); found != file.settings.end()) {
    return {name, found->second.value, Source::file, found->second.where};
  }
  return {name, value_of_text(key, key.fallback), Source::fallback, {}};
}

// One table of a list, whose place in the configuration was just made.
Result<void> add_table(std::string_view list, std::size_t number, const WrittenTable& written, Config& config) {
  const std::string label = std::string(list) + "[" + std::to_string(number) + "]";
  for (const Key& key : config_keys()) {
    if (key.section() != list) continue;
    const auto found = written.find(key.name);
    if (found == written.end()) continue;
    const auto& [value, where] = found->second;
    if (auto done = assign(key, value, config, where); !done) return done;
    config.settings.push_back({label + std::string(key.name.substr(list.size())), value, Source::file, where});
  }
  return {};
}

Result<void> add_tables(const FileSettings& file, Config& config) {
  for (const auto& model : file.models) {
    const std::size_t number = config.selling.models.size();
    config.selling.models.push_back(config.default_offer);
    if (auto done = add_table("models", number, model, config); !done) return done;
  }
  for (const auto& kind : file.kinds) {
    const std::size_t number = config.selling.templates.size();
    config.selling.templates.emplace_back();
    if (auto done = add_table("kinds", number, kind, config); !done) return done;
  }
  return {};
}

Result<void> check_kinds(const Config& config) {
  std::set<std::uint32_t> kinds{nostr::kTextRequestKind};
  for (const auto& one : config.selling.templates) {
    if (kinds.insert(one.kind).second) continue;
    return fail(ErrorKind::config, "config.conflict", "kind " + std::to_string(one.kind) + " is served already",
                config.paths.config_file.string(), "keep one of its [[kinds]] tables; 5050 needs none");
  }
  return {};
}

Result<void> check_offer(const ledger::ModelOffer& offer, const std::string& what, const Config& config) {
  if (offer.max_output_tokens < offer.context_tokens) return {};
  return fail(ErrorKind::config, "config.conflict",
              what + ": an answer of " + grouped(static_cast<std::int64_t>(offer.max_output_tokens)) +
                  " tokens leaves no room for a prompt in a context of " +
                  grouped(static_cast<std::int64_t>(offer.context_tokens)),
              config.paths.config_file.string(), "lower max_output_tokens or raise context_tokens");
}

Result<void> check_offers(const Config& config) {
  if (auto done = check_offer(config.default_offer, "the default offer", config); !done) return done;
  std::set<std::string> names;
  for (const ledger::ModelOffer& model : config.selling.models) {
    if (auto done = check_offer(model, "model `" + model.name + "`", config); !done) return done;
    if (names.insert(model.name).second) continue;
    return fail(ErrorKind::config, "config.conflict", "model `" + model.name + "` is offered twice",
                config.paths.config_file.string(), "keep one of its [[models]] tables");
  }
  return {};
}

}  // namespace

std::string_view name(Source source) {
  switch (source) {
    case Source::fallback:
      return "default";
    case Source::file:
      return "file";
    case Source::environment:
      return "environment";
    case Source::flag:
      return "flag";
  }
  return "unknown";
}

Result<Paths> find_paths(const ConfigSources& sources) {
  Paths paths;
  paths.home = variable(sources, "HOME");
  // An explicit place, else the XDG variable's folder, else its fallback under the home folder.
  const auto choose = [&](const std::string& given, std::string_view own_variable, std::string_view xdg_variable,
                          std::string_view below_home, std::string_view below) -> std::filesystem::path {
    if (!given.empty()) return std::filesystem::absolute(given);
    if (const auto own = variable(sources, own_variable); !own.empty()) return std::filesystem::absolute(own);
    // XDG: a relative path in these variables is invalid and ignored.
    const std::filesystem::path xdg = variable(sources, xdg_variable);
    if (xdg.is_absolute()) return xdg / below;
    return paths.home.empty() ? std::filesystem::path() : paths.home / below_home / below;
  };
  paths.config_file =
      choose(sources.config_file, kConfigVariable, "XDG_CONFIG_HOME", ".config", "sellcompute/config.toml");
  paths.data_dir = choose(sources.data_dir, kDataDirVariable, "XDG_DATA_HOME", ".local/share", "sellcompute");
  if (!paths.config_file.empty() && !paths.data_dir.empty()) return paths;
  return fail(ErrorKind::config, "config.no_home", "HOME is not set, so there is no place for files", "environment",
              "set HOME, or give --config and --data-dir");
}

Result<Config> load_config(const ConfigSources& sources) {
  if (auto done = check_environment(sources); !done) return tl::unexpected(done.error());
  auto paths = find_paths(sources);
  if (!paths) return tl::unexpected(paths.error());
  const bool named = !sources.config_file.empty() || !variable(sources, kConfigVariable).empty();
  const auto file = read_file(*paths, named);
  if (!file) return tl::unexpected(file.error());

  Config config;
  config.paths = *paths;
  for (const Key& key : config_keys()) {
    if (key.of_list()) continue;
    Setting setting = setting_in_force(key, sources, *file);
    if (auto done = assign(key, setting.value, config, setting.where); !done) return tl::unexpected(done.error());
    config.settings.push_back(std::move(setting));
  }
  auto done = add_tables(*file, config);
  if (done) done = check_offers(config);
  if (done) done = check_kinds(config);
  if (!done) return tl::unexpected(done.error());
  return config;
}

}  // namespace cmd
