#include "pipeline/loopback/stand_in.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "base/types.h"
#include "pipeline/inference/ollama_api.h"

namespace loopback {
namespace {

using nlohmann::json;

constexpr std::uint64_t kDefaultContextTokens = 4096;  // Ollama's num_ctx where none is sent
constexpr std::size_t kBytesPerToken = 4;              // a usual estimate for English

StandInAnswer refuse(unsigned http_status, std::string error) {
  return {.http_status = http_status, .error = std::move(error)};
}

// The complaint about the first option of the wrong type, in Ollama's words; empty: all are right.
std::string wrong_option(const json& options) {
  static constexpr std::array kWhole = {"num_predict", "top_k", "seed", "num_ctx"};
  static constexpr std::array kReal = {"temperature",      "top_p",         "min_p", "frequency_penalty",
                                       "presence_penalty", "repeat_penalty"};
  const auto wrong = [&options](const char* name, bool (*right)(const json&)) {
    const auto found = options.find(name);
    return found != options.end() && !found->is_null() && !right(*found);
  };
  const auto complaint = [](const std::string& name, const char* type) {
    return "option \"" + name + "\" must be of type " + type;
  };
  for (const char* name : kWhole) {
    if (wrong(name, [](const json& value) { return value.is_number_integer(); })) return complaint(name, "integer");
  }
  for (const char* name : kReal) {
    if (wrong(name, [](const json& value) { return value.is_number(); })) return complaint(name, "float32");
  }
  const auto strings = [](const json& value) {
    return value.is_array() && std::ranges::all_of(value, [](const json& item) { return item.is_string(); });
  };
  return wrong("stop", strings) ? complaint("stop", "array") : "";
}

bool well_formed(const json& messages) {
  return messages.is_array() && std::ranges::all_of(messages, [](const json& message) {
           return message.is_object() && message.contains("content") && message["content"].is_string();
         });
}

std::uint64_t count_tokens(const json& messages) {
  std::uint64_t tokens = 0;
  for (const json& message : messages) {
    tokens += 1 + message["content"].get_ref<const std::string&>().size() / kBytesPerToken;
  }
  return tokens;
}

std::string compose(const json& messages, const json& options, bool as_json) {
  static constexpr std::array kAsides = {
      "A real model would think about this; I can only say it back to you, word by word.",
      "I have no opinion on it, but I did read it to the end.",
      "It is a good question, and it deserves a better answer than mine.",
      "My honest answer is that I am a few lines of code with a fixed reply.",
  };
  const std::string question = inference::quoted_from_backend(messages.back()["content"].get<std::string>());
  if (as_json) return json{{"stand_in", true}, {"question", question}}.dump();
  const std::uint8_t dice = base::sha256(options.value("seed", json()).dump() + messages.dump()).bytes[0];
  return "This is sellcompute's stand-in, not a language model: no Ollama answered on this machine. You asked: \"" +
         question + "\". " + kAsides[dice % kAsides.size()] +
         " Start Ollama (`ollama serve`) and the same sale runs with a real answer.";
}

std::string cut_at_stop(std::string text, const json& options) {
  for (const json& stop : options.value("stop", json::array())) {
    text.resize(std::min(text.size(), text.find(stop.get_ref<const std::string&>())));
  }
  return text;
}

// Words, each with the space before it, as tokenizers tend to cut them.
std::vector<std::string> cut_into_tokens(const std::string& text) {
  std::vector<std::string> tokens;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t next = std::min(text.find(' ', at + 1), text.size());
    tokens.push_back(text.substr(at, next - at));
    at = next;
  }
  return tokens;
}

}  // namespace

StandInAnswer stand_in_answer(std::span<const StandInModel> models, std::string_view chat_body) {
  const json request = json::parse(chat_body, nullptr, false);
  if (!request.is_object()) return refuse(400, "invalid character looking for beginning of value");
  const std::string name = request.contains("model") && request["model"].is_string() ? request["model"] : "";
  if (name.empty()) return refuse(400, "model is required");
  const auto model = std::ranges::find(models, name, &StandInModel::name);
  if (model == models.end()) return refuse(404, "model '" + name + "' not found");
  const auto& able = model->capabilities;
  if (!able.empty() && std::ranges::count(able, "completion") == 0) {
    return refuse(400, "\"" + name + "\" does not support chat");
  }
  const json options = request.value("options", json::object());
  const json messages = request.value("messages", json::array());
  if (!options.is_object() || !well_formed(messages)) return refuse(400, "cannot unmarshal the request");
  if (const std::string complaint = wrong_option(options); !complaint.empty()) return refuse(500, complaint);

  StandInAnswer answer{.model = name, .done_reason = "load"};
  if (messages.empty()) return answer;
  const std::uint64_t context_tokens = std::min(options.value("num_ctx", kDefaultContextTokens), model->context_tokens);
  answer.input_tokens = count_tokens(messages);
  if (answer.input_tokens > context_tokens) {
    if (request.value("truncate", json(true)) == false)
      return refuse(400, "the input length exceeds the context length");
    answer.input_tokens = context_tokens;
  }
  answer.tokens =
      cut_into_tokens(cut_at_stop(compose(messages, options, request.value("format", json()) == "json"), options));
  answer.done_reason = "stop";
  const std::int64_t cap = options.value("num_predict", std::int64_t{-1});
  if (cap > 0 && answer.tokens.size() > static_cast<std::uint64_t>(cap)) {
    answer.tokens.resize(static_cast<std::size_t>(cap));
    answer.done_reason = "length";
  }
  return answer;
}

}  // namespace loopback
