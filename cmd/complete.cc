// sellcompute complete: what may stand at the cursor, for the scripts that `sellcompute completion` prints. Every
// failure is silent, as nobody can read a message while typing.
#include <algorithm>
#include <ostream>
#include <set>

#include "cmd/cli/help.h"
#include "cmd/cli/open_ledger.h"
#include "cmd/cli/program.h"
#include "cmd/commands.h"
#include "cmd/config/template.h"
#include "cmd/text/humanize.h"
#include "pipeline/nostr/nip19.h"
#include "replay/earnings_report.h"
#include "replay/jobs_view.h"

namespace cmd {
namespace {

constexpr std::size_t kMaxJobs = 50;  // so many of the newest are looked at

struct Candidate {
  std::string word;
  std::string description;
};
using Candidates = std::vector<Candidate>;

Candidates fixed_words(std::initializer_list<std::string_view> all) {
  Candidates out;
  for (const std::string_view word : all) out.push_back({std::string(word), ""});
  return out;
}

// ---- from settings and ledger ---------------------------------------------------------------------------------------

std::vector<core::Job> newest_jobs(const Context& context) {
  const auto ledger = open_ledger(context);
  if (!ledger) return {};
  return replay::list_jobs(ledger->reader, {.limit = kMaxJobs}).value_or(std::vector<core::Job>());
}

std::string job_word(const base::JobId& id, std::string_view begun) {
  return begun.size() > short_id(id.hex()).size() ? id.hex() : short_id(id.hex());
}

// The jobs whose ids begin as typed; before that, the newest.
Candidates job_words(const Context& context, std::string_view begun) {
  Candidates out;
  if (begun.size() < kMinPrefix) {
    for (const core::Job& job : newest_jobs(context)) {
      const std::string model = job.quote ? ", " + job.quote->terms.name : "";
      out.push_back({job_word(job.id, begun), std::string(core::name(core::state(job))) + model});
    }
    return out;
  }
  const auto ledger = open_ledger(context);
  if (!ledger) return {};
  const auto found = replay::jobs_with_prefix(ledger->reader, begun, kMaxJobs);
  for (const base::JobId& id : found.value_or(std::vector<base::JobId>())) out.push_back({job_word(id, begun), ""});
  return out;
}

Candidates customer_words(const Context& context) {
  std::set<base::PublicKey> seen;
  Candidates out;
  for (const core::Job& job : newest_jobs(context)) {
    if (!job.request || !seen.insert(job.request->customer).second) continue;
    out.push_back({nostr::encode_npub(job.request->customer), ""});
  }
  return out;
}

// Those in the config file, those that were sold last, and those of the newest jobs.
Candidates model_words(const Context& context) {
  std::set<std::string> names;
  if (const auto config = context.config()) {
    for (const auto& model : config->selling.models) names.insert(model.name);
  }
  if (const auto ledger = open_ledger(context)) {
    const auto policy = replay::policy_in_force(ledger->reader);
    if (policy && *policy) {
      for (const auto& model : (*policy)->models) names.insert(model.name);
    }
  }
  for (const core::Job& job : newest_jobs(context)) {
    if (job.quote) names.insert(job.quote->terms.name);
  }
  Candidates out;
  for (const std::string& name : names) out.push_back({name, ""});
  return out;
}

// ---- values ---------------------------------------------------------------------------------------------------------

Candidates state_words() {
  Candidates out;
  for (const core::State state : core::all_states()) out.push_back({std::string(core::name(state)), ""});
  return out;
}

Candidates grouping_words() {
  Candidates out;
  for (const replay::GroupBy by : replay::all_groupings()) out.push_back({std::string(replay::name(by)), ""});
  return out;
}

Candidates relay_words() {
  Candidates out;
  for (const std::string_view url : public_relays()) out.push_back({std::string(url), "public relay"});
  return out;
}

// The choices of a setting that the option stands for.
Candidates choices_of_setting(std::string_view option) {
  Candidates out;
  const auto key = std::ranges::find(config_keys(), option, &Key::flag);
  if (key == config_keys().end()) return out;
  std::string_view rest = key->choices;
  while (!rest.empty()) {
    const std::string_view choice = rest.substr(0, rest.find('|'));
    rest.remove_prefix(std::min(choice.size() + 1, rest.size()));
    out.push_back({std::string(choice), ""});
  }
  return out;
}

// The values of an option, of those that can be known. `request` is a customer's command: its jobs are not ours.
Candidates values_of(const cxxopts::HelpOptionDetails& option, bool of_customer, std::string_view begun,
                     const Context& context) {
  const std::string name = option.l.empty() ? "" : option.l.front();
  if (name == "color") return fixed_words({"auto", "always", "never"});
  if (name == "state") return state_words();
  if (name == "by") return grouping_words();
  if (name == "money") return fixed_words({"real", "play"});
  if (name == "encrypt") return fixed_words({"nip44", "nip04"});
  if (name == "since" || name == "until") return fixed_words({"1d", "7d", "30d"});
  if (name == "relay") return relay_words();
  if (name == "model") return model_words(context);
  if (name == "customer") return customer_words(context);
  if (option.arg_help == "ID" && !of_customer) return job_words(context, begun);
  return choices_of_setting(name);
}

// ---- the words so far -----------------------------------------------------------------------------------------------

// One line that is being typed; the last word is the one at the cursor.
class TypedLine {
 public:
  TypedLine(std::span<const std::string> typed, const Context& context)
      : context_(context), current_(typed.back()), before_(typed.begin(), typed.end() - 1) {
    const Typed parts = take_apart(before_, commands());
    for (const std::string& name : parts.path) {
      command_ = find_command(command_ ? std::span<const Command>(command_->subcommands) : commands(), name);
      if (!command_) unknown_ = true;
      if (unknown_) return;
    }
    options_ = all_options(command_ ? *command_ : Command{});
    word_ = count_words(parts.options) + parts.words.size();
    only_words_ = std::ranges::find(before_, "--") != before_.end();
  }

  Candidates candidates() const {
    if (unknown_) return {};
    if (only_words_) return plain_words();
    if (!before_.empty()) {
      if (const auto* option = option_with_value(before_.back())) return values(*option, current_);
    }
    const std::size_t equals = current_.find('=');
    if (current_.starts_with("--") && equals != std::string::npos) return values_behind_equals(equals);
    if (current_.starts_with('-')) return option_names();
    return plain_words();
  }

 private:
  // The option that this word is, if a value must follow.
  const cxxopts::HelpOptionDetails* option_with_value(std::string_view word) const {
    const auto found = std::ranges::find_if(options_, [&](const cxxopts::HelpOptionDetails& option) {
      const bool is_long = std::ranges::any_of(option.l, [&](const auto& name) { return "--" + name == word; });
      return takes_value(option) && (is_long || (!option.s.empty() && "-" + option.s == word));
    });
    return found == options_.end() ? nullptr : &*found;
  }

  std::size_t count_words(const std::vector<std::string>& typed) const {
    std::size_t count = 0;
    for (std::size_t i = 0; i < typed.size(); ++i) {
      const bool is_option = typed[i].size() > 1 && typed[i].starts_with('-');
      if (!is_option) ++count;
      if (option_with_value(typed[i])) ++i;
    }
    return count;
  }

  Candidates values(const cxxopts::HelpOptionDetails& option, std::string_view begun) const {
    return values_of(option, command_ && command_->name == "request", begun, context_);
  }

  Candidates values_behind_equals(std::size_t equals) const {
    const std::string name = current_.substr(0, equals);
    const auto* option = option_with_value(name);
    if (!option) return {};
    Candidates out = values(*option, std::string_view(current_).substr(equals + 1));
    for (Candidate& one : out) one.word = name + "=" + one.word;
    return out;
  }

  Candidates option_names() const {
    Candidates out;
    for (const auto& option : options_) {
      for (const auto& name : option.l) out.push_back({"--" + name, option.desc});
    }
    return out;
  }

  static Candidates names_of(std::span<const Command> some) {
    Candidates out;
    for (const Command& command : some) {
      if (!command.hidden) out.push_back({std::string(command.name), std::string(command.summary)});
    }
    return out;
  }

  // A command's name, or what its own words mean.
  Candidates plain_words() const {
    if (!command_) return names_of(commands());
    if (!command_->subcommands.empty()) return names_of(command_->subcommands);
    if (command_->name == "help") return names_for_help();
    if (command_->words == "SHELL" && word_ == 0) return fixed_words({"bash", "zsh", "fish"});
    if (command_->words == "ID" && word_ == 0) return job_words(context_, current_);
    return {};
  }

  Candidates names_for_help() const {
    if (word_ == 0) return names_of(commands());
    const Command* group = word_ == 1 ? find_command(commands(), before_.back()) : nullptr;
    return group ? names_of(group->subcommands) : Candidates{};
  }

  const Context& context_;
  std::string current_;
  std::vector<std::string> before_;
  const Command* command_ = nullptr;
  bool unknown_ = false;  // a command that we do not have was typed
  std::vector<cxxopts::HelpOptionDetails> options_;
  std::size_t word_ = 0;     // so many of the command's own words stand before the cursor
  bool only_words_ = false;  // behind "--"
};

// The line's own --config and --data-dir say which shop is meant.
void use_places_of(std::span<const std::string> typed, ConfigSources& sources) {
  for (std::size_t i = 0; i + 1 < typed.size(); ++i) {
    for (auto& [option, place] : {std::pair{std::string("--config"), &sources.config_file},
                                  std::pair{std::string("--data-dir"), &sources.data_dir}}) {
      if (typed[i] == option) *place = typed[i + 1];
      if (typed[i].starts_with(option + "=")) *place = typed[i].substr(option.size() + 1);
    }
  }
}

// A shell would do something with these, and none of our words needs them.
bool is_plain(std::string_view word) {
  return word.find_first_of(" \t\r\n'\"`$\\;&|<>(){}[]*?#~!") == std::string_view::npos;
}

base::Result<ExitCode> run_complete(const Arguments& arguments, Context& context) {
  if (arguments.words.empty()) return ExitCode::done;
  use_places_of(arguments.words, context.sources);
  for (const Candidate& one : TypedLine(arguments.words, context).candidates()) {
    if (!one.word.starts_with(arguments.words.back()) || !is_plain(one.word)) continue;
    context.out << printable(one.word) << '\t' << printable(one.description) << '\n';
  }
  return ExitCode::done;
}

}  // namespace

Command complete_command() {
  return {.name = "complete",
          .summary = "Prints what may stand at the cursor, for the shells.",
          .examples = "  sellcompute complete -- jobs list --state de\n",
          .words = "[WORD]...",
          .notes =
              "The words are those behind the program's name; the last is the one at the cursor. Each line is a\n"
              "word, a tab and its description.\n",
          .hidden = true,
          .run = run_complete};
}

}  // namespace cmd
