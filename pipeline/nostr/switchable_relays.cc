#include "pipeline/nostr/switchable_relays.h"

namespace nostr {

void SwitchableRelays::publish(const std::string& relay, const std::string& event_json, const base::EventId& id,
                               std::function<void(ledger::RelayAnswer)> done) {
  if (relays_) return relays_->publish(relay, event_json, id, std::move(done));
  scheduler_.after(0, [relay, done = std::move(done), now = scheduler_.now()] {
    done({.relay = relay, .message = "we are offline", .at = now});
  });
}

void SwitchableRelays::publish_watched(const std::string& relay, const std::string& event_json, const base::EventId& id,
                                       std::function<void(ledger::RelayAnswer)> done, std::function<void()> sent) {
  if (relays_) return relays_->publish_watched(relay, event_json, id, std::move(done), std::move(sent));
  publish(relay, event_json, id, std::move(done));
}

void SwitchableRelays::query(const std::string& relay, Filter filter,
                             std::function<void(base::Result<std::vector<Event>>)> done) {
  if (relays_) return relays_->query(relay, std::move(filter), std::move(done));
  scheduler_.after(0, [relay, done = std::move(done)] {
    done(base::fail(base::ErrorKind::connection, "relay.query", "not asked: we are offline", relay));
  });
}

base::Result<void> SwitchableRelays::watch(std::vector<Filter> filters) {
  if (relays_) return relays_->watch(std::move(filters));
  return base::fail(base::ErrorKind::connection, "relay.watch", "not asked: we are offline");
}

unsigned SwitchableRelays::required_pow(const std::string& relay) const {
  return relays_ ? relays_->required_pow(relay) : 0;
}

}  // namespace nostr
