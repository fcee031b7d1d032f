#include "pipeline/runtime/inferences.h"

#include "base/check.h"
#include "base/utf8.h"
#include "pipeline/core/canary.h"
#include "pipeline/nostr/json.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_answer.h"

namespace runtime {

using base::Result;
using core::Job;
using core::Work;

namespace {

// What an answer's text takes of its event, as `json_bytes` inside a JSON string or, encrypted, as `bytes`.
std::size_t wire_bytes(ledger::Encryption form, std::size_t bytes, std::size_t json_bytes) {
  return form == ledger::Encryption::none ? json_bytes : nostr::encrypted_size(form, bytes);
}

inference::Failure nothing_visible(const inference::Completion& made) {
  return {.kind = ledger::InferenceFailure::empty,
          .message = "the model ended (" + std::string(ledger::name(made.finish)) + ") after " +
                     std::to_string(made.output_tokens) + " tokens without any visible text"};
}

}  // namespace

void Inferences::start(const Job& job, const Work& work) {
  // Ordered again before the first order was durable: that one runs.
  if (running_.contains(job.id) && !core::canary(core::Canary::in_flight_ignored)) return;
  if (core::ended_without_result(job)) {  // while its start became durable
    return context_.post(core::InferenceBroke{job.id, work, ledger::InferenceFailure::rejected, "the job has ended"});
  }
  const auto question = texts_.question(job);
  if (!question && !is_pruned(question.error())) return context_.fail(question.error());
  auto messages = question ? texts_.conversation(job, *question) : tl::unexpected(question.error());
  if (!messages) {
    return context_.post(
        core::InferenceBroke{job.id, work, ledger::InferenceFailure::rejected, messages.error().describe()});
  }
  const inference::ChatRequest request{.model = job.quote->terms.name,
                                       .messages = std::move(*messages),
                                       .params = job.request->params,
                                       .max_output_tokens = job.quote->max_output_tokens,
                                       .context_tokens = job.quote->terms.context_tokens,
                                       .json = job.request->output == "application/json"};
  run(job, work, request, room_for_answer(question->front()));
}

// How many bytes the result's event has left for the answer.
std::size_t Inferences::room_for_answer(const std::string& request_json) const {
  const std::size_t taken = nostr::result_event_bytes(request_json, 0);
  const std::size_t limit = context_.engine.policy().result_event_limit_bytes;
  return limit > taken ? limit - taken : 0;
}

void Inferences::run(const Job& job, const Work& work, const inference::ChatRequest& request, std::size_t room) {
  const base::JobId id = job.id;
  CHECK(!running_.contains(id) || core::canary(core::Canary::in_flight_ignored));
  Running& running = running_[id];
  running.number = ++starts_;
  running.started = context_.ports.scheduler.now();
  running.encryption = job.request->encryption;
  running.partials = partials_for(job);
  running.generation = context_.ports.backend.chat(
      request,
      [this, id, work, room](std::string_view chunk) {
        const auto one = running_.find(id);
        if (one != running_.end() && !add_text(one->second, chunk, room)) end_at_limit(id, work);
      },
      [this, id, work](tl::expected<inference::Completion, inference::Failure> outcome) {
        end(id, work, std::move(outcome));
      });
  limit_time(id, work, running.number);
}

void Inferences::limit_time(const core::JobId& id, const Work& work, std::uint64_t number) {
  const std::int64_t limit_ms = context_.options.answer_limit_ms;
  context_.ports.scheduler.after(limit_ms, [this, id, work, number, limit_ms] {
    const auto running = running_.find(id);
    if (running == running_.end() || running->second.number != number) return;
    end(id, work,
        tl::unexpected(inference::Failure{ledger::InferenceFailure::timed_out,
                                          "the answer was not over after " + std::to_string(limit_ms) + " ms"}));
  });
}

std::unique_ptr<Partials> Inferences::partials_for(const Job& job) const {
  const Ports& ports = context_.ports;
  const ledger::JobRequested& request = *job.request;
  const Options::Stream stream = context_.options.stream;
  const bool wanted = stream == Options::Stream::always || (stream == Options::Stream::asked && request.stream);
  if (!wanted || !core::may_stream(job)) return nullptr;
  const bool hidden = request.encryption != ledger::Encryption::none;
  return std::make_unique<Partials>(ports.relays, ports.scheduler, ports.random, context_.key,
                                    nostr::RequestRef{job.id, request.customer, request.relay, hidden},
                                    request.encryption, customer_relays_.targets_of(job));
}

// False once the answer outgrows what relays take: then it has the start of the chunk that still fits.
bool Inferences::add_text(Running& running, std::string_view chunk, std::size_t room) const {
  const std::string clean = nostr::without_disputed_controls(std::string(chunk));
  const auto fits = [&](std::size_t bytes) {
    const std::size_t json_bytes = nostr::json_string_bytes(std::string_view(clean).substr(0, bytes));
    return wire_bytes(running.encryption, running.text.size() + bytes, running.json_bytes + json_bytes) <= room;
  };
  std::size_t size = fits(clean.size()) ? clean.size() : 0;
  for (std::size_t too_many = clean.size(); size + 1 < too_many;) {
    const std::size_t middle = size + (too_many - size) / 2;
    if (fits(middle)) {
      size = middle;
    } else {
      too_many = middle;
    }
  }
  const std::string_view added = base::utf8_prefix(clean, size);
  if (!added.empty()) {
    if (running.chunks++ == 0) running.first_token_ms = context_.ports.scheduler.now() - running.started;
    running.text += added;
    running.json_bytes += nostr::json_string_bytes(added);
    CHECK(wire_bytes(running.encryption, running.text.size(), running.json_bytes) <= room, running.json_bytes, room);
    running.visible = running.visible || base::has_visible_text(added);
  }
  if (running.partials && running.visible) running.partials->grow(running.text);
  return added.size() == clean.size();
}

// Work is under way for the job, so the engine holds it.
const Job& Inferences::job_of(const core::JobId& id) const {
  const Job* job = context_.engine.find(id);
  CHECK(job && job->request && job->quote);
  return *job;
}

// The answer up to here. The backend has not counted its tokens: each chunk counts as one.
inference::Completion Inferences::so_far(const core::JobId& id, const Running& running,
                                         ledger::FinishReason finish) const {
  return {.text = running.text,
          .input_tokens = job_of(id).quote->input_tokens,
          .output_tokens = running.chunks,
          .finish = finish,
          .first_token_ms = running.first_token_ms,
          .total_ms = context_.ports.scheduler.now() - running.started};
}

void Inferences::end_at_limit(const core::JobId& id, const Work& work) {
  end(id, work, so_far(id, running_.at(id), ledger::FinishReason::length));
}

void Inferences::end(const core::JobId& id, const Work& work,
                     tl::expected<inference::Completion, inference::Failure> outcome) {
  const auto running = running_.find(id);
  if (running == running_.end()) return;  // ended already
  const std::uint32_t shown = running->second.shown();
  // The backend is on the stack: its generation is destroyed after this call.
  std::shared_ptr<inference::Generation> generation = std::move(running->second.generation);
  context_.ports.scheduler.after(0, [generation = std::move(generation)] {});
  running_.erase(running);
  if (outcome && !base::has_visible_text(outcome->text) && !core::canary(core::Canary::empty_answer_sold)) {
    outcome = tl::unexpected(nothing_visible(*outcome));
  }
  if (!outcome) {
    return context_.post(core::InferenceBroke{id, work, outcome.error().kind, outcome.error().message});
  }
  auto kept = keep(id, work.attempt, std::move(*outcome), shown);
  if (!kept) {
    return context_.post(core::InferenceBroke{id, work, ledger::InferenceFailure::rejected, kept.error().describe()});
  }
  context_.post(core::InferenceEnded{id, work, std::move(kept->completion), std::move(kept->result)});
}

std::optional<core::Answer> Inferences::stop(const core::JobId& id) {
  const auto found = running_.find(id);
  if (found == running_.end()) return std::nullopt;
  const Running running = std::move(found->second);
  running_.erase(found);
  if (running.shown() == 0) return std::nullopt;
  auto kept =
      keep(id, job_of(id).inference_started, so_far(id, running, ledger::FinishReason::cancelled), running.shown());
  return kept ? std::optional(std::move(*kept)) : std::nullopt;
}

// An answer as the ledger keeps it.
Result<core::Answer> Inferences::keep(const core::JobId& id, std::uint32_t attempt, inference::Completion made,
                                      std::uint32_t shown) const {
  auto result = texts_.keep(job_of(id), nostr::without_disputed_controls(std::move(made.text)));
  if (!result) return tl::unexpected(result.error());
  return core::Answer{.completion = {.attempt = attempt,
                                     .result = ledger::ref(*result),
                                     .result_bytes = result->bytes.size(),
                                     .input_tokens = made.input_tokens,
                                     .output_tokens = made.output_tokens,
                                     .finish = made.finish,
                                     .first_token_ms = made.first_token_ms,
                                     .total_ms = made.total_ms,
                                     .partials = shown},
                      .result = std::move(*result)};
}

}  // namespace runtime
