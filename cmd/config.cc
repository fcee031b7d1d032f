// sellcompute config: each setting, its value, and who said so.
#include <ostream>

#include "cmd/commands.h"

namespace cmd {
namespace {

std::string source_text(const Setting& setting) {
  return setting.where.empty() ? std::string(name(setting.source)) : setting.where;
}

base::Result<ExitCode> run_config(const Arguments& arguments, Context& context) {
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  Table table({{"SETTING", "key"}, {"VALUE", "value"}, {"", "source"}, {"FROM", "where"}});
  for (const Setting& setting : config->settings) {
    const bool chosen = setting.source != Source::fallback;
    table.add({setting.name,
               {toml_text(setting.value), json_value(setting.value), chosen ? Colour::bold : Colour::plain},
               {"", std::string(name(setting.source))},
               {source_text(setting), setting.where, chosen ? Colour::plain : Colour::dim}});
  }
  if (arguments.format() == Format::people) {
    context.out << "config file  " << config->paths.config_file.string() << '\n'
                << "data folder  " << config->paths.data_dir.string() << "\n\n";
  }
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
