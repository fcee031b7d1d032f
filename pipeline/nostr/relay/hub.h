// All relays, without their sockets: our own (own_relays.h), which bring requests, and customers' relays (guests.h).
// Any of them can be published to and queried. Every event that the hub delivers is verified, and new
// unless a query asked for it. Pure: pool.h gives the hub sockets and threads, the simulator virtual time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ledger/fact.h"
#include "pipeline/nostr/relay/guests.h"
#include "pipeline/nostr/relay/hub_context.h"
#include "pipeline/nostr/relay/own_relays.h"
#include "pipeline/nostr/relay/verified_queries.h"
#include "pipeline/nostr/relays.h"

namespace nostr {

// The filter of a seller: requests of these kinds addressed to us, or all of them if those open to anybody are served
// too. Requests that we would not answer are not asked for.
Filter request_filter(const PublicKey& us, bool serve_broadcast, std::span<const std::uint32_t> kinds);

struct RelayHealth {
  std::string url;
  bool own = true;
  RelayState state = RelayState::idle;
  std::string reason;       // why it is not live; of a live one a warning: it cannot be read whole
  std::string last_notice;  // what it last told a person
  std::optional<std::int64_t> latency_ms;
  std::optional<TimeMs> last_event;  // our clock
  std::optional<TimeMs> cursor;
};

// Handlers and callbacks are called on the hub's thread, never from inside a call of the hub. URLs are compared in
// their normal form (url_guard.h).
class RelayHub final : public Relays, public std::enable_shared_from_this<RelayHub> {
 public:
  RelayHub(HubOptions options, HubPorts ports, PoolHandlers handlers);
  ~RelayHub() override;

  // One of our own relays, before start().
  void add_own(const RelayUrl& url);
  // Dials our own relays. A relay without a cursor is read from now on (less the overlap).
  void start(const std::map<std::string, TimeMs>& cursors);
  // Asks this relay for what is wanted, once, where HubOptions::reads_at_once is false. Ignored if it is not our own.
  void read(const std::string& relay);
  void publish(const std::string& relay, const std::string& event_json, const EventId& id,
               std::function<void(ledger::RelayAnswer)> done) override;
  void publish_watched(const std::string& relay, const std::string& event_json, const EventId& id,
                       std::function<void(ledger::RelayAnswer)> done, std::function<void()> sent) override;
  void query(const std::string& relay, Filter filter, std::function<void(Result<std::vector<Event>>)> done) override;
  Result<void> watch(std::vector<Filter> filters) override;
  unsigned required_pow(const std::string& relay) const override;
  // As RelayPool's.
  void set_limits(const std::string& relay, RelayLimits limits);
  std::optional<TimeMs> cursor(const std::string& relay) const;
  std::vector<RelayHealth> health() const;
  void shut_down();
  // Shuts down, and nothing of what is under way reports any more.
  void abandon();

 private:
  using PublishDone = std::function<void(ledger::RelayAnswer)>;
  struct Publication {
    std::vector<PublishDone> done;
    std::function<void()> sent;  // or nothing: nobody waits for that
  };

  void publish(const std::string& relay, const std::string& event_json, const EventId& id, PublishDone done,
               std::function<void()> sent);
  void answer_later(const std::string& url, PublishAnswer answer, std::vector<PublishDone> callbacks);
  RelayLinkHandlers handlers_of(const std::string& url);
  void receive(const std::string& url, Deliver delivered);
  RelayLink* find_link(const std::string& url) const;
  RelayLink* link_for(const RelayUrl& url);
  void later(Task report);
  void verify(std::shared_ptr<const Event> event, std::function<void(std::optional<Refusal>)> done);

  HubContext context_;
  OwnRelays own_;
  Guests guests_;
  VerifiedQueries queries_;
  std::map<std::pair<std::string, EventId>, Publication> publications_;  // by relay and event, until it answers
  bool abandoned_ = false;
};

}  // namespace nostr
