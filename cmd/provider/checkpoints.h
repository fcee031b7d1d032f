// Signed checkpoints over the ledger (ledger/checkpoint.h): every five minutes while the provider runs, and on request.
#pragma once

#include <functional>
#include <string>

#include "base/scheduler.h"
#include "ledger/group_commit.h"
#include "pipeline/nostr/keys.h"

namespace cmd {

class Checkpoints {
 public:
  // `post` runs a task on the scheduler's thread; it is called from other threads. `problem` gets why a checkpoint was
  // not made, for the operator. Scheduler, commits, key and this object must outlive every task.
  struct Ports {
    base::Scheduler& scheduler;
    std::function<void(std::function<void()> task)> post;
    ledger::GroupCommit& commits;
    const nostr::SecretKey& key;
    std::function<base::Result<nostr::AuxRandom>()> random;
    std::function<void(const std::string&)> problem;
  };
  explicit Checkpoints(Ports ports) : ports_(std::move(ports)) {}

  // The first is made after five minutes. `made` gets each.
  void make_regularly(std::function<void(std::string note)> made);

  // Makes one; `then` is called in a later task with the signed note, or why there is none. A failed write is only
  // reported here; the next append to the ledger fails because of it and ends the process.
  void make(std::function<void(const base::Result<std::string>& note)> then);

 private:
  const Ports ports_;
};

}  // namespace cmd
