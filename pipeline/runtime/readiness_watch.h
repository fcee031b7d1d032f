// Looks every quarter of a minute at what selling depends on, and has it judged (core/readiness.h). The engine hears
// every judgement; `changed` hears those that differ from the one before.
#pragma once

#include "base/lifetime.h"
#include "pipeline/core/readiness.h"
#include "pipeline/runtime/context.h"

namespace runtime {

class ReadinessWatch {
 public:
  // `context` outlives it. `observe` adds what only the owner sees: the relays, the backend's name, the rollback check.
  struct Hooks {
    std::function<void(core::Observations&)> observe = [](core::Observations&) {};
    std::function<void(const core::Readiness& before, const core::Readiness& now)> changed =
        [](const core::Readiness&, const core::Readiness&) {};
  };
  ReadinessWatch(const Context& context, Hooks hooks) : context_(context), hooks_(std::move(hooks)) {}

  // What the wallet and the backend answered to the owner. Until they have answered, they count as working.
  void hear(const base::Result<wallet::WalletStatus>& told);
  void hear(const base::Result<inference::BackendStatus>& told);

  // From now on; the policy must be known. While paused nothing is asked and nothing is judged.
  void start();
  void pause() { paused_ = true; }
  void resume();
  // Something that `observe` adds has changed.
  void judge();

  const core::Readiness& readiness() const { return readiness_; }

 private:
  void look();
  void ask();
  core::Observations observe() const;

  const Context& context_;
  const Hooks hooks_;
  core::Observation wallet_;
  core::Observation backend_;
  std::optional<inference::BackendStatus> models_;  // nothing: not known yet
  core::Readiness readiness_;
  bool started_ = false;
  bool paused_ = false;
  base::Lifetime lifetime_;
};

}  // namespace runtime
