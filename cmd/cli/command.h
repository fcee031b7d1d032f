// What a subcommand is, and what it is given to work with. Each lives in a file of its own, which defines one function
// that returns its Command; cmd/commands.cc lists them.
#pragma once

#include <cxxopts.hpp>
#include <iosfwd>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cmd/cli/exit_code.h"
#include "cmd/config/config.h"
#include "cmd/text/output.h"
#include "cmd/text/usage_error.h"

namespace cmd {

enum class Verbosity { quiet, normal, verbose };

// The world of one run. Data goes to `out`, everything else to `err`.
struct Context {
  std::istream& in;
  std::ostream& out;
  std::ostream& err;
  Terminal terminal;        // what `out` leads to
  Terminal error_terminal;  // what `err` leads to: progress is shown there
  Verbosity verbosity = Verbosity::normal;
  ConfigSources sources;  // where settings come from

  // The configuration of this run. Fails with the codes of load_config.
  base::Result<Config> config() const { return load_config(sources); }
};

// What was typed after the command's name. The number of `words` is one that Command::words allows.
struct Arguments {
  cxxopts::ParseResult options;
  std::vector<std::string> words;

  bool has(const std::string& option) const { return options.count(option) > 0; }
  std::string text(const std::string& option) const { return options[option].as<std::string>(); }
  // --json, --csv, or for people; both at once is refused before a command runs.
  Format format() const;
};

struct Command {
  std::string_view name;
  std::string_view summary;   // what it does, in a line
  std::string_view examples;  // one per line, with a comment after it where needed; shown first in the help
  // The words it takes, for the usage line and the check: "BOLT11", "[FILE]" if it may be left out, "[ID]..." if
  // repeated.
  std::string_view words;
  std::string_view notes;      // what else there is to know; may be empty
  bool uses_settings = false;  // its help lists the settings that have flags
  bool hidden = false;         // for programs: neither listed nor suggested
  void (*options)(cxxopts::OptionAdder& add) = nullptr;
  base::Result<ExitCode> (*run)(const Arguments& arguments, Context& context) = nullptr;
  std::vector<Command> subcommands;  // then `run` is not set
};

// Options that many commands share.
void add_json_option(cxxopts::OptionAdder& add);
void add_json_and_csv_options(cxxopts::OptionAdder& add);

// The system's clock. Only commands read it; the functions that they call get the time as an argument.
base::TimeMs wall_clock();

}  // namespace cmd
