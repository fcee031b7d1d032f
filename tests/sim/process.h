// One life of the provider: the real runtime, engine, ledger and views over simulated ports. It ends by being
// destroyed, at any moment; what was not durable is gone with it.
#pragma once

#include "ledger/ledger.h"
#include "pipeline/runtime.h"
#include "replay/jobs_view.h"
#include "replay/projections.h"
#include "tests/sim/world.h"

namespace sim {

class Process {
 public:
  Process(World& world, const core::Policy& policy);

  const core::Engine& engine() const { return runtime_->engine(); }
  const std::optional<ledger::Error>& failure() const { return failure_; }

 private:
  class SimJournal;
  class SimWallet;
  class SimBackend;
  class SimRelays;

  World& world_;
  ProcessTime time_;
  std::vector<std::unique_ptr<ledger::Projection>> projections_;
  std::unique_ptr<ledger::Ledger> ledger_;
  std::unique_ptr<runtime::Journal> journal_;
  std::unique_ptr<wallet::Wallet> wallet_;
  std::unique_ptr<inference::Backend> backend_;
  std::unique_ptr<runtime::Relays> relays_;
  std::unique_ptr<runtime::Runtime> runtime_;
  std::optional<ledger::Error> failure_;
};

}  // namespace sim
