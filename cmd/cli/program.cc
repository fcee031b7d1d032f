#include "cmd/cli/program.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "cmd/cli/help.h"
#include "cmd/config/faults.h"
#include "cmd/text/fit.h"
#include "cmd/text/humanize.h"

namespace cmd {
namespace {

using base::ErrorKind;
using base::Result;

std::optional<std::string> suggestion(const std::string& word, std::span<const Command> commands) {
  std::vector<std::string_view> names;
  for (const Command& command : commands) {
    if (!command.hidden) names.push_back(command.name);
  }
  return nearest(word, names);
}

// A command, and how one types it: "sellcompute wallet pay". The program itself is no command.
struct Named {
  const Command* command = nullptr;
  std::string path = "sellcompute";
};

Result<Named> find_named(std::span<const Command> commands, std::span<const std::string> names) {
  Named named;
  for (const std::string& name : names) {
    const auto candidates = named.command ? std::span<const Command>(named.command->subcommands) : commands;
    const Command* found = find_command(candidates, name);
    if (!found) {
      const auto meant = suggestion(name, candidates);
      return usage_error("there is no command `" + (named.path + " " + name).substr(12) + "`",
                         meant ? "did you mean `" + *meant + "`?" : "see `" + named.path + " --help`");
    }
    named = {found, named.path + " " + name};
  }
  return named;
}

std::string listed(std::span<const Command> commands) {
  std::string out;
  for (const Command& command : commands) out += (out.empty() ? "" : ", ") + std::string(command.name);
  return out;
}

bool asks(const Typed& typed, std::string_view option, std::string_view letter = {}) {
  return std::ranges::any_of(typed.options, [&](const std::string& o) { return o == option || o == letter; });
}

// The words that are no option; an option that nobody knows is a mistake.
Result<std::vector<std::string>> plain_words(const cxxopts::ParseResult& parsed, const Typed& typed,
                                             const std::string& path, const Command& command) {
  std::vector<std::string> words;
  for (const std::string& word : parsed.unmatched()) {
    if (word.size() < 2 || word.front() != '-') {
      words.push_back(word);
      continue;
    }
    const std::string option = word.substr(0, word.find('='));
    const bool is_long = option.starts_with("--");  // any letter is near to any other
    const auto meant = is_long ? nearest(option, option_names(command)) : std::nullopt;
    return usage_error("there is no option " + option,
                       meant ? "did you mean " + *meant + "?" : "see `" + path + " --help`");
  }
  words.insert(words.end(), typed.words.begin(), typed.words.end());
  return words;
}

Result<void> check_word_count(std::size_t count, const std::string& path, const Command& command) {
  std::size_t needed = 0, allowed = 0;
  bool any_number = false;
  std::string_view rest = command.words;
  while (!rest.empty()) {
    const std::string_view word = rest.substr(0, rest.find(' '));
    rest.remove_prefix(std::min(word.size() + 1, rest.size()));
    ++allowed;
    if (!word.starts_with('[')) ++needed;
    if (word.ends_with("...")) any_number = true;
  }
  if (count >= needed && (any_number || count <= allowed)) return {};
  const std::string usage = path + (command.words.empty() ? "" : " ") + std::string(command.words);
  if (count > allowed) return usage_error("too many words", "usage: " + usage);
  return usage_error("`" + path + "` needs " + std::string(command.words),
                     "usage: " + usage + "; see `" + path + " --help`");
}

// The settings that were given as flags, under their keys.
std::vector<std::pair<std::string_view, std::string>> flag_settings(const cxxopts::ParseResult& parsed) {
  std::vector<std::pair<std::string_view, std::string>> out;
  for (const Key& key : config_keys()) {
    if (key.flag.empty() || parsed.count(std::string(key.flag)) == 0) continue;
    std::string text;
    for (const auto& part : parsed[std::string(key.flag)].as<std::vector<std::string>>()) {
      text = key.kind == ValueKind::relay_urls && !text.empty() ? text + "," + part : part;
    }
    out.emplace_back(key.name, text);
  }
  return out;
}

Result<void> apply_global_options(const cxxopts::ParseResult& parsed, Context& context) {
  const auto text = [&](const std::string& option) {
    return parsed.count(option) == 0 ? std::string() : parsed[option].as<std::string>();
  };
  const bool verbose = parsed.count("verbose") > 0, quiet = parsed.count("quiet") > 0;
  if (verbose && quiet) return usage_error("-v and -q contradict each other", "choose one");
  if (parsed.count("json") > 0 && parsed.count("csv") > 0)
    return usage_error("--json and --csv contradict each other", "choose one");

  context.sources.config_file = text("config");
  context.sources.data_dir = text("data-dir");
  context.sources.flags = flag_settings(parsed);
  context.verbosity = verbose ? Verbosity::verbose : quiet ? Verbosity::quiet : Verbosity::normal;
  const bool level_given = parsed.count("log-level") > 0;
  if (verbose && !level_given) context.sources.flags.emplace_back("log.level", "debug");
  if (quiet && !level_given) context.sources.flags.emplace_back("log.level", "error");
  return {};
}

Result<ColourChoice> colour_choice(const std::string& text) {
  if (text == "auto") return ColourChoice::automatic;
  if (text == "always") return ColourChoice::always;
  if (text == "never") return ColourChoice::never;
  return usage_error("--color cannot be " + text, "it is auto, always or never");
}

void detect_terminals(ColourChoice choice, Context& context) {
  const auto variable = [&](const char* name) {
    const auto found = context.sources.environment.find(name);
    return found == context.sources.environment.end() ? std::string() : found->second;
  };
  for (const auto& [terminal, descriptor] :
       {std::pair(&context.terminal, STDOUT_FILENO), std::pair(&context.error_terminal, STDERR_FILENO)}) {
    *terminal = detect_terminal(descriptor, choice, variable("NO_COLOR"), variable("TERM"), variable("COLUMNS"));
  }
}

// What cxxopts throws, in our words. It quotes an option's name without its dashes.
tl::unexpected<base::Error> option_fault(const cxxopts::exceptions::exception& error, const Typed& typed,
                                         const std::string& path) {
  const std::string_view what = error.what();
  const std::size_t begin = std::min(what.find(cxxopts::LQUOTE), what.size());
  const std::size_t end = std::max(what.rfind(cxxopts::RQUOTE), begin);
  std::string quoted(what.substr(begin, end - begin));
  quoted.erase(0, std::min(cxxopts::LQUOTE.size(), quoted.size()));
  const std::string help = "see `" + path + " --help`";
  if (dynamic_cast<const cxxopts::exceptions::missing_argument*>(&error)) {
    return usage_error((quoted.size() == 1 ? "-" : "--") + quoted + " needs a value", help);
  }
  if (!dynamic_cast<const cxxopts::exceptions::incorrect_argument_type*>(&error))
    return usage_error(error.what(), help);
  for (std::size_t i = 0; i < typed.options.size(); ++i) {
    const std::string& option = typed.options[i];
    if (option == quoted && i > 0) return usage_error(typed.options[i - 1] + " cannot be " + quoted, help);
    if (option.ends_with("=" + quoted)) {
      return usage_error(option.substr(0, option.find('=')) + " cannot be " + quoted, help);
    }
  }
  return usage_error(error.what(), help);
}

Result<ExitCode> run_command(const Named& named, const Typed& typed, Context& context) {
  const auto& [command, path] = named;
  std::vector<const char*> argv = {"sellcompute"};
  for (const std::string& option : typed.options) argv.push_back(option.c_str());
  try {
    const auto parsed = options_of(*command).parse(static_cast<int>(argv.size()), argv.data());
    auto words = plain_words(parsed, typed, path, *command);
    if (!words) return tl::unexpected(words.error());
    if (auto done = check_word_count(words->size(), path, *command); !done) return tl::unexpected(done.error());
    if (auto done = apply_global_options(parsed, context); !done) return tl::unexpected(done.error());
    const auto choice = colour_choice(parsed["color"].as<std::string>());
    if (!choice) return tl::unexpected(choice.error());
    detect_terminals(*choice, context);
    return command->run({parsed, std::move(*words)}, context);
  } catch (const cxxopts::exceptions::exception& error) {
    return option_fault(error, typed, path);
  }
}

// Options without a command: an unknown one is the fault, else that there is no command.
Result<ExitCode> program_alone(const Typed& typed, Context& context) {
  if (asks(typed, "--version")) {
    context.out << "sellcompute " << version() << '\n';
    return ExitCode::done;
  }
  const Command no_command{.words = "[COMMAND]...", .run = [](const Arguments&, Context&) -> Result<ExitCode> {
                             return usage_error("no command was given", "see `sellcompute --help`");
                           }};
  return run_command({&no_command, "sellcompute"}, typed, context);
}

Result<ExitCode> dispatch(std::span<const Command> commands, const Typed& typed, Context& context) {
  const auto named = find_named(commands, typed.path);
  if (!named) return tl::unexpected(named.error());
  if (asks(typed, "--help", "-h")) {
    if (auto done = print_help(context, commands, typed.path); !done) return tl::unexpected(done.error());
    return ExitCode::done;
  }
  const Command* command = named->command;
  if (!command) return program_alone(typed, context);
  if (command->subcommands.empty()) return run_command(*named, typed, context);
  return usage_error("`" + std::string(command->name) + "` needs a command behind it",
                     "it is " + listed(command->subcommands) + "; see `" + named->path + " --help`");
}

// The other end of this pipe or socket is closed.
bool is_unread(int descriptor) {
  pollfd one{.fd = descriptor, .events = POLLOUT};
  return ::poll(&one, 1, 0) == 1 && (one.revents & (POLLERR | POLLHUP)) != 0;
}

ExitCode report(const base::Error& error, Context& context) {
  context.out.flush();
  const std::string text = error.describe();
  const bool of_many_lines = error.code == kManyFaults;
  const int width = context.error_terminal.width;
  context.err << (of_many_lines ? wrapped_lines("sellcompute: " + printable_lines(text), width)
                                : paragraph("sellcompute: " + printable(text), width, 2))
              << std::endl;
  return exit_code_of(error);
}

// A file that somebody else owns is no bug of ours.
base::Error file_fault(const std::filesystem::filesystem_error& error) {
  const bool refused = error.code() == std::errc::permission_denied;
  return {ErrorKind::config, "file.io", "a file or folder cannot be used: " + error.code().message(),
          error.path1().string(), refused ? "look who owns it, and its mode" : ""};
}

}  // namespace

Typed take_apart(std::span<const std::string> arguments, std::span<const Command> commands) {
  // Global options may stand before the command's name, so finding it means knowing which of them take a value.
  const std::vector<std::string> with_value = global_options_with_value();
  Typed typed;
  bool name_expected = true;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    const std::string& argument = arguments[i];
    if (argument == "--") {
      typed.words.assign(arguments.begin() + static_cast<std::ptrdiff_t>(i) + 1, arguments.end());
      break;
    }
    const bool option = argument.size() > 1 && argument.starts_with('-');
    if (!option && name_expected) {
      typed.path.push_back(argument);
      const Command* command = typed.path.size() == 1 ? find_command(commands, argument) : nullptr;
      name_expected = command != nullptr && !command->subcommands.empty();
      continue;
    }
    typed.options.push_back(argument);
    const bool takes_next = option && std::ranges::find(with_value, argument) != with_value.end();
    if (takes_next && i + 1 < arguments.size()) typed.options.push_back(arguments[++i]);
  }
  return typed;
}

const Command* find_command(std::span<const Command> commands, std::string_view name) {
  const auto found = std::ranges::find(commands, name, &Command::name);
  return found == commands.end() ? nullptr : &*found;
}

Result<void> print_help(const Context& context, std::span<const Command> commands, std::span<const std::string> names) {
  const auto named = find_named(commands, names);
  if (!named) return tl::unexpected(named.error());
  if (!named->command) {
    print_program_help(context.out, context.terminal.width, commands);
  } else if (named->command->subcommands.empty()) {
    print_command_help(context.out, context.terminal.width, named->path, *named->command);
  } else {
    print_group_help(context.out, context.terminal.width, *named->command);
  }
  return {};
}

ExitCode run_program(std::span<const Command> commands, std::span<const std::string> arguments, Context& context) {
  try {
    detect_terminals(ColourChoice::automatic, context);  // help and faults come before --color is read
    if (arguments.empty()) print_program_help(context.err, context.error_terminal.width, commands);
    const auto code = dispatch(commands, take_apart(arguments, commands), context);
    if (!code) return report(code.error(), context);
    if (context.out.flush()) return *code;
    if (is_unread(STDOUT_FILENO)) return ExitCode::unread;
    return report({base::ErrorKind::invocation, "output.write", "the output could not be written", "stdout",
                   "is the disk full, or the receiver gone?"},
                  context);
  } catch (const std::filesystem::filesystem_error& error) {
    return report(file_fault(error), context);
  } catch (const std::exception& error) {
    return report({base::ErrorKind::invocation,
                   "program.unexpected",
                   "something unforeseen failed: " + std::string(error.what()),
                   {},
                   "this is a bug: please report it"},
                  context);
  }
}

}  // namespace cmd
