// What a model server reports, held against what is offered. Pure.
#pragma once

#include <span>

#include "pipeline/core/readiness.h"
#include "pipeline/inference/backend.h"

namespace inference {

// Whether the offer is of this model: Ollama's names carry a tag, and "llama3.2" means "llama3.2:latest".
bool is_of(const ledger::ModelOffer& offer, const ModelInfo& model);

// One observation for each offer, in their order. Errors: "inference.unknown_model", "inference.no_completion", and
// ModelInfo::trouble. If there are no offers: one observation, with the error
// "inference.no_models".
std::vector<core::Observation> observe_models(std::span<const ledger::ModelOffer> offers, const BackendStatus& status);

// All models of the server for a person: "llama3.2 (loaded), nomic-embed-text (embeddings only, not sold)".
std::string list_models(const BackendStatus& status);

}  // namespace inference
