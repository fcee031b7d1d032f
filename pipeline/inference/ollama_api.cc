#include "pipeline/inference/ollama_api.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

namespace inference {
namespace {

using nlohmann::json;

// Ollama's num_predict is an int: a larger cap must not wrap around to "no limit".
constexpr std::uint64_t kMaxNumPredict = std::numeric_limits<std::int32_t>::max();

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

json options_of(const ChatRequest& request) {
  const ledger::GenerationParams& params = request.params;
  json options = {{"num_predict", std::clamp<std::uint64_t>(request.max_output_tokens, 1, kMaxNumPredict)}};
  const auto set = [&options](const char* name, const auto& value) {
    if (value) options[name] = *value;
  };
  set("temperature", params.temperature);
  set("top_k", params.top_k);
  set("top_p", params.top_p);
  set("frequency_penalty", params.frequency_penalty);
  set("presence_penalty", params.presence_penalty);
  set("seed", params.seed);
  if (!params.stop.empty()) options["stop"] = params.stop;
  if (request.context_tokens > 0) options["num_ctx"] = request.context_tokens;
  return options;
}

tl::unexpected<base::Error> malformed(std::string_view what, std::string_view body) {
  return base::fail(base::ErrorKind::connection, "inference.malformed",
                    std::string(what) + " answered what Ollama would not: " + quoted_from_backend(body), {},
                    "check that the URL is Ollama's, without a path behind the port");
}

json parse_object(std::string_view body) {
  json value = json::parse(body, nullptr, false);
  return value.is_object() ? value : json(json::value_t::discarded);
}

std::string string_at(const json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

base::Result<std::vector<ListedModel>> parse_models(std::string_view path, std::string_view body) {
  const json answer = parse_object(body);
  // A server without models says null.
  if (answer.is_discarded() || !answer.contains("models")) return malformed(path, body);
  const json& models = answer["models"];
  if (models.is_null()) return std::vector<ListedModel>();
  if (!models.is_array()) return malformed(path, body);
  std::vector<ListedModel> listed;
  for (const json& model : models) {
    if (listed.size() == kMaxModels) break;
    if (!model.is_object() || string_at(model, "name").empty()) return malformed(path, body);
    listed.push_back({.name = string_at(model, "name"), .digest = string_at(model, "digest")});
  }
  return listed;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

ledger::InferenceFailure kind_of(unsigned status, std::string_view said) {
  using enum ledger::InferenceFailure;
  // Ollama: "the input length exceeds the context length"; llama.cpp behind it: "exceeds the available context size".
  if (status == 413 || (status == 400 && contains(said, "exceed") && contains(said, "context"))) return input_too_long;
  // An option of the wrong type is a 500, but the same request would fail again.
  if (status == 500 && said.starts_with("option ") && contains(said, "must be of type")) return rejected;
  if (status == 404) return unknown_model;
  if (status == 503 || status == 429) return busy;
  if (status >= 500) return server_error;
  return status >= 400 ? rejected : malformed;
}

}  // namespace

std::string make_chat_body(const ChatRequest& request) {
  json messages = json::array();
  for (const ChatMessage& message : request.messages) {
    messages.push_back({{"role", message.role}, {"content", message.content}});
  }
  json body = {{"model", request.model},
               {"messages", std::move(messages)},
               {"stream", true},
               {"truncate", false},
               {"options", options_of(request)}};
  if (request.json) body["format"] = "json";
  return dump(body);
}

std::string make_show_body(std::string_view model) {
  return dump({{"model", model}});
}

base::Result<std::string> parse_version(std::string_view body) {
  const json answer = parse_object(body);
  if (answer.is_discarded() || string_at(answer, "version").empty()) return malformed("/api/version", body);
  return string_at(answer, "version");
}

base::Result<std::vector<ListedModel>> parse_tags(std::string_view body) {
  return parse_models("/api/tags", body);
}

base::Result<std::vector<ListedModel>> parse_ps(std::string_view body) {
  return parse_models("/api/ps", body);
}

base::Result<ShownModel> parse_show(std::string_view body) {
  const json answer = parse_object(body);
  if (answer.is_discarded()) return malformed("/api/show", body);
  ShownModel shown;
  if (const auto able = answer.find("capabilities"); able != answer.end() && able->is_array()) {
    shown.completes = std::ranges::count(*able, json("completion")) > 0;
  }
  const auto info = answer.find("model_info");
  if (info == answer.end() || !info->is_object()) return shown;
  const auto length = info->find(string_at(*info, "general.architecture") + ".context_length");
  if (length != info->end() && length->is_number_unsigned()) shown.context_tokens = length->get<std::uint64_t>();
  return shown;
}

Failure failure_of_status(unsigned status, std::string_view body) {
  const json answer = parse_object(body);
  const std::string error = answer.is_discarded() ? std::string() : string_at(answer, "error");
  const std::string said = quoted_from_backend(error.empty() ? body : error);
  return {.kind = kind_of(status, said),
          .message = "HTTP " + std::to_string(status) + (said.empty() ? "" : ": " + said)};
}

std::string quoted_from_backend(std::string_view said) {
  // json's own writer is what replaces bad UTF-8, among it a character cut in two.
  std::string text = json::parse(dump(std::string(said.substr(0, kMaxSaidBytes)))).get<std::string>();
  const bool cut = said.size() > kMaxSaidBytes || text.size() > kMaxSaidBytes;
  if (text.size() > kMaxSaidBytes) {  // replacements are longer than what they replace
    std::size_t size = kMaxSaidBytes;
    while ((static_cast<unsigned char>(text[size]) & 0xc0) == 0x80) --size;
    text.resize(size);
  }
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  while (text.ends_with(' ')) text.pop_back();
  return cut ? text + "…" : text;
}

}  // namespace inference
