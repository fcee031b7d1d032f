// One job, step by step, from its facts in the ledger: each fact, the job as it was then, and what each stage found
// due.
#pragma once

#include <variant>

#include "ledger/reader.h"
#include "pipeline/core/stages/stage.h"

namespace replay {

struct StageDue {
  std::string_view stage;
  core::Due due;
};

struct ReplayStep {
  ledger::Entry entry;
  core::Job job;              // after the fact
  std::vector<StageDue> due;  // the stages for which something is due, now or later
};

// The last fact that counts: a position, or a moment. Nothing: all of them.
using Until = std::variant<std::monostate, base::Seq, base::TimeMs>;

// The steps of a job up to `until`; none when the ledger has no such job, or not yet. The facts are found through the
// index of the jobs view. The job is derived from them again, not taken from the view.
base::Result<std::vector<ReplayStep>> replay_job(const ledger::Reader& reader, const base::JobId& id,
                                                 const Until& until = {});

// What is to be done, in words: "run the model, attempt 1"; "run the model again in 2 s" where only time has to pass.
// `now` is the time of the step.
std::string describe(const StageDue& due, base::TimeMs now);

}  // namespace replay
