// What the parts of the runtime share. A part reads the engine and never changes it: it posts what happened.
#pragma once

#include "pipeline/core/engine.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/runtime/ports.h"

namespace runtime {

// Outlives every part. All calls are made on one thread.
struct Context {
  const Ports& ports;
  const nostr::SecretKey& key;
  const Options& options;
  const core::Engine& engine;
  std::function<void(core::Input)> post;                 // does nothing once the ledger has failed
  std::function<void(const base::Error&)> fail;          // reports that the ledger failed: the process must end
  std::function<bool()> all_durable;                     // no fact waits for the disk
  std::function<bool()> failed;                          // true from then on: nothing more may leave the process
  std::function<void(const std::string& what)> problem;  // something that the operator must know; it stops one job only
};

}  // namespace runtime
