// The relays of a provider that goes offline and online again while its other parts keep one reference to them. Pure.
#pragma once

#include "base/scheduler.h"
#include "pipeline/nostr/relays.h"

namespace nostr {

// Forwards every call to the relays that it was given last. Without any, each call is answered at once or in the
// scheduler's next task: we are offline.
class SwitchableRelays final : public Relays {
 public:
  // The scheduler must outlive this object.
  explicit SwitchableRelays(base::Scheduler& scheduler) : scheduler_(scheduler) {}

  // Null: offline. The relays must stay until others, or none, are given.
  void use(Relays* relays) { relays_ = relays; }

  // Offline, the answer has the message "we are offline", so the caller tries again later.
  void publish(const std::string& relay, const std::string& event_json, const base::EventId& id,
               std::function<void(ledger::RelayAnswer)> done) override;
  void publish_watched(const std::string& relay, const std::string& event_json, const base::EventId& id,
                       std::function<void(ledger::RelayAnswer)> done, std::function<void()> sent) override;
  // Offline, it fails with "relay.query".
  void query(const std::string& relay, Filter filter,
             std::function<void(base::Result<std::vector<Event>>)> done) override;
  // Offline, it fails with "relay.watch".
  base::Result<void> watch(std::vector<Filter> filters) override;
  // Offline, 0.
  unsigned required_pow(const std::string& relay) const override;

 private:
  base::Scheduler& scheduler_;
  Relays* relays_ = nullptr;
};

}  // namespace nostr
