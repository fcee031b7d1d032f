// Brings one signed notice to its relays: every target at once, each again with back-off until it accepts, refuses for
// good, or the deadline passes. Once one relay has it, the others get a few more tries only.
#pragma once

#include <memory>

#include "pipeline/ports.h"

namespace runtime {

struct Delivery {
  std::string event_json;
  ledger::EventId event;
  std::vector<std::string> targets;
  ledger::TimeMs deadline;
  std::function<void(ledger::RelayAnswer)> answered;  // the last word of each target that gave one
  std::function<void()> ended;                        // once, after the last target
};

void deliver(Relays& relays, Scheduler& scheduler, Delivery delivery);

}  // namespace runtime
