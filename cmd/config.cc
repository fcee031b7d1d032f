// sellcompute config: each setting, its value, and who said so.
#include <ostream>

#include "cmd/commands.h"
#include "cmd/text/humanize.h"

namespace cmd {
namespace {

// On a terminal as short as possible ("config.toml:6", "environment"), so that the value has room.
std::string source_text(const Setting& setting, const Terminal& terminal) {
  if (setting.where.empty()) return std::string(name(setting.source));
  if (!terminal.is_terminal) return setting.where;
  return setting.source == Source::file ? std::filesystem::path(setting.where).filename().string()
                                        : std::string(name(setting.source));
}

void print_paths(const Paths& paths, const Context& context) {
  const auto shown = [&](const std::filesystem::path& path) {
    return context.terminal.is_terminal ? path_text(path, paths.home) : path.string();
  };
  context.out << "config file  " << shown(paths.config_file) << "\ndata folder  " << shown(paths.data_dir) << "\n\n";
}

base::Result<ExitCode> run_config(const Arguments& arguments, Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  Table table({{"SETTING", "key", Align::left, Fit::fold},
               {"VALUE", "value", Align::left, Fit::fold},
               {"", "source"},
               {"FROM", "where"}});
  for (const Setting& setting : config->settings) {
    const bool chosen = setting.source != Source::fallback;
    table.add({setting.name,
               {toml_text(setting.value), json_value(setting.value), chosen ? Colour::bold : Colour::plain},
               {"", std::string(name(setting.source))},
               {source_text(setting, context.terminal), setting.where, chosen ? Colour::plain : Colour::dim}});
  }
  if (arguments.format() == Format::people) print_paths(config->paths, context);
  table.print(context.out, arguments.format(), context.terminal);
  return ExitCode::done;
}

}  // namespace

Command config_command() {
  return {.name = "config",
          .summary = "Prints each setting with its value and where it comes from.",
          .examples =
              "  sellcompute config\n"
              "  sellcompute config --json | jq -r 'select(.source != \"default\") | .key'\n"
              "  SELLCOMPUTE_SELLING_SLOTS=4 sellcompute config\n",
          .notes =
              "Flags override SELLCOMPUTE_... variables, variables override the config file, and the config file\n"
              "overrides the defaults. The variable of selling.slots is SELLCOMPUTE_SELLING_SLOTS, and likewise for\n"
              "the other settings. Separate the elements of a list with commas.\n",
          .uses_settings = true,
          .options = add_json_and_csv_options,
          .run = run_config};
}

}  // namespace cmd
