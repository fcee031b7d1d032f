#include "cmd/customer/question.h"

#include <unistd.h>

#include <charconv>
#include <fstream>
#include <ostream>

#include "cmd/cli/passphrase.h"
#include "cmd/text/humanize.h"
#include "cmd/text/lines.h"
#include "pipeline/core/chat_message.h"
#include "pipeline/nostr/key_file.h"
#include "pipeline/nostr/nip19.h"
#include "pipeline/nostr/nip90_request.h"

namespace cmd {

using base::Result;
using nostr::Input;
using nostr::InputType;
using nostr::Question;

namespace {

constexpr std::int64_t kMaxTimeoutMs = base::kDayMs;
constexpr std::int64_t kMsatPerSat = 1000;

enum class ParameterKind { text, whole, decimal };

struct Parameter {
  const char* option;
  const char* name;  // NIP-90's
  ParameterKind kind;
  const char* arg;
  const char* description;
};

constexpr Parameter kParameters[] = {
    {"model", "model", ParameterKind::text, "NAME", "the model that is to answer"},
    {"max-tokens", "max_tokens", ParameterKind::whole, "N", "the longest answer"},
    {"temperature", "temperature", ParameterKind::decimal, "T", "randomness of the answer: 0 to 2"},
    {"top-k", "top_k", ParameterKind::whole, "K", "choose among the K most likely tokens"},
    {"top-p", "top_p", ParameterKind::decimal, "P", "choose among the most likely tokens, P together"},
    {"seed", "seed", ParameterKind::whole, "N", "the same seed gives the same answer"},
    {"system", "system", ParameterKind::text, "TEXT", "what the model is told before the prompt"},
};

template <class Number>
bool is_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

Result<void> check(const Parameter& parameter, const std::string& text) {
  const bool good = parameter.kind == ParameterKind::text ||
                    (parameter.kind == ParameterKind::whole ? is_number<std::int64_t>(text) : is_number<double>(text));
  if (good) return {};
  return usage_error("--" + std::string(parameter.option) + " cannot be \"" + text + "\"",
                     parameter.kind == ParameterKind::whole ? "it is a whole number" : "it is a number, like 0.7");
}

// Without the last line's end, and never more than a little too much.
std::string read_text(std::istream& in) {
  std::string text(nostr::kMaxQuestionBytes + 1, '\0');
  in.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(in.gcount()));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

Result<Input> read_file(const std::string& path, std::istream& in) {
  std::ifstream file;
  const bool is_stdin = path == "-";
  if (!is_stdin) file.open(path, std::ios::binary);
  Input input{.data = read_text(is_stdin ? in : file)};
  if (is_stdin ? in.bad() : !file.is_open() || file.bad()) {
    return usage_error("--file " + path + " cannot be read", "is the name right, and may you read it?");
  }
  if (const auto good = nostr::check_text(is_stdin ? "stdin" : "the file " + path, input.data); !good) {
    return tl::unexpected(good.error());
  }
  return input;
}

// An option for an input that the provider fetches: "--url". The error begins with the option's name.
Result<Input> read_source(InputType type, const std::string& typed) {
  return nostr::parse_source(type, typed).map_error([](base::Error error) {
    error.message.insert(0, "--");
    return error;
  });
}

// What the options name, in the order in which they were typed; then the prompt: a question stands best behind what it
// is about. Without any input but standard input, that is the prompt.
Result<std::vector<Input>> read_inputs(const Arguments& arguments, Context& context) {
  std::vector<Input> inputs;
  for (const auto& option : arguments.options.arguments()) {
    for (const auto type : {InputType::text, InputType::url, InputType::event, InputType::job}) {
      if (option.key() != (type == InputType::text ? "file" : name(type))) continue;
      auto input = type == InputType::text ? read_file(option.value(), context.in) : read_source(type, option.value());
      if (!input) return tl::unexpected(input.error());
      inputs.push_back(std::move(*input));
    }
  }
  std::string prompt;
  if (!arguments.words.empty()) {
    prompt = arguments.words.front();
  } else if (inputs.empty()) {
    if (isatty(STDIN_FILENO) == 1 && context.verbosity != Verbosity::quiet)
      context.err << "type the prompt, then Ctrl-D in an empty line:" << std::endl;
    prompt = read_text(context.in);
    if (const auto good = whole(context.in, "the prompt on standard input"); !good) return tl::unexpected(good.error());
  }
  if (!prompt.empty()) inputs.push_back({.data = std::move(prompt)});
  return inputs;
}

Result<std::optional<base::Msat>> read_bid(const Arguments& arguments) {
  if (!arguments.has("bid-sat")) return std::nullopt;
  const auto sat = base::Msat::from_digits(arguments.text("bid-sat"));
  if (sat && sat->value <= base::Msat::kMax / kMsatPerSat) return base::Msat{sat->value * kMsatPerSat};
  return usage_error("--bid-sat cannot be \"" + arguments.text("bid-sat") + "\"", "it is a whole number of satoshi");
}

Result<ledger::Encryption> read_encryption(const Arguments& arguments) {
  if (!arguments.has("encrypt")) return ledger::Encryption::none;
  const std::string text = arguments.text("encrypt");
  if (!arguments.has("to") && !arguments.has("find")) {
    return usage_error("--encrypt needs the provider that shall read it", "name it with --to, or let --find choose");
  }
  for (const auto form : {ledger::Encryption::nip44, ledger::Encryption::nip04}) {
    if (text == ledger::name(form)) return form;
  }
  return usage_error("--encrypt cannot be \"" + text + "\"", "it is nip44, or nip04 for old providers");
}

}  // namespace

Result<std::int64_t> read_timeout_ms(const Arguments& arguments) {
  const std::string text = arguments.text("timeout");
  const auto ms = parse_typed_duration_ms(is_number<std::int64_t>(text) ? text + " s" : text);
  if (ms && *ms > 0 && *ms <= kMaxTimeoutMs) return *ms;
  return usage_error("--timeout cannot be \"" + text + "\"", "it is a number of seconds, or a time like \"2 min\"");
}

Result<Question> read_question(const Arguments& arguments, const Config& config, Context& context) {
  Question out{.relays = config.relays.urls};
  if (arguments.has("to") && arguments.has("find")) {
    return usage_error("--to and --find contradict each other", "name the provider, or let it be chosen");
  }
  if (arguments.has("to")) {
    const auto key = nostr::parse_public_key(arguments.text("to"));
    if (!key) return usage_error("--to: " + key.error().message, key.error().hint);
    out.provider = *key;
  }
  for (const Parameter& parameter : kParameters) {
    if (!arguments.has(parameter.option)) continue;
    const std::string text = arguments.text(parameter.option);
    if (const auto good = check(parameter, text); !good) return tl::unexpected(good.error());
    out.params.emplace_back(parameter.name, text);
  }
  if (arguments.has("stream")) out.params.emplace_back("stream", "true");
  const auto bid = read_bid(arguments);
  if (!bid) return tl::unexpected(bid.error());
  out.bid = *bid;
  const auto encryption = read_encryption(arguments);
  if (!encryption) return tl::unexpected(encryption.error());
  out.encryption = *encryption;
  if (arguments.has("output")) out.output = arguments.text("output");
  auto inputs = read_inputs(arguments, context);
  if (!inputs) return tl::unexpected(inputs.error());
  out.inputs = std::move(*inputs);
  return out;
}

Need need_of(const Question& question, const Arguments& arguments) {
  Need need{.model = arguments.has("model") ? arguments.text("model") : "",
            .encryption = question.encryption != ledger::Encryption::none};
  std::vector<core::ChatMessage> texts;
  for (const Input& input : question.inputs) {
    if (input.type == InputType::text) texts.push_back({"user", input.data});
  }
  need.input_tokens = nostr::estimate_tokens(texts);
  for (const auto& [name, value] : question.params) {
    if (name == "max_tokens") std::from_chars(value.data(), value.data() + value.size(), need.output_tokens);
  }
  return need;
}

Result<nostr::SecretKey> read_key(const Arguments& arguments) {
  if (!arguments.has("key-file")) return nostr::generate_key();
  return nostr::read_key_file(arguments.text("key-file"), ask_passphrase);
}

void add_question_options(cxxopts::OptionAdder& add) {
  const auto text = [&](const char* name, const char* description, const char* arg) {
    add(name, description, cxxopts::value<std::string>(), arg);
  };
  text("to", "the provider; without it, any provider may answer", "NPUB");
  add("find", "find announced providers, and ask the cheapest one that serves the model");
  text("file", "a text that the prompt is about; - is stdin", "PATH");
  text("url", "a web page that the provider fetches", "URL");
  text("event", "an event whose content the provider fetches", "ID[@RELAY]");
  text("job", "an earlier job whose result the provider fetches", "ID[@RELAY]");
  for (const Parameter& parameter : kParameters) text(parameter.option, parameter.description, parameter.arg);
  text("output", "the form of the answer: text/plain, text/markdown or application/json", "MIME");
  add("stream", "show the answer while it grows, if the provider sends partial answers");
  text("encrypt", "nip44 or nip04: only the provider can read it", "FORM");
  text("bid-sat", "the most that it may cost", "N");
}

}  // namespace cmd
