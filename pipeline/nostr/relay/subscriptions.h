// The lasting subscriptions at one relay (REQ, EOSE, CLOSED of NIP-01). On each connection every one of them is opened,
// its stored events are read page by page (stored_reading.h), and one that the relay closes or leaves unanswered is
// opened again after a back-off. If the relay accepts only filters that name an author or a tag, the session asks only
// for events addressed to us until the connection ends. Pure; functions that take `out` append their actions to it.
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
#include "pipeline/nostr/relay/notices.h"
#include "pipeline/nostr/relay/stored_reading.h"

namespace nostr {

class Subscriptions {
 public:
  // Called each time that the subscription is opened, so that `since` is the newest.
  using FilterSource = std::function<std::vector<Filter>()>;
  struct Options {
    bool vital = true;
    // What is addressed to us, for a relay that does not take or cannot answer the whole: see StoredReading.
    std::optional<StoredReading::TagFilter> ours;
  };

  // `random`: uniform in [0, 1), for the back-off.
  explicit Subscriptions(std::function<double()> random) : random_(std::move(random)) {}

  bool empty() const { return subscriptions_.empty(); }
  // True if every vital subscription has delivered its stored events on this connection.
  bool all_live() const;
  // What is wrong although all are live, for a person: the relay cannot be read whole, or does not take the whole
  // filter. Else empty.
  std::string warning() const;
  // The most events that the relay says it sends for one filter (NIP-11). One that says less than a full page is not
  // believed.
  void set_max_limit(std::optional<std::uint64_t> limit) {
    page_size_.max_limit = limit.value_or(0) >= kFullPage ? limit : std::nullopt;
  }

  // Adds a subscription or replaces the one of the same id. `id` has at most 56 characters, none of them '~'. The relay
  // is told within kResubscribeMs, of the newest filters only; while the source has no filters, nothing is asked for.
  // Returns true if all_live() may have changed; false while the connection is down or a try is scheduled already.
  bool subscribe(const std::string& id, FilterSource filters, Options options, TimeMs now, RelayActions& out);
  // Returns false if there is no such subscription.
  bool unsubscribe(const std::string& id, RelayActions& out);
  // Forgets all of them and sends nothing.
  void clear() { subscriptions_.clear(); }

  void on_open(TimeMs now, RelayActions& out);
  void on_lost();
  // Opens the subscriptions whose scheduled time has come. Gives up a page that has been silent for kPageTimeoutMs, and
  // returns what happened, for a person, if its subscription is tried again after a back-off. `last_notice`: what the
  // relay last told; it may be the answer.
  std::optional<std::string> on_tick(TimeMs now, const Notices& notices, RelayActions& out);
  // When on_tick() has something to do, or nothing.
  std::optional<TimeMs> wake_at() const;

  // Delivers an event of one of these subscriptions: takes it out of the message and returns true. Else the message is
  // left as it was.
  bool on_event(RelayEvent& message, TimeMs now, RelayActions& out);
  // A message could not be read. It may have been an event of any page that is being read.
  void on_unreadable(TimeMs now);
  // What the end of stored events meant: nothing (of no subscription, or an earlier page), or that the next page was
  // asked for, or that CaughtUp was reported.
  enum class Eose { nothing, next_page, caught_up };
  Eose on_eose(const RelayEose& message, TimeMs now, RelayActions& out);
  // Schedules the next try after a back-off, and returns what happened, for a person. Returns nothing if the message is
  // about no subscription or an earlier page; an empty text if reading goes on without that page. With `awaits_auth`
  // on_authenticated() opens the subscription sooner.
  std::optional<std::string> on_closed(const RelayClosed& message, bool awaits_auth, TimeMs now, RelayActions& out);

  bool awaits_auth() const;
  // Opens what waits for authentication.
  void on_authenticated(TimeMs now, RelayActions& out);
  // What waited for authentication is tried again after its own back-off.
  void on_auth_failed();

 private:
  struct Subscription {
    FilterSource filters;
    Options options;
    Stage stage = Stage::waiting;
    TimeMs asked_at;
    bool caught_up = false;
    unsigned failures = 0;
    std::optional<TimeMs> retry_at;
    std::string page_id;  // the subscription id on the wire of the page of stored events that is being read
    StoredReading reading;
    TimeMs page_deadline;
    std::string filter_refusal;  // the relay's, on this connection: the filters are narrowed; empty: it had none

    bool reads_page() const { return stage == Stage::sent && !caught_up && !retry_at; }
  };

  void open(const std::string& id, Subscription& subscription, TimeMs now, RelayActions& out);
  bool narrow(Subscription& subscription, const std::string& refusal, RelayActions& out);
  void ask(std::string wire_id, Subscription& subscription, TimeMs now, RelayActions& out);
  bool go_on(const std::string& id, Subscription& subscription, bool more, TimeMs now, RelayActions& out);
  std::string back_off(Subscription& subscription, std::string what, TimeMs now, RelayActions& out);
  Subscription* find(std::string_view wire_id, std::string& id);

  std::function<double()> random_;
  bool open_ = false;
  std::map<std::string, Subscription, std::less<>> subscriptions_;
  std::uint64_t older_pages_ = 0;  // asked for so far: each has a wire id of its own
  PageSize page_size_;
};

}  // namespace nostr
