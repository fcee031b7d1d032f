// Names of models, as Ollama has them: "llama3.2" is short for "llama3.2:latest".
#pragma once

#include <string_view>

namespace core {

inline constexpr std::string_view kDefaultTag = ":latest";

// Returns the shortest name of the model.
inline std::string_view short_model_name(std::string_view name) {
  return name.ends_with(kDefaultTag) ? name.substr(0, name.size() - kDefaultTag.size()) : name;
}

// Returns whether two names are of the same model.
inline bool is_same_model(std::string_view a, std::string_view b) {
  return short_model_name(a) == short_model_name(b);
}

}  // namespace core
