#include "pipeline/inference/offered_models.h"

#include <algorithm>

#include "pipeline/core/model_name.h"

namespace inference {

using base::Error;
using base::ErrorKind;

namespace {

std::optional<Error> trouble_of(const ledger::ModelOffer& offer, const BackendStatus& status) {
  const auto model = std::ranges::find_if(status.models, [&](const ModelInfo& one) { return is_of(offer, one); });
  if (model == status.models.end()) {
    return Error{ErrorKind::config,
                 "inference.unknown_model",
                 "the model server has no model `" + offer.name + "`",
                 {},
                 "`ollama pull " + offer.name + "`, or take it out of the config file"};
  }
  if (!model->completes) {
    return Error{ErrorKind::config,
                 "inference.no_completion",
                 "the model `" + model->name + "` cannot answer prompts: it makes embeddings only, and is not sold",
                 {},
                 "take it out of the config file"};
  }
  return model->trouble;
}

}  // namespace

bool is_of(const ledger::ModelOffer& offer, const ModelInfo& model) {
  return core::is_same_model(offer.name, model.name);
}

std::vector<core::Observation> observe_models(std::span<const ledger::ModelOffer> offers, const BackendStatus& status) {
  std::vector<core::Observation> out;
  for (const ledger::ModelOffer& offer : offers)
    out.push_back({.which = offer.name, .error = trouble_of(offer, status)});
  if (out.empty()) {
    out.push_back({.error = Error{ErrorKind::config,
                                  "inference.no_models",
                                  "the model server has no model that answers prompts",
                                  {},
                                  "`ollama pull llama3.2`"}});
  }
  return out;
}

std::string list_models(const BackendStatus& status) {
  std::string out;
  for (const ModelInfo& model : status.models) {
    out += (out.empty() ? "" : ", ") + model.name;
    if (!model.completes) {
      out += " (embeddings only, not sold)";
    } else if (model.loaded) {
      out += " (loaded)";
    }
  }
  return out;
}

}  // namespace inference
