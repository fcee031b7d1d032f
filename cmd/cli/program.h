// From the words typed to a command and its exit code: global options, suggestions, error lines.
#pragma once

#include <span>

#include "cmd/cli/command.h"

namespace cmd {

// Runs the command that `arguments` name. `arguments` do not include the program's own name. Errors are printed to
// context.err as "sellcompute: what, why (where): what to do". The caller sets the streams and the environment of
// `context`; this function sets the rest.
ExitCode run_program(std::span<const Command> commands, std::span<const std::string> arguments, Context& context);

// Prints to context.out the help of the command that is named ("wallet", "pay"), or of the program if none is. Fails
// with "usage", which suggests the nearest name, if there is no such command.
base::Result<void> print_help(const Context& context, std::span<const Command> commands,
                              std::span<const std::string> names);

// The command of this name, or null.
const Command* find_command(std::span<const Command> commands, std::string_view name);

// What was typed, taken apart: which command, and everything else in its order.
struct Typed {
  std::vector<std::string> path;     // "wallet", "pay"
  std::vector<std::string> options;  // all before "--" that is not the command's name
  std::vector<std::string> words;    // all behind "--"
};
Typed take_apart(std::span<const std::string> arguments, std::span<const Command> commands);

}  // namespace cmd
