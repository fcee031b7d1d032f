// Inference: run the model once the job may run, again after a failure that may pass, never twice to an end.
#include "pipeline/core/stages/stage.h"

namespace core {
namespace {

Due due_inference(const Job& job, TimeMs now) {
  if (!may_run(job) || job.completion || ended_without_result(job)) return {};
  if (job.inference_failed && job.inference_failed->retry_at > now) return {.wake_at = job.inference_failed->retry_at};
  return {.work = {{.action = Action::infer, .attempt = job.inference_failures + 1}}};
}

}  // namespace

Stage stage::inference() {
  return {"inference", due_inference, nullptr};
}

}  // namespace core
