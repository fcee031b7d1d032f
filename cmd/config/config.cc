#include "cmd/config/config.h"

#include <algorithm>
#include <set>

#include "cmd/config/config_file.h"
#include "cmd/text/humanize.h"
#include "pipeline/nostr/nip90_request.h"

namespace cmd {
namespace {

using base::ErrorKind;
using base::fail;
using base::Result;

std::string variable(const ConfigSources& sources, std::string_view name) {
  const auto found = sources.environment.find(name);
  return found == sources.environment.end() ? std::string() : found->second;
}

// In a folder that was deleted a relative path stays as it is.
std::filesystem::path absolute(const std::filesystem::path& path) {
  std::error_code error;
  auto out = std::filesystem::absolute(path, error);
  return error ? path : out;
}

std::vector<std::string> known_variables() {
  std::vector<std::string> known = {std::string(kConfigVariable), std::string(kDataDirVariable)};
  for (const Key& key : config_keys()) {
    if (!key.of_list()) known.push_back(key.environment_name());
  }
  for (std::string& name : known) name.erase(0, kVariablePrefix.size());
  return known;
}

// One run's configuration, put together from its sources. Every value that was given is checked, also one that another
// source overrides, so that all faults are reported at once.
class Loader {
 public:
  Loader(const ConfigSources& sources, Paths paths) : sources_(sources) { config_.paths = std::move(paths); }

  Result<Config> load() {
    const bool named = !sources_.config_file.empty() || !variable(sources_, kConfigVariable).empty();
    const FileSettings file = read_config_file(config_.paths, named, faults_);
    check_variable_names();
    for (const Key& key : config_keys()) {
      if (!key.of_list()) choose(key, file);
    }
    add_models(file);
    add_kinds(file);
    if (faults_.none()) return std::move(config_);
    return tl::unexpected(faults_.summary());
  }

 private:
  void check_variable_names() {
    const std::vector<std::string> known = known_variables();
    for (const auto& [variable_name, value] : sources_.environment) {
      if (!variable_name.starts_with(kVariablePrefix) || variable_name.starts_with(kTestVariables)) continue;
      const std::string name = variable_name.substr(kVariablePrefix.size());
      if (std::ranges::find(known, name) != known.end()) continue;
      auto meant = nearest(name, known);
      const auto elsewhere = std::ranges::find_if(known, [&](const std::string& k) { return k.ends_with("_" + name); });
      if (!meant && elsewhere != known.end()) meant = *elsewhere;
      faults_.add(
          {variable_name, kEnvironmentRank},
          {ErrorKind::config, "config.unknown_key", "there is no setting for the variable " + variable_name,
           "environment",
           meant ? "did you mean " + std::string(kVariablePrefix) + *meant + "?" : "`sellcompute config` shows all"});
    }
  }

  // The strongest word on this key stays: default, file, environment, flag.
  void choose(const Key& key, const FileSettings& file) {
    const std::string name(key.name);
    Setting setting{name, value_of_text(key, key.fallback), Source::fallback, {}};
    put(key, setting, {});
    if (const auto found = file.settings.find(name); found != file.settings.end()) {
      setting = {name, found->second.value, Source::file, found->second.place.text};
      put(key, setting, found->second.place);
    }
    const std::string env_name = key.environment_name();
    if (const auto found = sources_.environment.find(env_name); found != sources_.environment.end()) {
      setting = {name, value_of_text(key, found->second), Source::environment, env_name};
      put(key, setting, {env_name, kEnvironmentRank});
    }
    const auto flagged = std::ranges::find_if(sources_.flags, [&](const auto& flag) { return flag.first == key.name; });
    if (flagged != sources_.flags.end()) {
      setting = {name, value_of_text(key, flagged->second), Source::flag, "--" + std::string(key.flag)};
      put(key, setting, {setting.where, kFlagRank});
    }
    config_.settings.push_back(std::move(setting));
  }

  void put(const Key& key, const Setting& setting, const Place& place) {
    if (auto done = assign(key, setting.value, config_, place.text); !done) {
      faults_.add(place, done.error());
      if (key.unit == "tokens") tokens_known_ = false;
    }
    if (setting.source != Source::fallback) places_[key.name] = place;
  }

  // One table of a list, whose entry in the configuration was just made.
  void add_table(std::string_view list, std::size_t number, const WrittenTable& table) {
    const std::string label = std::string(list) + "[" + std::to_string(number) + "]";
    for (const Key& key : config_keys()) {
      if (key.section() != list) continue;
      const auto found = table.values.find(key.name);
      if (found == table.values.end()) continue;
      const auto& [value, place] = found->second;
      put(key, {label + std::string(key.name.substr(list.size())), value, Source::file, place.text}, place);
      config_.settings.push_back({label + std::string(key.name.substr(list.size())), value, Source::file, place.text});
    }
  }

  void add_models(const FileSettings& file) {
    check_offer(config_.default_offer, "the default offer", place_of_default_offer());
    const bool defaults_known = tokens_known_;
    std::set<std::string> names;
    for (const WrittenTable& table : file.models) {
      tokens_known_ = defaults_known;
      auto& models = config_.selling.models;
      models.push_back(config_.default_offer);
      add_table("models", models.size() - 1, table);
      const ledger::ModelOffer& model = models.back();
      check_offer(model, "model `" + model.name + "`", table.place);
      if (model.name.empty() || names.insert(model.name).second) continue;
      conflict(table.place, "model `" + model.name + "` is offered twice", "keep one of its [[models]] tables");
    }
  }

  void add_kinds(const FileSettings& file) {
    std::set<std::uint32_t> kinds{nostr::kTextRequestKind};
    for (const WrittenTable& table : file.kinds) {
      auto& templates = config_.selling.templates;
      templates.emplace_back();
      add_table("kinds", templates.size() - 1, table);
      const std::uint32_t kind = templates.back().kind;
      if (kind == 0 || kinds.insert(kind).second) continue;
      conflict(table.place, "kind " + std::to_string(kind) + " is served already",
               "keep one of its [[kinds]] tables; 5050 needs none");
    }
  }

  // An offer whose own numbers are faulty is not judged by others.
  void check_offer(const ledger::ModelOffer& offer, const std::string& what, const Place& place) {
    if (!tokens_known_ || offer.max_output_tokens < offer.context_tokens) return;
    conflict(place,
             what + ": an answer of " + grouped(static_cast<std::int64_t>(offer.max_output_tokens)) +
                 " tokens leaves no room for a prompt in a context of " +
                 grouped(static_cast<std::int64_t>(offer.context_tokens)),
             "lower max_output_tokens or raise context_tokens");
  }

  // Our own defaults leave room, so one of the two was given.
  Place place_of_default_offer() const {
    for (const auto key : {"selling.default_max_output_tokens", "selling.default_context_tokens"}) {
      if (const auto found = places_.find(key); found != places_.end()) return found->second;
    }
    return {};
  }

  void conflict(const Place& place, std::string message, std::string hint) {
    faults_.add(place, {ErrorKind::config, "config.conflict", std::move(message), place.text, std::move(hint)});
  }

  const ConfigSources& sources_;
  Config config_;
  Faults faults_;
  std::map<std::string_view, Place> places_;  // of the values in force that are no defaults
  bool tokens_known_ = true;                  // the offer at hand has no faulty number of tokens
};

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
    if (!given.empty()) return absolute(given);
    if (const auto own = variable(sources, own_variable); !own.empty()) return absolute(own);
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
  auto paths = find_paths(sources);
  if (!paths) return tl::unexpected(paths.error());
  return Loader(sources, std::move(*paths)).load();
}

}  // namespace cmd
