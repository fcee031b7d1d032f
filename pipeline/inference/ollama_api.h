// The requests and answers of Ollama's HTTP API as values (docs/api.md of ollama/ollama, 0.24 to 0.32). No I/O.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/inference/backend.h"

namespace inference {

inline constexpr std::size_t kMaxAnswerBytes = 4 * 1024 * 1024;  // of /api/tags, show, ps, version
inline constexpr std::size_t kMaxModels = 1'000;                 // read from one answer; the rest is left out
inline constexpr std::size_t kMaxSaidBytes = 500;                // of a backend's own words in one of our messages

// The body of `POST /api/chat` for this request. It always streams, always caps num_predict (0 and -1 mean "no limit"
// to Ollama: at least 1 is sent), and never lets Ollama cut the prompt (truncate:false). Bytes that are no UTF-8 are
// replaced.
std::string make_chat_body(const ChatRequest& request);

// The body of `POST /api/show` for this model.
std::string make_show_body(std::string_view model);

// A model that /api/tags or /api/ps lists. The digest changes when the model is pulled anew.
struct ListedModel {
  std::string name;
  std::string digest;
};

// What /api/show says of one model.
struct ShownModel {
  std::uint64_t context_tokens = 0;  // model_info["<architecture>.context_length"]; 0 if it does not say
  bool completes = true;             // its `capabilities` have "completion"; older servers do not list any
};

// Read the API's answers. All fail with "inference.malformed" if an answer is not as the API documents it.
base::Result<std::string> parse_version(std::string_view body);
base::Result<std::vector<ListedModel>> parse_tags(std::string_view body);
base::Result<std::vector<ListedModel>> parse_ps(std::string_view body);
base::Result<ShownModel> parse_show(std::string_view body);

// What a status other than 200 means, with the body that came with it ({"error":"..."}).
Failure failure_of_status(unsigned status, std::string_view body);

// A backend's words, fit for a message: at most kMaxSaidBytes (and an ellipsis if cut), valid UTF-8, one line.
std::string quoted_from_backend(std::string_view said);

}  // namespace inference
