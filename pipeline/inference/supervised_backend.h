// Finds models that the server lists but cannot run. An answer proves a model for an hour. A model without such a proof
// is probed when the provider goes online: it is asked for one token. It is not probed at other times while it is idle,
// which keeps the GPU asleep. After kFailuresBeforeProbe failures in a row the model is probed too. If a probe fails,
// status() reports the trouble, and further probes follow after growing pauses until the model answers. Pure.
#pragma once

#include <deque>
#include <map>
#include <span>

#include "base/lifetime.h"
#include "base/scheduler.h"
#include "pipeline/inference/backend.h"

namespace inference {

inline constexpr std::string_view kProbePrompt = "Say yes.";
inline constexpr std::int64_t kProofLastsMs = base::kHourMs;
inline constexpr int kFailuresBeforeProbe = 3;                       // in a row, of one model
inline constexpr std::int64_t kFirstProbePauseMs = base::kMinuteMs;  // after a probe that failed; doubled each time
inline constexpr std::int64_t kLongestProbePauseMs = 10 * base::kMinuteMs;
inline constexpr std::int64_t kProbeLimitMs = 10 * base::kMinuteMs;  // a large model may come from a slow disk

// One thread. Answers that come after its end are dropped.
class SupervisedBackend final : public Backend {
 public:
  SupervisedBackend(std::unique_ptr<Backend> behind, base::Scheduler& scheduler);

  std::unique_ptr<Generation> chat(const ChatRequest& request, OnText text, OnDone done) override;
  // As the backend's, with ModelInfo::trouble.
  void status(std::function<void(base::Result<BackendStatus>)> done) override;

  // Asks each of these models that has not answered within the last hour for one token, one model after the other. The
  // first, which is the default, is asked last and so stays loaded.
  void prove(std::span<const ledger::ModelOffer> offers);

 private:
  struct Model {
    std::uint64_t context_tokens = 0;  // as it was asked last: another value would load it anew
    std::optional<base::TimeMs> answered_at;
    int failures = 0;  // in a row
    std::optional<base::Error> trouble;
    std::int64_t pause_ms = 0;
  };

  void count(const std::string& name, const tl::expected<Completion, Failure>& outcome);
  void probe(const std::string& name);
  void probe_next();
  void probe_ends(const std::string& name, std::uint64_t number, const tl::expected<Completion, Failure>& outcome);

  const std::unique_ptr<Backend> behind_;
  base::Scheduler& scheduler_;
  std::map<std::string, Model> models_;
  std::deque<std::string> to_probe_;
  std::shared_ptr<Generation> probing_;  // null: none
  bool probe_under_way_ = false;
  std::string probing_name_;  // of that probe
  std::uint64_t probes_ = 0;
  base::Lifetime lifetime_;
};

}  // namespace inference
