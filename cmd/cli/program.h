// From the words typed to a command and its exit code: global options, suggestions, error lines.
#pragma once

#include <span>

#include "cmd/cli/command.h"

namespace cmd {

// A program of these commands. `arguments` are without the program's own name. What goes wrong is said on context.err
// as "sellcompute: what, why (where): what to do". `context` comes with its streams and its environment; the rest is
// filled in.
ExitCode run_program(std::span<const Command> commands, std::span<const std::string> arguments, Context& context);

}  // namespace cmd
