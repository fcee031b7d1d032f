// Removes old texts while we sell (replay/pruning.h), on a thread of its own: finding them reads the whole jobs view.
#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <thread>

#include "base/lifetime.h"
#include "ledger/group_commit.h"
#include "ledger/rocksdb_store.h"
#include "pipeline/core/engine.h"

namespace cmd {

class Pruner {
 public:
  // All outlive it. `post` runs a task on the owner's thread, from any thread; `record` gives a batch to the engine,
  // on the owner's thread.
  struct Ports {
    std::function<void(std::function<void()> task)> post;
    ledger::RocksDbStore& store;
    ledger::GroupCommit& commits;
    std::function<void(core::PruningOrdered)> record;
  };
  explicit Pruner(Ports ports) : ports_(std::move(ports)) {}
  ~Pruner();

  // Removes the texts of jobs that ended before this moment. `done` is called in a later task, with what was removed,
  // when it is durable and its space is given back to the disk. Fails with "prune.busy" while another one runs.
  using Done = std::function<void(const base::Result<ledger::TextsPruned>&)>;
  void prune(base::TimeMs before, Done done);

 private:
  using Durable = std::shared_ptr<std::promise<base::Result<void>>>;
  using Recorder = std::function<void(const std::shared_ptr<core::PruningOrdered>&, const Durable&)>;
  base::Result<ledger::TextsPruned> run(base::TimeMs before, const Recorder& record);
  base::Result<void> take(core::PruningOrdered batch, const Recorder& record) const;

  const Ports ports_;
  bool running_ = false;
  std::atomic<bool> stop_ = false;
  std::thread thread_;
  base::Lifetime lifetime_;
};

}  // namespace cmd
