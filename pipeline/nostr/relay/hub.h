// All relays, without their sockets: our own, which bring requests and have a cursor each, and customers' relays, to
// which events are published and which are queried. Every event that the hub delivers is verified, and new unless a
// query asked for it. Pure: pool.h gives the hub sockets and threads, the simulator virtual time.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "ledger/fact.h"
#include "pipeline/net/url_guard.h"
#include "pipeline/nostr/relay/intake.h"
#include "pipeline/nostr/relay/link.h"
#include "pipeline/nostr/relay/query_answers.h"
#include "pipeline/nostr/relays.h"

namespace nostr {

using net::RelayUrl;

// The filter of a seller: requests of these kinds addressed to us, or all of them if those open to anybody are served
// too. Nothing is asked for that is not answered.
Filter request_filter(const PublicKey& us, bool serve_broadcast, std::span<const std::uint32_t> kinds);

// One verified event that came for the first time.
struct Received {
  std::string relay;
  Event event;
  std::string raw;  // its JSON text as it crossed the wire
  // Keep a copy until the event is durable or refused: while one is out, the cursors of the relays that sent the event
  // stay behind it, and a relay with too many is not read any further. Any thread may drop the last copy, before the
  // hub's thread ends.
  std::shared_ptr<void> receipt;
};

struct PoolHandlers {
  std::function<void(Received)> on_event;
  // What watch() asked for, without a receipt. Stored events come again after a long while.
  std::function<void(Received)> on_control = [](const Received&) {};
  std::function<void(const std::string& relay, Refusal reason)> on_refused;
  std::function<void(const std::string& relay, RelayState state, const std::string& reason)> on_health;
  std::function<void(const std::string& relay, const std::string& text)> on_notice;
};

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

struct HubOptions {
  std::vector<Filter> wanted;  // what we subscribe to, without since
  // Where a relay has more of one second than it sends, at least what is addressed to this key is asked for.
  std::optional<PublicKey> us;
  IntakeLimits limits;
  std::size_t max_guests = 64;    // customers' relays known at once
  std::function<TimeMs()> clock;  // wall clock
};

// Caps of what we ask besides the intake, far below what relays take (strfry: 20 filters in a REQ, frames of 128 KiB).
inline constexpr std::size_t kMaxQueries = 16;       // that wait for their answer; more are refused
inline constexpr std::size_t kMaxQueryEvents = 100;  // of one answer
inline constexpr std::size_t kMaxWatchFilters = 4;
inline constexpr std::size_t kMaxWatchValues = 512;  // ids, authors, kinds and tag values of all its filters together
inline constexpr std::uint64_t kMaxWatchStored =
    500;  // events that a relay has stored, for each filter without a limit

// What the hub needs from its owner.
struct HubPorts {
  std::function<std::unique_ptr<RelayLink>(const RelayUrl& url, bool own, RelayLinkHandlers handlers)> link;
  // Runs the task on the hub's thread: later, never inside the call; or at once, if the call comes from there.
  std::function<void(std::function<void()> task)> post;
  std::function<void(std::function<void()> task)> dispatch;
  // Judges id and signature (judge() below) on whatever thread, and tells the hub's thread.
  std::function<void(std::shared_ptr<const Event> event, std::function<void(std::optional<Refusal>)> done)> verify;
};

// Why the event is forged, or nothing. The costly check: BIP-340.
std::optional<Refusal> judge(const Event& event);

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
  struct Source;
  class CursorPin;
  class Receipt;
  struct Candidate;
  struct Guest {
    std::unique_ptr<RelayLink> link;
    TimeMs last_used;
  };

  std::vector<Filter> filters(const Source& source) const;
  void watch_on(RelayLink& link);
  std::vector<Filter> watched() const;
  void later(std::function<void()> report);
  RelayLinkHandlers common_handlers(const std::string& url);
  RelayLink* find_link(const std::string& url) const;
  RelayLink* link_for(const RelayUrl& url);
  std::string no_room() const;
  bool make_room();
  void answer_later(const std::string& url, PublishAnswer answer,
                    std::vector<std::function<void(ledger::RelayAnswer)>> callbacks);
  void refuse(const std::string& url, Refusal reason);
  void blame(const std::string& url);
  void screen_event(const std::shared_ptr<Source>& source, Deliver delivered);
  bool is_known(const Deliver& delivered, const Source& source, std::unique_ptr<CursorPin>& pin);
  void judged(Candidate& candidate, std::optional<Refusal> reason);
  void collect(const std::string& url, Deliver delivered);
  void answer_if_complete(const std::string& id);

  HubOptions options_;
  HubPorts ports_;
  PoolHandlers handlers_;
  Remembered remembered_;
  std::map<std::string, std::shared_ptr<Source>> sources_;
  std::map<std::string, Guest> guests_;
  std::map<std::pair<std::string, EventId>, std::vector<std::function<void(ledger::RelayAnswer)>>> waiting_;
  std::map<std::pair<std::string, EventId>, std::function<void()>> unsent_;  // of those that wait
  std::vector<Filter> watched_;
  QueryAnswers answers_;
  bool started_ = false;
  bool abandoned_ = false;
};

}  // namespace nostr
