// One relay, as a state machine (NIP-01, NIP-42): no socket and no clock in it. Each input answers with what is to be
// done now; the adapter does it and calls on_tick() no later than wake_at(). Pure.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pipeline/nostr/event.h"
#include "pipeline/nostr/messages.h"

namespace nostr {

using base::TimeMs;

// ---- what the adapter does ------------------------------------------------------------------------------------------

// Connect to the relay's URL; then on_open() or on_closed().
struct Dial {};
struct SendFrame {
  std::string text;
};
struct SendPing {};
// Drop the connection and say no more about it.
struct HangUp {};
// An event of a subscription: parsed, not verified. `raw` is its JSON text as it crossed the wire.
struct Deliver {
  std::string subscription;
  Event event;
  std::string raw;
};
// All stored events of the subscription have been delivered; what follows is new.
struct CaughtUp {
  std::string subscription;
};
// The one answer to a publication. `duplicate:` counts as accepted (NIP-01: the relay has it).
struct PublishAnswer {
  EventId event;
  bool accepted = false;
  std::string message;
};
// The one answer to a query, after its events.
struct QueryEnd {
  std::string id;
  std::string error;  // why it has no answer; empty: all its events were delivered
};
// Something that the relay sent was dropped: "malformed", "too_large" or "unasked".
struct Dropped {
  std::string reason;
};
// For the log: what the relay says to a person.
struct Notice {
  std::string text;
};

enum class RelayState {
  idle,     // a guest relay for which there is nothing to do
  offline,  // waits before it dials again
  connecting,
  catching_up,  // open, but a vital subscription has not delivered its stored events, or the relay closed it
  live,
};
std::string_view name(RelayState state);

struct HealthChange {
  RelayState state = RelayState::idle;
  std::string reason;
};

using RelayAction = std::variant<Dial, SendFrame, SendPing, HangUp, Deliver, CaughtUp, PublishAnswer, QueryEnd, Dropped,
                                 Notice, HealthChange>;
using RelayActions = std::vector<RelayAction>;

// ---- limits ---------------------------------------------------------------------------------------------------------

inline constexpr std::int64_t kDialTimeoutMs = 15'000;   // name, TCP, TLS and upgrade together
inline constexpr std::int64_t kPingIntervalMs = 30'000;  // of silence
inline constexpr std::int64_t kPongTimeoutMs = 15'000;
inline constexpr std::int64_t kPublishTimeoutMs = 30'000;  // from publish() to its answer at the latest
inline constexpr std::int64_t kQueryTimeoutMs = 10'000;    // from query() to its answer at the latest
inline constexpr std::int64_t kResubscribeMs = 1'000;      // between two REQs for one subscription that changes
inline constexpr std::int64_t kSlowMs = 60'000;            // after `rate-limited:` publications are sent …
inline constexpr std::int64_t kSlowPaceMs = 2'000;         // … no faster than one in this time
inline constexpr std::int64_t kIdleMs = 60'000;            // a guest without work is left after
inline constexpr std::int64_t kMinBackoffMs = 1'000;
inline constexpr std::int64_t kMaxBackoffMs = 300'000;
inline constexpr std::int64_t kStableMs = 60'000;     // a connection that lasted so long resets the back-off
inline constexpr std::size_t kMaxPublications = 256;  // waiting for an answer; more are refused at once
inline constexpr std::size_t kMaxPublicationBytes = 4 * 1024 * 1024;
// Of one websocket message: beyond it the connection ends. Far above any event that we read, because one stranger's
// huge event must not end it again and again.
inline constexpr std::size_t kMaxRelayMessageBytes = 1024 * 1024;
inline constexpr unsigned kMaxBadFrames = 20;  // in one connection
inline constexpr unsigned kMaxAuths = 3;       // in one connection
// Events that no honest relay sends: forged, or not what was asked for. More in a minute end the connection, for a
// while at least, so that a hostile relay cannot keep us busy with its signatures. A few come when they cross a CLOSE
// of ours.
inline constexpr unsigned kMaxJunkPerMinute = 500;
inline constexpr std::int64_t kJunkBackoffMs = 60'000;
// A relay sends its newest stored events, at most as many as it likes. After an answer of this many or more we ask for
// older ones, until none come.
inline constexpr std::size_t kFullPage = 20;

// What a relay says of itself in its information document (NIP-11, `limitation`).
struct RelayLimits {
  std::optional<std::size_t> max_message_length;  // bytes of one message to it
  unsigned min_pow_difficulty = 0;                // of each event (NIP-13)
};

// ---- the machine ----------------------------------------------------------------------------------------------------

struct RelaySessionOptions {
  std::string url;
  // Our own relay: dialled at once and for ever. Else a guest: dialled when there is something to publish, left when
  // idle.
  bool persistent = true;
  std::size_t max_frame_bytes = kMaxFrameBytes;
  // Uniform in [0, 1): jitter, so that a relay that comes back is not dialled by everybody at once.
  std::function<double()> random;
  // See nip42.h; nothing: then what needs it stays refused.
  std::function<std::optional<Event>(const std::string& url, const std::string& challenge, TimeMs now)> sign_auth;
};

class RelaySession {
 public:
  // Asked for each time that the subscription is (re)opened, so that `since` is the newest.
  using FilterSource = std::function<std::vector<Filter>()>;

  explicit RelaySession(RelaySessionOptions options);

  RelayActions start(TimeMs now);
  RelayActions on_open(TimeMs now);
  RelayActions on_frame(std::string_view frame, TimeMs now);
  RelayActions on_pong(TimeMs now);
  RelayActions on_closed(const std::string& reason, TimeMs now);
  // As on_closed, but there is no point in trying soon (an address that may not be dialled): everything that waits is
  // answered.
  RelayActions on_forbidden(const std::string& reason, TimeMs now);
  RelayActions on_tick(TimeMs now);
  // When on_tick() is due, or nothing.
  std::optional<TimeMs> wake_at() const;

  // `id` has at most 56 characters, none of them '~'. Replaces a subscription of the same id; the relay is told within
  // kResubscribeMs, of the newest filters only. While the source has no filters nothing is asked for. The relay counts
  // as live when its vital subscriptions are.
  RelayActions subscribe(const std::string& id, FilterSource filters, TimeMs now, bool vital = true);
  RelayActions unsubscribe(const std::string& id, TimeMs now);

  // Answered exactly once, by kPublishTimeoutMs at the latest. Survives a reconnect within that time. An event that
  // waits already is not sent twice and gets one PublishAnswer in all.
  RelayActions publish(EventId id, std::string event_json, TimeMs now);

  // Asks once for stored events: at most as many as the filter's limit, which must be set. Answered by exactly one
  // QueryEnd, by kQueryTimeoutMs at the latest. Survives a reconnect within that time: events may then come twice. `id`
  // is unlike any other's, of subscriptions too.
  RelayActions query(const std::string& id, Filter filter, TimeMs now);

  // An event that was delivered is forged, or not what was asked for.
  RelayActions on_junk(TimeMs now);

  // Kept over reconnects. Events that are too long are answered at once (too_long_for_relay()).
  void set_limits(RelayLimits limits) { limits_ = limits; }
  // The difficulty that the relay asks of our events, by its document or its last refusal; zero: none.
  unsigned required_pow() const { return std::max(limits_.min_pow_difficulty, asked_pow_); }

  // Answers what waits and hangs up; nothing happens after it.
  RelayActions shut_down();

  // True while something waits for an answer or is subscribed.
  bool has_work() const { return !publications_.empty() || !queries_.empty() || !subscriptions_.empty(); }
  RelayState state() const { return state_; }
  const std::string& reason() const { return reason_; }
  // Round trip of the last ping.
  std::optional<std::int64_t> latency_ms() const { return latency_ms_; }
  // When the relay last gave a sign of life on this connection.
  TimeMs last_heard() const { return last_heard_; }

 private:
  enum class Link { down, dialling, open };
  enum class Auth { none, sent, done };
  enum class Stage { waiting, sent, refused };  // refused: for want of AUTH

  struct Owed {  // an answer
    TimeMs deadline;
    Stage stage = Stage::waiting;
  };
  struct Publication : Owed {
    EventId id;
    std::string json;
  };
  struct Query : Owed {
    std::string id;
    Filter filter;
    std::uint64_t events = 0;
  };
  struct Subscription {
    FilterSource filters;
    bool vital = true;
    Stage stage = Stage::waiting;
    TimeMs asked_at;
    bool caught_up = false;
    unsigned failures = 0;
    std::optional<TimeMs> retry_at;
    // The page of stored events that is being read.
    std::string page_id;
    std::vector<Filter> asked;
    std::size_t page_events = 0;
    std::int64_t oldest_s = 0;
  };

  RelayActions take();
  bool wanted() const;
  void dial(TimeMs now);
  void dial_if_due(TimeMs now);
  void ping(TimeMs now);
  void lose(const std::string& reason, TimeMs now, std::int64_t min_backoff_ms = 0);
  void hang_up_and_lose(const std::string& reason, TimeMs now, std::int64_t min_backoff_ms = 0);
  void rest();
  void answer(const Publication& publication, bool accepted, std::string message);
  using Keep = std::function<bool(const Owed&)>;
  void answer_unless(const Keep& keep, const std::string& message);
  void end_queries_unless(const Keep& keep, const std::string& message);
  void fail_unless(const Keep& keep, const std::string& message);
  void fail_overdue(TimeMs now);
  std::string unreachable_until(TimeMs deadline, TimeMs now) const;
  void send(Query& query);
  void send_waiting(TimeMs now);
  void heed(std::string_view refusal, TimeMs now);
  void open(const std::string& id, Subscription& subscription, TimeMs now);
  void ask(const std::string& wire_id, Subscription& subscription);
  void postpone(Subscription& subscription, TimeMs now);
  void authenticate(TimeMs now);
  void resend_refused(TimeMs now);
  void fail_refused(const std::string& message, TimeMs now);
  void set_health(RelayState state, std::string reason);
  void update_open_health(std::string reason = {});
  std::int64_t backoff_ms(unsigned failures) const;
  Subscription* find(std::string_view wire_id, std::string& id);
  std::deque<Query>::iterator find_query(std::string_view id);
  void end(const std::deque<Query>::iterator& query, std::string error);
  void drop_unasked(TimeMs now);
  void count_junk(TimeMs now);

  void receive(RelayEvent message, TimeMs now);
  void receive(RelayOk message, TimeMs now);
  void receive(const RelayEose& message, TimeMs now);
  void receive(const RelayClosed& message, TimeMs now);
  void receive(RelayNotice message, TimeMs now);
  void receive(RelayAuth message, TimeMs now);
  void receive_bad(const base::Error& error, TimeMs now);

  RelaySessionOptions options_;
  RelayActions out_;
  Link link_ = Link::down;
  RelayState state_ = RelayState::idle;
  std::string reason_;
  bool shut_down_ = false;

  TimeMs dialled_at_;
  TimeMs opened_at_;
  TimeMs last_heard_;
  TimeMs last_work_;
  std::optional<TimeMs> pinged_at_;
  std::optional<TimeMs> redial_at_;
  std::optional<std::int64_t> latency_ms_;
  unsigned failures_ = 0;
  unsigned bad_frames_ = 0;
  unsigned junk_ = 0;  // since …
  TimeMs junk_since_;

  std::optional<std::string> challenge_;
  Auth auth_ = Auth::none;
  EventId auth_event_;
  unsigned auths_ = 0;

  std::map<std::string, Subscription, std::less<>> subscriptions_;
  std::uint64_t older_pages_ = 0;  // asked for so far: each has a wire id of its own
  std::deque<Publication> publications_;
  std::size_t publication_bytes_ = 0;
  TimeMs slow_until_;
  TimeMs next_send_at_;
  std::deque<Query> queries_;

  RelayLimits limits_;
  unsigned asked_pow_ = 0;
};

}  // namespace nostr
