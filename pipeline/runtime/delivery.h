// Brings one signed notice to its relays: every target at once, each again with back-off until it accepts, refuses for
// good, or the deadline passes. Once one relay has it, the others get a few more tries only.
#pragma once

#include <memory>

#include "base/scheduler.h"
#include "pipeline/nostr/relays.h"

namespace runtime {

using base::Scheduler;
using nostr::Relays;

struct Delivery {
  std::string event_json;
  base::EventId event;
  std::vector<std::string> targets;
  base::TimeMs deadline;
  std::function<void(ledger::RelayAnswer)> answered;  // the last word of each target that gave one
  std::function<void()> ended;                        // once, after the last target
  std::function<void()> tried = [] {};                // once, when each target has answered for the first time
};

void deliver(Relays& relays, Scheduler& scheduler, Delivery delivery);

}  // namespace runtime
