// The lasting subscriptions at one relay (REQ, EOSE, CLOSED of NIP-01). On each connection every one of them is opened,
// its stored events are read page by page from the newest to the oldest, and one that the relay closes is opened again
// after a back-off. Pure; functions that take `out` append their actions to it.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/nostr/messages.h"
#include "pipeline/nostr/relay/actions.h"
#include "pipeline/nostr/relay/limits.h"

namespace nostr {

class Subscriptions {
 public:
  // Called each time that the subscription is opened, so that `since` is the newest.
  using FilterSource = std::function<std::vector<Filter>()>;

  // `random`: uniform in [0, 1), for the back-off.
  explicit Subscriptions(std::function<double()> random) : random_(std::move(random)) {}

  bool empty() const { return subscriptions_.empty(); }
  // True if every vital subscription has delivered its stored events on this connection.
  bool all_live() const;

  // Adds a subscription or replaces the one of the same id. `id` has at most 56 characters, none of them '~'. The relay
  // is told within kResubscribeMs, of the newest filters only; while the source has no filters, nothing is asked for.
  // Returns true if all_live() may have changed; false while the connection is down or a try is scheduled already.
  bool subscribe(const std::string& id, FilterSource filters, bool vital, TimeMs now, RelayActions& out);
  // Returns false if there is no such subscription.
  bool unsubscribe(const std::string& id, RelayActions& out);
  // Forgets all of them and sends nothing.
  void clear() { subscriptions_.clear(); }

  void on_open(TimeMs now, RelayActions& out);
  void on_lost();
  // Opens the subscriptions whose scheduled time has come.
  void on_tick(TimeMs now, RelayActions& out);
  // When on_tick() has something to do, or nothing.
  std::optional<TimeMs> wake_at() const;

  // Delivers an event of one of these subscriptions: takes it out of the message and returns true. Else the message is
  // left as it was.
  bool on_event(RelayEvent& message, RelayActions& out);
  // Asks for the next page, or reports CaughtUp and returns true. Ignores the EOSE of an earlier page.
  bool on_eose(const RelayEose& message, RelayActions& out);
  // Schedules the next try after a back-off, and returns what happened, for a person. Returns nothing if the message is
  // about no subscription or an earlier page. With `awaits_auth` on_authenticated() opens the subscription sooner.
  std::optional<std::string> on_closed(const RelayClosed& message, bool awaits_auth, TimeMs now, RelayActions& out);

  bool awaits_auth() const;
  // Opens what waits for authentication.
  void on_authenticated(TimeMs now, RelayActions& out);
  // What waited for authentication is tried again after its own back-off.
  void on_auth_failed();

 private:
  struct Subscription {
    FilterSource filters;
    bool vital = true;
    Stage stage = Stage::waiting;
    TimeMs asked_at;
    bool caught_up = false;
    unsigned failures = 0;
    std::optional<TimeMs> retry_at;
    // The page of stored events that is being read.
    std::string page_id;  // its subscription id on the wire
    std::vector<Filter> asked;
    std::size_t page_events = 0;
    std::int64_t oldest_s = 0;
  };

  void open(const std::string& id, Subscription& subscription, TimeMs now, RelayActions& out);
  void ask(const std::string& wire_id, Subscription& subscription, RelayActions& out);
  Subscription* find(std::string_view wire_id, std::string& id);

  std::function<double()> random_;
  bool open_ = false;
  std::map<std::string, Subscription, std::less<>> subscriptions_;
  std::uint64_t older_pages_ = 0;  // asked for so far: each has a wire id of its own
};

}  // namespace nostr
