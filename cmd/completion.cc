// sellcompute completion: what the shells need to complete our words, made from the table of commands.
#include <ostream>

#include "cmd/cli/help.h"
#include "cmd/commands.h"

namespace cmd {
namespace {

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
  return out;
}

std::string names_of(std::span<const Command> some) {
  std::vector<std::string> names;
  for (const Command& command : some) names.emplace_back(command.name);
  return joined(names);
}

// "wallet", "wallet pay": every path at which words can be completed, with those words.
struct Place {
  std::string path;
  std::string words;
  const Command* command;
};

std::vector<Place> places() {
  std::vector<Place> out;
  for (const Command& command : commands()) {
    const std::string name(command.name);
    if (command.subcommands.empty()) {
      out.push_back({name, joined(option_names(command)), &command});
      continue;
    }
    out.push_back({name, names_of(command.subcommands), &command});
    for (const Command& sub : command.subcommands) {
      out.push_back({name + " " + std::string(sub.name), joined(option_names(sub)), &sub});
    }
  }
  return out;
}

void print_bash(std::ostream& out) {
  out << "# bash completion for sellcompute: source it, or put it into ~/.local/share/bash-completion/completions/\n"
         "_sellcompute() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} path='' i w\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    w=${COMP_WORDS[i]}\n"
         "    case \"$path $w\" in\n";
  for (const Place& place : places()) out << "      ' " << place.path << "') path=' " << place.path << "' ;;\n";
  out << "    esac\n"
         "  done\n"
         "  case $path in\n"
         "    '') COMPREPLY=($(compgen -W '"
      << names_of(commands()) << " " << joined(option_names(Command{})) << "' -- \"$word\")) ;;\n";
  for (const Place& place : places()) {
    out << "    ' " << place.path << "') COMPREPLY=($(compgen -W '" << place.words << "' -- \"$word\")) ;;\n";
  }
  out << "  esac\n"
         "}\n"
         "complete -o default -F _sellcompute sellcompute\n";
}

void print_zsh(std::ostream& out) {
  out << "#compdef sellcompute\n"
         "# zsh completion for sellcompute: put it as _sellcompute into a folder of $fpath\n"
         "autoload -U +X bashcompinit && bashcompinit\n";
  print_bash(out);
}

std::string fish_quoted(std::string_view text) {
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += '\\';
    out += c;
  }
  return out + "'";
}

void print_fish_options(std::ostream& out, const std::string& condition, const Command& command) {
  for (const auto& option : own_options(command)) {
    out << "complete -c sellcompute -n " << fish_quoted(condition);
    if (!option.s.empty()) out << " -s " << option.s;
    if (!option.l.empty()) out << " -l " << option.l.front();
    if (!option.is_boolean && !option.has_implicit) out << " -r";
    out << " -d " << fish_quoted(option.desc) << '\n';
  }
}

void print_fish(std::ostream& out) {
  out << "# fish completion for sellcompute: put it into ~/.config/fish/completions/sellcompute.fish\n";
  for (const std::string& name : option_names(Command{})) {
    const bool is_long = name.starts_with("--");
    out << "complete -c sellcompute " << (is_long ? "-l " + name.substr(2) : "-s " + name.substr(1)) << '\n';
  }
  for (const Command& command : commands()) {
    const std::string name(command.name);
    out << "complete -c sellcompute -f -n __fish_use_subcommand -a " << name << " -d " << fish_quoted(command.summary)
        << '\n';
    const std::string seen = "__fish_seen_subcommand_from " + name;
    print_fish_options(out, seen, command);
    for (const Command& sub : command.subcommands) {
      const std::string sub_name(sub.name);
      out << "complete -c sellcompute -f -n " << fish_quoted(seen) << " -a " << sub_name << " -d "
          << fish_quoted(sub.summary) << '\n';
      print_fish_options(out, seen + "; and __fish_seen_subcommand_from " + sub_name, sub);
    }
  }
}

base::Result<ExitCode> run_completion(const Arguments& arguments, Context& context) {
  const std::string& shell = arguments.words.front();
  if (shell == "bash")
    print_bash(context.out);
  else if (shell == "zsh")
    print_zsh(context.out);
  else if (shell == "fish")
    print_fish(context.out);
  else
    return usage_error("there is no completion for `" + shell + "`", "it is bash, zsh or fish");
  return ExitCode::done;
}

}  // namespace

Command completion_command() {
  return {.name = "completion",
          .summary = "Prints what bash, zsh or fish need to complete commands and options.",
          .examples =
              "  source <(sellcompute completion bash)\n"
              "  sellcompute completion fish > ~/.config/fish/completions/sellcompute.fish\n",
          .words = "SHELL",
          .run = run_completion};
}

}  // namespace cmd
