// sellcompute completion: makes the shells ask `sellcompute complete` (complete.cc) what may stand at the cursor.
#include <ostream>
#include <utility>

#include "cmd/commands.h"

namespace cmd {
namespace {

constexpr std::string_view kBash =
    R"sh(# bash completion for sellcompute: source it, or put it into ~/.local/share/bash-completion/completions/
_sellcompute() {
  local line=${COMP_LINE:0:COMP_POINT} breaks=${COMP_WORDBREAKS//[^=:]/} words current
  read -ra words <<<"$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  current=${words[-1]}
  mapfile -t COMPREPLY < <("${words[0]}" complete -- "${words[@]:1}" 2>/dev/null)
  COMPREPLY=("${COMPREPLY[@]%%$'\t'*}")
  # Bash replaces only what stands behind the last of these signs.
  if [[ -n $breaks && $current == *[$breaks]* ]]; then
    COMPREPLY=("${COMPREPLY[@]#"${current%"${current##*[$breaks]}"}"}")
  fi
}
complete -o default -F _sellcompute sellcompute
)sh";

constexpr std::string_view kZsh = R"sh(#compdef sellcompute
# zsh completion for sellcompute: put it as _sellcompute into a folder of $fpath, or source it after compinit
_sellcompute() {
  local -a candidates shown
  local line
  for line in "${(@f)$("${words[1]}" complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}"; do
    [[ -z $line ]] && continue
    candidates+=("${line%%$'\t'*}")
    shown+=("${${line/$'\t'/  }% #}")
  done
  if (( $#candidates )); then
    compadd -l -d shown -a candidates
  else
    _files
  fi
}
if [[ $funcstack[1] == _sellcompute ]]; then
  _sellcompute "$@"
else
  compdef _sellcompute sellcompute
fi
)sh";

constexpr std::string_view kFish =
    R"sh(# fish completion for sellcompute: put it into ~/.config/fish/completions/sellcompute.fish
function __sellcompute_candidates
    set -l typed (commandline -opc)
    set -l current (commandline -ct)
    $typed[1] complete -- $typed[2..-1] "$current" 2>/dev/null
end
complete -c sellcompute -n 'test -n "$(__sellcompute_candidates)"' -f -a '(__sellcompute_candidates)'
)sh";

constexpr std::pair<std::string_view, std::string_view> kScripts[] = {{"bash", kBash}, {"zsh", kZsh}, {"fish", kFish}};

base::Result<ExitCode> run_completion(const Arguments& arguments, Context& context) {
  const std::string& shell = arguments.words.front();
  for (const auto& [name, script] : kScripts) {
    if (shell != name) continue;
    context.out << script;
    return ExitCode::done;
  }
  return usage_error("there is no completion for `" + shell + "`", "it is bash, zsh or fish");
}

}  // namespace

Command completion_command() {
  return {.name = "completion",
          .summary = "Prints what bash, zsh or fish need to complete commands, options and values.",
          .examples =
              "  source <(sellcompute completion bash)\n"
              "  sellcompute completion fish > ~/.config/fish/completions/sellcompute.fish\n",
          .words = "SHELL",
          .notes = "Completes job ids, models and customers of the newest 50 jobs in the ledger.\n",
          .run = run_completion};
}

}  // namespace cmd
