// Inputs: the texts behind the addresses in a request are gathered once, before the job is decided: they are part of
// its price. One that cannot be had is for admission to tell.
#include "pipeline/core/stages/stage.h"

namespace core {
namespace {

Due due_inputs(const Job& job, TimeMs now) {
  if (!awaits_inputs(job, now)) return {};
  Due out{.work = {{.action = Action::gather}}};
  if (job.request && job.request->expires_at) out.wake_at = when_clock_shows(job, *job.request->expires_at);
  return out;
}

}  // namespace

Stage stage::inputs() {
  return {"inputs", due_inputs, nullptr};
}

}  // namespace core
