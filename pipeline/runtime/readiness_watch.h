// Observes every 15 seconds what selling depends on, and judges it (core/readiness.h). Posts every judgement to the
// engine, and calls `changed` with each that differs from the last one.
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

  // Takes an answer that the owner received from the wallet or the backend. Until the first one, each counts as
  // working.
  void hear(const base::Result<wallet::WalletStatus>& told);
  void hear(const base::Result<inference::BackendStatus>& told);

  // Begins to observe; the engine must have its policy. While paused, the watch asks nothing and judges nothing.
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
