// The ports of the runtime: what it needs from the world besides a wallet (wallet/wallet.h) and a backend
// (inference/backend.h). In production they are RocksDB, Asio and websockets (cmd/serve.cc joins them); in the
// simulator they are a simulated disk and virtual time. All callbacks come on the runtime's own thread, never inside
// the call that asked.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "ledger/entry.h"
#include "pipeline/core/job.h"
#include "pipeline/nostr/messages.h"

namespace runtime {

class Journal {
 public:
  virtual ~Journal() = default;
  // `done` is called when the group is durable or has failed, in the order of the calls.
  virtual void append(ledger::Group group, std::function<void(ledger::Result<void>)> done) = 0;
  // A text that is durable; nothing when it was pruned.
  virtual ledger::Result<std::optional<std::string>> text(const ledger::TextRef& ref) = 0;
  // A job as the durable entries make it, open or closed; nothing when the ledger has none of that id.
  virtual ledger::Result<std::optional<core::Job>> job(const ledger::JobId& id) = 0;
};

class Relays {
 public:
  virtual ~Relays() = default;
  // One try; exactly one answer, also when the relay cannot be reached or may not be (then the message says why).
  virtual void publish(const std::string& relay, const std::string& event_json, const ledger::EventId& id,
                       std::function<void(ledger::RelayAnswer)> done) = 0;
  // Asks once for stored events: verified, matching, the newest first, at most as many as the filter's limit, which
  // must be set. Exactly one answer; an error says why there is none.
  virtual void query(const std::string& relay, nostr::Filter filter,
                     std::function<void(ledger::Result<std::vector<nostr::Event>>)> done) = 0;
  // From now on our own relays are asked for this too, in the place of what was watched before. Fails with
  // "relay.watch" when it is too much for one subscription.
  virtual ledger::Result<void> watch(std::vector<nostr::Filter> filters) = 0;
  // How many bits of work this relay asks of our events, as far as we know (NIP-13). A stranger's word.
  virtual unsigned required_pow(const std::string& relay) const = 0;
};

// What the one that asks for most of it asks for.
inline unsigned required_pow(const Relays& relays, std::span<const std::string> targets) {
  unsigned bits = 0;
  for (const std::string& relay : targets) bits = std::max(bits, relays.required_pow(relay));
  return bits;
}

// The text behind a web address that a customer named. Exactly one answer; an error says to the customer what to do
// instead.
class Web {
 public:
  virtual ~Web() = default;
  virtual void get(const std::string& url, std::function<void(ledger::Result<std::string>)> done) = 0;
};

class Scheduler {
 public:
  virtual ~Scheduler() = default;
  virtual ledger::TimeMs now() const = 0;
  virtual void after(std::int64_t delay_ms, std::function<void()> task) = 0;
};

// 32 bytes that nobody can guess: salts of texts, auxiliary randomness of signatures.
using Random = std::function<ledger::Salt()>;

}  // namespace runtime
