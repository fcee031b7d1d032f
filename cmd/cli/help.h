// The options a command accepts, and its help: examples first.
#pragma once

#include <iosfwd>
#include <span>
#include <string>
#include <vector>

#include "cmd/cli/command.h"

namespace cmd {

std::string_view version();

// The command's own options, the global ones, and the settings that have a flag. Unknown options are left for the
// caller.
cxxopts::Options options_of(const Command& command);

// The same options one by one: the command's own first, then the global ones, then the settings.
std::vector<cxxopts::HelpOptionDetails> all_options(const Command& command);
// Whether a value must follow the option.
bool takes_value(const cxxopts::HelpOptionDetails& option);

// "--config", "-v", ...: of the command and global. For suggestions.
std::vector<std::string> option_names(const Command& command);

// Those global options (dashes included) behind which a value follows.
std::vector<std::string> global_options_with_value();

// The help fits a terminal of `width` columns, except for examples, and has at most 100; with kAnyWidth, its lines are
// as the commands have them.
void print_program_help(std::ostream& out, int width, std::span<const Command> commands);
void print_group_help(std::ostream& out, int width, const Command& group);
// `path` is what one types: "sellcompute wallet pay".
void print_command_help(std::ostream& out, int width, const std::string& path, const Command& command);

}  // namespace cmd
