#include "pipeline/runtime/job_inputs.h"

#include "pipeline/nostr/nip90_request.h"

namespace runtime {

using base::Result;
using core::Job;
using core::Work;

namespace {

// The texts of an encrypted job's inputs are kept encrypted, and so are no longer than what its form takes.
std::size_t max_gathered_bytes(ledger::Encryption form) {
  return form == ledger::Encryption::none ? kMaxGatheredBytes : nostr::kMaxNip44PlaintextBytes;
}

}  // namespace

JobInputs::JobInputs(const Context& context, const JobTexts& texts)
    : context_(context),
      texts_(texts),
      gatherer_(context.ports.relays, context.ports.web, context.ports.scheduler, context.options.own_relays) {}

void JobInputs::gather(const Job& job, const Work& work) {
  gatherer_.start({.sources = job.request->sources,
                   .max_bytes = max_gathered_bytes(job.request->encryption),
                   .done = [this, id = job.id, work](const Result<std::vector<std::string>>& texts) {
                     gathered(id, work, texts);
                   }});
}

void JobInputs::gathered(const core::JobId& id, const Work& work, const Result<std::vector<std::string>>& texts) {
  const Job* job = context_.engine.find(id);
  if (!job || context_.failed()) return;
  const auto question = texts_.question(*job);
  if (!question && !is_pruned(question.error())) return context_.fail(question.error());
  auto ready = texts.and_then([&](const auto& found) {
    return question.and_then([&](const auto& kept) { return keep({.job = id, .work = work}, kept, found); });
  });
  if (ready) return context_.post(std::move(*ready));
  context_.post(core::InputsMissing{id, work, {.message = ready.error().message}});
}

// The texts as the ledger will keep them, and the prompt measured as it will be read from there.
Result<core::InputsReady> JobInputs::keep(core::InputsReady ready, std::vector<std::string> question,
                                          const std::vector<std::string>& texts) const {
  const Job& job = *context_.engine.find(ready.job);
  for (const std::string& text : texts) {
    auto kept = texts_.keep(job, text);
    if (!kept) return tl::unexpected(kept.error());
    question.push_back(kept->bytes);
    ready.inputs.texts.push_back(ledger::ref(*kept));
    ready.texts.push_back(std::move(*kept));
  }
  const auto messages = texts_.conversation(job, question);
  if (!messages) return tl::unexpected(messages.error());
  ready.inputs.prompt_bytes = nostr::prompt_bytes(*messages);
  ready.inputs.input_tokens = nostr::estimate_tokens(*messages);
  return ready;
}

}  // namespace runtime
