// Gathers the inputs of a job that are not in its request, and measures the prompt that they make.
#pragma once

#include "pipeline/runtime/context.h"
#include "pipeline/runtime/gathering.h"
#include "pipeline/runtime/job_texts.h"

namespace runtime {

class JobInputs {
 public:
  // Both arguments must outlive it. It must outlive every callback of the context's ports.
  JobInputs(const Context& context, const JobTexts& texts);

  // Posts InputsReady or InputsMissing, once; nothing when the job is gone by then.
  void gather(const core::Job& job, const core::Work& work);

 private:
  void gathered(const core::JobId& id, const core::Work& work, const base::Result<std::vector<std::string>>& texts);
  base::Result<core::InputsReady> keep(core::InputsReady ready, std::vector<std::string> question,
                                       const std::vector<std::string>& texts) const;

  const Context& context_;
  const JobTexts& texts_;
  Gatherer gatherer_;
};

}  // namespace runtime
