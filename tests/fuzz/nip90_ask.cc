// The input is a row of choices that make a question: the request that a customer signs must be read by the provider as
// the question that was asked, in clear text and encrypted.
#include "pipeline/nostr/nip90_ask.h"

#include <algorithm>

#include "base/utf8.h"
#include "pipeline/net/url_guard.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip19.h"
#include "pipeline/nostr/nip90_request.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::Choices;
using fuzz::require;
using namespace nostr;

constexpr base::TimeMs kNow{1'795'000'000'000};
constexpr std::string_view kRelays[] = {"wss://one.example", "ws://two.example:7777/path", "wss://three.example"};

const SecretKey& customer() {
  static const SecretKey instance = *SecretKey::from_text(std::string(63, '0') + "5");
  return instance;
}
const SecretKey& provider() {
  static const SecretKey instance = *SecretKey::from_text(std::string(63, '0') + "3");
  return instance;
}

std::string text(Choices& choices) {
  return std::string(choices.bytes(choices.byte()));
}

// A text as typed, or what parse_source() makes of one.
void add_input(Choices& choices, Question& question) {
  static constexpr InputType kTypes[] = {InputType::text, InputType::url, InputType::event, InputType::job};
  const InputType type = kTypes[choices.below(4)];
  std::string typed = text(choices);
  if (type == InputType::text) {
    if (choices.below(8) == 0) typed += std::string(kMaxTagValueBytes, 'x');  // that no relay takes in a tag
    question.inputs.push_back({.data = std::move(typed)});
    return;
  }
  if (choices.below(2) == 0) {
    typed = type == InputType::url ? "https://example.com/" + typed : base::sha256(typed).hex();
    if (type != InputType::url && choices.below(2) == 1) typed += "@wss://far.example";
  }
  if (const auto source = parse_source(type, typed)) question.inputs.push_back(*source);
}

void add_param(Choices& choices, Question& question) {
  const std::uint64_t number = choices.byte();
  switch (choices.below(5)) {
    case 0:
      question.params.emplace_back("max_tokens", std::to_string(number + 1));
      break;
    case 1:
      question.params.emplace_back("top_k", std::to_string(number));
      break;
    case 2:
      question.params.emplace_back("seed", "-" + std::to_string(number));
      break;
    case 3:
      question.params.emplace_back("model", "model-" + std::to_string(number));
      break;
    default:
      question.params.emplace_back("stream", "true");
      break;
  }
}

Question question_of(Choices& choices) {
  Question out;
  const std::uint8_t flags = choices.byte();
  if (flags & 1) out.provider = provider().public_key();
  if (flags & 2 && out.provider) out.encryption = flags & 4 ? Encryption::nip04 : Encryption::nip44;
  if (flags & 8) out.output = "text/markdown";
  if (flags & 16) out.bid = base::Msat{static_cast<std::int64_t>(choices.below(1'000'000'000))};
  for (std::uint64_t i = choices.below(4); i > 0; --i) out.relays.emplace_back(kRelays[choices.below(3)]);
  for (std::uint64_t i = choices.below(4); i > 0; --i) add_param(choices, out);
  while (!choices.empty()) add_input(choices, out);
  return out;
}

// The last of several counts.
std::optional<std::string> param(const Question& question, std::string_view name) {
  std::optional<std::string> out;
  for (const auto& [known, value] : question.params) {
    if (known == name) out = value;
  }
  return out;
}

template <class Number>
std::optional<std::string> digits(const std::optional<Number>& number) {
  return number ? std::optional(std::to_string(*number)) : std::nullopt;
}

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

std::string relay_of(const Input& input, const Question& question) {
  if (input.type == InputType::url) return {};
  std::string typed = input.relay;
  if (typed.empty() && !question.relays.empty()) typed = question.relays.front();
  const auto url = net::parse_relay_url(typed);
  return url ? url->text() : std::string();
}

void check_params(const ledger::JobRequested& read, const Question& question) {
  require(digits(read.params.max_tokens) == param(question, "max_tokens"), "the longest answer is read");
  require(digits(read.params.top_k) == param(question, "top_k"), "top_k is read");
  const auto seed = param(question, "seed");
  require(read.params.seed.has_value() == seed.has_value() && (!seed || *read.params.seed == std::stoll(*seed)),
          "the seed is read");
  require(read.model == param(question, "model").value_or(""), "the model is read");
  require(read.stream == param(question, "stream").has_value(), "whether the answer is streamed is read");
  require(read.bid == question.bid, "the bid is read");
  require(read.output == question.output, "the form of the output is read");
}

// The sources by their types and addresses, the texts in their order, and each source in its place.
void check_inputs_read(const ledger::JobRequested& read, const Event& open, const Question& question) {
  std::vector<std::string> gathered;
  std::string prompt;
  for (const Input& input : question.inputs) {
    if (is_blank(without_disputed_controls(input.data))) continue;
    std::string part = without_disputed_controls(input.data);
    if (input.type != InputType::text) {
      const std::size_t index = gathered.size();
      require(index < read.sources.size(), "every source is read");
      const ledger::InputSource& source = read.sources[index];
      require(ledger::name(source.type) == name(input.type), "a source has its type");
      require(source.data == input.data, "a source has its address");
      require(source.relay == relay_of(input, question), "a source has its relay");
      part = gathered.emplace_back("gathered " + std::to_string(index));
    }
    prompt += (prompt.empty() ? "" : "\n\n") + part;
  }
  require(gathered.size() == read.sources.size(), "nothing else is gathered");
  const auto messages = messages_of(open, gathered);
  require(messages.size() == 1 && messages[0].role == "user" && messages[0].content == prompt,
          "the conversation is the inputs in their order");
}

void check_read(const Event& request, const Question& question) {
  const auto read = read_request(request, to_json(request), provider());
  require(read.has_value(), "a request that names this provider, or none, is read");
  require(read->customer == customer().public_key() && read->created_at_s == kNow.ms / 1000, "it is the customer's");
  require(read->addressed == question.provider.has_value(), "whom it asks is read");
  require(read->encryption == question.encryption, "a request is read in the form in which it was asked");
  if (read->fault) {
    const auto sources =
        std::ranges::count_if(question.inputs, [](const Input& one) { return one.type != InputType::text; });
    const bool asks_nothing = std::ranges::all_of(question.inputs, [](const Input& one) { return is_blank(one.data); });
    require(sources > static_cast<std::ptrdiff_t>(kMaxSources) || asks_nothing,
            "only what asks for too much, or for nothing, is refused");
    return;
  }
  const auto open = open_request(request, provider());
  require(open.has_value() && open->form == question.encryption, "it can be opened");
  check_params(*read, question);
  check_inputs_read(*read, open->event, question);
}

bool relays_take(const Tag& tag) {
  return tag[0].size() > 1 || tag.size() < 2 || tag[1].size() <= kMaxTagValueBytes;
}

void check_cancelled(const Event& request) {
  const Event cancellation = to_cancellation(request.id, provider().public_key(), customer(), kNow, {});
  const auto arrived = parse_event(to_json(cancellation));
  require(arrived && *arrived == cancellation && verify(*arrived), "a cancellation is signed, and read as the same");
  require(cancellation.tag_value("e") == request.id.hex(), "a cancellation names its request");
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Choices choices(fuzz::text_of(data, size));
  const Question question = question_of(choices);
  const auto request = to_request(question, customer(), kNow, {}, {});
  if (!request) {
    const std::string& code = request.error().code;
    require(code == "request.prompt" || code.ends_with(".plaintext"), "a question is refused by its inputs only");
    return 0;
  }
  require(!question.inputs.empty() && question.inputs.size() <= kMaxInputs, "inputs are capped");
  const auto arrived = parse_event(to_json(*request));
  require(arrived.has_value() && *arrived == *request, "a request that is sent is read as the same");
  require(verify(*arrived).has_value(), "a request is signed");
  require(std::ranges::all_of(arrived->tags, relays_take), "relays take its tags");
  check_read(*arrived, question);
  check_cancelled(*arrived);
  return 0;
}
