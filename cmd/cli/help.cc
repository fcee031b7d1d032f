#include "cmd/cli/help.h"

#include <algorithm>
#include <ostream>

#include "cmd/text/humanize.h"

namespace cmd {
namespace {

constexpr std::string_view kOwn{};
constexpr std::string_view kGlobal = "Everywhere";
constexpr std::string_view kSettings = "Settings";
constexpr int kMostReadable = 100;  // columns of a text

// A group may be missing: commands without options of their own.
std::vector<cxxopts::HelpOptionDetails> details(const cxxopts::Options& options, std::string_view group) {
  const auto groups = options.groups();
  if (std::ranges::find(groups, group) == groups.end()) return {};
  return options.group_help(std::string(group)).options;
}

std::string_view value_word(ValueKind kind) {
  switch (kind) {
    case ValueKind::integer:
      return "N";
    case ValueKind::duration:
      return "TIME";
    case ValueKind::http_url:
    case ValueKind::relay_urls:
      return "URL";
    case ValueKind::config_path:
    case ValueKind::data_path:
      return "PATH";
    default:
      return "WORD";
  }
}

std::string padded(std::string text, std::size_t width) {
  const auto shown = static_cast<std::size_t>(display_width(text));
  return shown < width ? text.append(width - shown, ' ') : text + "  ";
}

// Several lines of sentences, with empty lines between paragraphs.
std::string prose(std::string_view text, int width) {
  return width == kAnyWidth ? std::string(text) : reflowed(text, std::min(width, kMostReadable));
}

// A name and, in the column of that width behind it, what is to be known about it; below it where the name is too long.
void print_entry(std::ostream& out, int width, const std::string& name, std::size_t column, std::string_view text) {
  const int indent = static_cast<int>(column) + 2;
  const bool beside = width == kAnyWidth || display_width(name) < static_cast<int>(column);
  out << "  " << (beside ? padded(name, column) : name + "\n" + std::string(column + 2, ' '))
      << paragraph(text, width == kAnyWidth ? width : std::min(width, kMostReadable), indent) << '\n';
}

void print_list(std::ostream& out, int width, std::span<const Command> commands) {
  std::size_t column = 0;
  for (const Command& command : commands) column = std::max(column, command.name.size() + 4);
  for (const Command& command : commands) {
    if (!command.hidden) print_entry(out, width, std::string(command.name), column, command.summary);
  }
}

void print_options(std::ostream& out, int width, std::string_view title,
                   const std::vector<cxxopts::HelpOptionDetails>& options) {
  constexpr std::size_t kColumn = 26;
  if (options.empty()) return;
  out << '\n' << title << ":\n";
  for (const auto& option : options) {
    std::string name = option.s.empty() ? "    " : "-" + option.s + (option.l.empty() ? "" : ", ");
    if (!option.l.empty()) name += "--" + option.l.front();
    if (takes_value(option)) name += " " + option.arg_help;
    const bool says_default = takes_value(option) && !option.default_value.empty();
    print_entry(out, width, name, kColumn,
                option.desc + (says_default ? " (default " + option.default_value + ")" : ""));
  }
}

// "selling.slots: 1 to 1,024 inferences; default 1"
std::string setting_text(const Key& key) {
  const std::string range = range_text(key);
  const std::string fallback = key.fallback.empty() ? "" : "; default " + std::string(key.fallback);
  return std::string(key.name) + (range.empty() ? "" : ": " + range) + fallback;
}

void add_settings(cxxopts::Options& options) {
  auto add = options.add_options(std::string(kSettings));
  for (const Key& key : config_keys()) {
    if (key.flag.empty()) continue;
    auto value = cxxopts::value<std::vector<std::string>>();
    if (key.kind == ValueKind::boolean) value->implicit_value("true");
    add(std::string(key.flag), std::string(key.description) + " (" + setting_text(key) + ")", value,
        std::string(value_word(key.kind)));
  }
}

}  // namespace

std::string_view version() {
  return SELLCOMPUTE_VERSION;
}

cxxopts::Options options_of(const Command& command) {
  cxxopts::Options options("sellcompute");
  options.allow_unrecognised_options();
  auto own = options.add_options(std::string(kOwn));
  if (command.options) command.options(own);
  options.add_options(std::string(kGlobal))("config", "the config file", cxxopts::value<std::string>(), "FILE")(
      "data-dir", "where the ledger and the wallet's files are", cxxopts::value<std::string>(), "DIR")(
      "v,verbose", "print more messages")("q,quiet", "print only errors")(
      "color", "colours: auto, always or never", cxxopts::value<std::string>()->default_value("auto"), "WHEN")(
      "h,help", "this text");
  add_settings(options);
  return options;
}

std::vector<cxxopts::HelpOptionDetails> all_options(const Command& command) {
  std::vector<cxxopts::HelpOptionDetails> out;
  const auto options = options_of(command);
  for (const std::string_view group : {kOwn, kGlobal, kSettings}) {
    for (auto& option : details(options, group)) out.push_back(std::move(option));
  }
  return out;
}

bool takes_value(const cxxopts::HelpOptionDetails& option) {
  return !option.is_boolean && !option.has_implicit;
}

std::vector<std::string> option_names(const Command& command) {
  std::vector<std::string> names;
  for (const auto& option : all_options(command)) {
    for (const auto& name : option.l) names.push_back("--" + name);
    if (!option.s.empty()) names.push_back("-" + option.s);
  }
  return names;
}

std::vector<std::string> global_options_with_value() {
  std::vector<std::string> names;
  for (const auto& option : all_options(Command{})) {
    if (takes_value(option)) names.push_back("--" + option.l.front());
  }
  return names;
}

void print_program_help(std::ostream& out, int width, std::span<const Command> commands) {
  out << prose("sellcompute sells AI inference on Nostr, paid over Lightning.\n", width)
      << "\n"
         "Examples:\n"
         "  sellcompute init                     write a config file and a new key\n"
         "  sellcompute status                   check everything that selling needs\n"
         "  sellcompute config                   each setting and where it comes from\n"
         "\n"
         "Usage: sellcompute [OPTION...] COMMAND ...\n"
         "\n"
         "Commands:\n";
  print_list(out, width, commands);
  auto options = details(options_of(Command{}), kGlobal);
  options.push_back({.l = {"version"}, .desc = "the version", .is_boolean = true});
  print_options(out, width, "Options", options);
  out << '\n'
      << prose(
             "Settings come from flags, then SELLCOMPUTE_... variables, then the config file, then defaults.\n"
             "`sellcompute help COMMAND` shows a command's examples, options and settings.\n"
             "\n"
             "Exit codes: 0 done, 1 failed, 2 usage or configuration, 3 something needed is unreachable,\n"
             "4 audit found a fault, 5 the ledger is locked, damaged or cannot be written, 130 interrupted,\n"
             "141 the reader of the output closed it.\n",
             width);
}

void print_group_help(std::ostream& out, int width, const Command& group) {
  out << prose(group.summary, width) << "\n\nExamples:\n"
      << group.examples << "\nUsage: sellcompute " << group.name << " COMMAND ...\n\nCommands:\n";
  print_list(out, width, group.subcommands);
  out << '\n'
      << prose("`sellcompute " + std::string(group.name) + " COMMAND --help` shows the help of a command.\n", width);
}

void print_command_help(std::ostream& out, int width, const std::string& path, const Command& command) {
  const auto options = options_of(command);
  out << prose(command.summary, width) << "\n\nExamples:\n"
      << command.examples << "\nUsage: " << path << " [OPTION...]" << (command.words.empty() ? "" : " ")
      << command.words << '\n';
  if (!command.notes.empty()) out << '\n' << prose(command.notes, width);
  print_options(out, width, "Options", details(options, kOwn));
  print_options(out, width, kGlobal, details(options, kGlobal));
  if (command.uses_settings)
    print_options(out, width, "Settings (instead of the config file's)", details(options, kSettings));
}

}  // namespace cmd
