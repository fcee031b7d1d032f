#include "pipeline/inference/supervised_backend.h"

#include <algorithm>

#include "pipeline/core/model_name.h"

namespace inference {

using base::Error;
using base::ErrorKind;
using base::Result;
using ledger::InferenceFailure;

namespace {

// Other failures are the request's, or the server's as a whole: status() finds those.
bool is_the_models(InferenceFailure kind) {
  return kind == InferenceFailure::timed_out || kind == InferenceFailure::unknown_model ||
         kind == InferenceFailure::server_error || kind == InferenceFailure::cut_off ||
         kind == InferenceFailure::malformed;
}

Error failing(const std::string& model, const Failure& why) {
  return {ErrorKind::job_processing,
          "inference.model_fails",
          "the model `" + model + "` does not work: " + why.message,
          {},
          "see what the model server's log has of it; it is tried again every few minutes"};
}

}  // namespace

SupervisedBackend::SupervisedBackend(std::unique_ptr<Backend> behind, base::Scheduler& scheduler)
    : behind_(std::move(behind)), scheduler_(scheduler) {}

std::unique_ptr<Generation> SupervisedBackend::chat(const ChatRequest& request, OnText text, OnDone done) {
  models_[request.model].context_tokens = request.context_tokens;
  return behind_->chat(
      request, std::move(text),
      lifetime_.guard([this, model = request.model, done = std::move(done)](tl::expected<Completion, Failure> outcome) {
        count(model, outcome);
        done(std::move(outcome));
      }));
}

void SupervisedBackend::status(std::function<void(Result<BackendStatus>)> done) {
  behind_->status(lifetime_.guard([this, done = std::move(done)](Result<BackendStatus> status) {
    if (status) {
      for (ModelInfo& model : status->models) {
        for (const auto& [name, known] : models_) {
          if (known.trouble && core::is_same_model(model.name, name)) model.trouble = known.trouble;
        }
      }
    }
    done(std::move(status));
  }));
}

void SupervisedBackend::count(const std::string& name, const tl::expected<Completion, Failure>& outcome) {
  Model& model = models_[name];
  if (outcome) {
    model = {.context_tokens = model.context_tokens, .answered_at = scheduler_.now()};
    return;
  }
  if (!is_the_models(outcome.error().kind) || model.trouble || ++model.failures < kFailuresBeforeProbe) return;
  model.failures = 0;
  probe(name);
}

// ---- the probe ------------------------------------------------------------------------------------------------------

void SupervisedBackend::prove(std::span<const ledger::ModelOffer> offers) {
  for (auto offer = offers.rbegin(); offer != offers.rend(); ++offer) {
    Model& model = models_[offer->name];
    model.context_tokens = offer->context_tokens;
    const bool proven = model.answered_at && scheduler_.now() - *model.answered_at < kProofLastsMs;
    if (!proven && !model.trouble) probe(offer->name);
  }
}

void SupervisedBackend::probe(const std::string& name) {
  if (probe_under_way_ && name == probing_name_) return;
  if (std::ranges::find(to_probe_, name) == to_probe_.end()) to_probe_.push_back(name);
  if (!probe_under_way_) probe_next();
}

void SupervisedBackend::probe_next() {
  if (to_probe_.empty()) return;
  const std::string name = std::move(to_probe_.front());
  to_probe_.pop_front();
  probe_under_way_ = true;
  probing_name_ = name;
  const std::uint64_t number = ++probes_;
  const ChatRequest request{.model = name,
                            .messages = {{"user", std::string(kProbePrompt)}},
                            .max_output_tokens = 1,
                            .context_tokens = models_[name].context_tokens};
  probing_ = behind_->chat(
      request, [](std::string_view) {},
      lifetime_.guard([this, name, number](const tl::expected<Completion, Failure>& outcome) {
        probe_ends(name, number, outcome);
      }));
  scheduler_.after(kProbeLimitMs, lifetime_.guard([this, name, number] {
    probe_ends(name, number,
               tl::unexpected(Failure{InferenceFailure::timed_out,
                                      "one token took longer than " + std::to_string(kProbeLimitMs) + " ms"}));
  }));
}

void SupervisedBackend::probe_ends(const std::string& name, std::uint64_t number,
                                   const tl::expected<Completion, Failure>& outcome) {
  if (!probe_under_way_ || number != probes_) return;  // over already
  probe_under_way_ = false;
  // The backend may be on the stack: its generation is destroyed after this call.
  scheduler_.after(0, [generation = std::move(probing_)] {});
  Model& model = models_[name];
  if (outcome) {
    count(name, outcome);
  } else {
    model.pause_ms = std::clamp(2 * model.pause_ms, kFirstProbePauseMs, kLongestProbePauseMs);
    // A server that does not answer says nothing of this model.
    if (is_the_models(outcome.error().kind) || outcome.error().kind == InferenceFailure::rejected)
      model.trouble = failing(name, outcome.error());
    if (model.trouble)
      scheduler_.after(model.pause_ms, lifetime_.guard([this, name] {
        if (models_[name].trouble) probe(name);
      }));
  }
  probe_next();
}

}  // namespace inference
