// The relays as the program needs them, a port. All callbacks come on the caller's own thread, never inside the call
// that asked. relay/pool.h is the real one.
#pragma once

#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "ledger/fact.h"
#include "pipeline/nostr/messages.h"

namespace nostr {

class Relays {
 public:
  virtual ~Relays() = default;
  // One try; exactly one answer, even if the relay cannot be reached or its address is not allowed (the message gives
  // the reason).
  virtual void publish(const std::string& relay, const std::string& event_json, const base::EventId& id,
                       std::function<void(ledger::RelayAnswer)> done) = 0;
  // The same; and calls `sent` once, maybe inside this call, when the event has been written to a live connection of
  // this relay, whatever the relay answers.
  virtual void publish_watched(const std::string& relay, const std::string& event_json, const base::EventId& id,
                               std::function<void(ledger::RelayAnswer)> done, std::function<void()> sent) = 0;
  // Asks once for stored events: verified, matching, the newest first, at most as many as the filter's limit, which
  // must be set. Exactly one answer; an error says why there is none.
  virtual void query(const std::string& relay, nostr::Filter filter,
                     std::function<void(base::Result<std::vector<nostr::Event>>)> done) = 0;
  // From now on our own relays are also asked for these events. Replaces the filters of an earlier watch(). Fails with
  // "relay.watch" when it is too much for one subscription.
  virtual base::Result<void> watch(std::vector<nostr::Filter> filters) = 0;
  // How many bits of work this relay asks of our events, as far as we know (NIP-13). The relay is not trusted: limit
  // the work.
  virtual unsigned required_pow(const std::string& relay) const = 0;
};

// The highest proof-of-work difficulty that any of these relays requires.
inline unsigned required_pow(const Relays& relays, std::span<const std::string> targets) {
  unsigned bits = 0;
  for (const std::string& relay : targets) bits = std::max(bits, relays.required_pow(relay));
  return bits;
}

}  // namespace nostr
