// Runs the generations. It starts and stops them, shows growing answers to customers, ends a generation at the size
// that relays accept or at its time limit, and puts the answer into the form in which the ledger keeps it.
#pragma once

#include <map>
#include <memory>

#include "pipeline/runtime/context.h"
#include "pipeline/runtime/customer_relays.h"
#include "pipeline/runtime/job_texts.h"
#include "pipeline/runtime/partials.h"

namespace runtime {

class Inferences {
 public:
  // All arguments must outlive it. It must outlive every callback of the context's ports.
  Inferences(const Context& context, const JobTexts& texts, const CustomerRelays& customer_relays)
      : context_(context), texts_(texts), customer_relays_(customer_relays) {}

  // Asks the backend for the job's answer and posts InferenceEnded or InferenceBroke, once, unless stop() comes first.
  // Does nothing when the job has ended. Three ends are decided here, whatever the backend sends:
  //   - An answer that reaches the size that relays accept ends there, as at its token cap.
  //   - An answer without visible text has failed (`empty`): there is nothing to sell.
  //   - A generation that is not over after Options::answer_limit_ms has failed (`timed_out`), with or without text:
  //     the customer bought an answer of so many tokens, not what a slow machine made of it in time.
  void start(const core::Job& job, const core::Work& work);

  // Ends the job's generation, if there is one; nothing is posted. Returns the answer up to here when the customer has
  // been shown a part of it. An answer that cannot be kept is not returned, and so is not billed.
  std::optional<core::Answer> stop(const core::JobId& id);

 private:
  struct Running {
    std::uint64_t number = 0;  // of this start: a late timer must not end another one
    std::unique_ptr<inference::Generation> generation;
    std::string text;
    bool visible = false;  // some of it
    std::uint64_t chunks = 0;
    std::size_t json_bytes = 0;  // of the text inside a JSON string
    ledger::Encryption encryption = ledger::Encryption::none;
    base::TimeMs started;
    std::int64_t first_token_ms = 0;
    std::unique_ptr<Partials> partials;  // null: the answer is not shown while it grows
    std::uint32_t shown() const { return partials ? partials->shown() : 0; }
  };

  void run(const core::Job& job, const core::Work& work, const inference::ChatRequest& request, std::size_t room);
  std::size_t room_for_answer(const std::string& request_json) const;
  std::unique_ptr<Partials> partials_for(const core::Job& job) const;
  bool add_text(Running& running, std::string_view chunk, std::size_t room) const;
  void limit_time(const core::JobId& id, const core::Work& work, std::uint64_t number);
  const core::Job& job_of(const core::JobId& id) const;
  inference::Completion so_far(const core::JobId& id, const Running& running, ledger::FinishReason finish) const;
  void end_at_limit(const core::JobId& id, const core::Work& work);
  void end(const core::JobId& id, const core::Work& work,
           tl::expected<inference::Completion, inference::Failure> outcome);
  base::Result<core::Answer> keep(const core::JobId& id, std::uint32_t attempt, inference::Completion made,
                                  std::uint32_t shown) const;

  const Context& context_;
  const JobTexts& texts_;
  const CustomerRelays& customer_relays_;
  std::map<core::JobId, Running> running_;
  std::uint64_t starts_ = 0;
};

}  // namespace runtime
