// All relays, over sockets (see hub.h). One io_context thread owns everything but the signature checks.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ledger/fact.h"
#include "pipeline/nostr/relay/hub.h"
#include "pipeline/nostr/relays.h"

namespace boost::asio {
class io_context;
}

namespace nostr {

struct PoolOptions {
  std::vector<std::string> relays;  // our own; named by the operator, so private addresses are allowed
  std::vector<Filter> wanted;       // what we subscribe to, without since; see request_filter()
  std::optional<PublicKey> us;      // as HubOptions::us
  bool reads_at_once = true;        // as HubOptions::reads_at_once
  bool allow_private = false;       // customers' relays at private addresses: for tests and private networks
  IntakeLimits limits;
  std::size_t max_guests = 64;  // customers' relays known at once
  std::size_t verify_threads = 1;
  std::string extra_ca_file;       // PEM, trusted besides the system's authorities
  std::function<TimeMs()> clock;   // wall clock
  std::function<double()> random;  // uniform in [0, 1)
  // See nip42.h. Without it, requests that need authentication stay refused.
  std::function<std::optional<Event>(const std::string& url, const std::string& challenge, TimeMs now)> sign_auth;
};

// Handlers and callbacks are called on the io_context's thread, never from inside a call of the pool. URLs are compared
// in their normal form (url_guard.h).
class RelayPool final : public nostr::Relays {
 public:
  // Fails with "relay_url.invalid" if one of our own relays is no relay URL.
  static base::Result<std::unique_ptr<RelayPool>> make(boost::asio::io_context& io, PoolOptions options,
                                                       PoolHandlers handlers);
  // Waits for the signature checks that run; no handler is called any more.
  ~RelayPool() override;

  // Dials our own relays. A relay without a cursor is read from the present time on, minus the overlap.
  void start(const std::map<std::string, TimeMs>& cursors);
  // As RelayHub::read().
  void read(const std::string& relay);

  // Publishes to one of our relays or of a customer's. `done` is called exactly once, within kPublishTimeoutMs: a
  // time-out, an address that may not be dialled or a full queue is an answer too, not accepted and with a message that
  // says so.
  void publish(const std::string& relay, const std::string& event_json, const EventId& id,
               std::function<void(ledger::RelayAnswer)> done) override;
  void publish_watched(const std::string& relay, const std::string& event_json, const EventId& id,
                       std::function<void(ledger::RelayAnswer)> done, std::function<void()> sent) override;

  // Asks one of our relays or a customer's once. `done` is called exactly once, within kQueryTimeoutMs and the time
  // that the signatures take. Queries beyond the caps of verified_queries.h are refused. Every failure has the code
  // "relay.query". Not intake: nothing of it is counted or remembered.
  void query(const std::string& relay, Filter filter,
             std::function<void(base::Result<std::vector<Event>>)> done) override;

  // From now on our own relays are asked for this too, in a subscription of its own, and handlers.on_control gets each
  // event once: for short messages that need no cursor. Replaces what was watched before; a relay is told at most once
  // in kResubscribeMs, and sends again what it has stored: the newest, none older than limits.max_age_ms. Fails with
  // "relay.watch" beyond the caps of own_relays.h.
  base::Result<void> watch(std::vector<Filter> filters) override;

  // Sets the limits from the relay's information document (NIP-11). They are ignored for a relay that is not in use,
  // and dropped with a customer's relay that is no longer used.
  void set_limits(const std::string& relay, RelayLimits limits);
  // The difficulty of NIP-13 that this relay asks of our events, as far as we know: by its document or its last
  // refusal. The relay is not trusted: limit the work. Zero: none.
  unsigned required_pow(const std::string& relay) const override;

  // Everything that this relay sent before this moment of our clock is durable or refused (intake.h); nothing for a
  // relay that is not ours, and before start().
  std::optional<TimeMs> cursor(const std::string& relay) const;

  std::vector<RelayHealth> health() const;

  // Answers what waits and hangs up. Receipts that are still out have no effect any more.
  void shut_down();

 private:
  class Impl;
  explicit RelayPool(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace nostr
