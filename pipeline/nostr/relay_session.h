// One relay, as a state machine (NIP-01, NIP-42): no socket and no clock in it. Each input answers with what is to be
// done now; the adapter does it and calls on_tick() no later than wake_at(). Pure.
#pragma once

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

using ledger::TimeMs;

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
  catching_up,  // open, but a subscription has not delivered its stored events, or the relay closed it
  live,
};
std::string_view name(RelayState state);

struct HealthChange {
  RelayState state = RelayState::idle;
  std::string reason;
};

using RelayAction =
    std::variant<Dial, SendFrame, SendPing, HangUp, Deliver, CaughtUp, PublishAnswer, Dropped, Notice, HealthChange>;
using RelayActions = std::vector<RelayAction>;

// ---- limits ---------------------------------------------------------------------------------------------------------

inline constexpr std::int64_t kDialTimeoutMs = 15'000;   // name, TCP, TLS and upgrade together
inline constexpr std::int64_t kPingIntervalMs = 30'000;  // of silence
inline constexpr std::int64_t kPongTimeoutMs = 15'000;
inline constexpr std::int64_t kPublishTimeoutMs = 30'000;  // from publish() to its answer at the latest
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
// A relay sends its newest stored events, at most as many as it likes. After an answer of this many or more we ask for
// older ones, until none come.
inline constexpr std::size_t kFullPage = 20;

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

  // `id` has at most 56 characters, none of them '~'. Replaces a subscription of the same id.
  RelayActions subscribe(const std::string& id, FilterSource filters, TimeMs now);
  RelayActions unsubscribe(const std::string& id, TimeMs now);

  // Answered exactly once, by kPublishTimeoutMs at the latest. Survives a reconnect within that time. An event that
  // waits already is not sent twice and gets one PublishAnswer in all.
  RelayActions publish(EventId id, std::string event_json, TimeMs now);

  // Answers what waits and hangs up; nothing happens after it.
  RelayActions shut_down();

  // True while something waits for an answer or is subscribed.
  bool has_work() const { return !publications_.empty() || !subscriptions_.empty(); }
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

  struct Publication {
    EventId id;
    std::string json;
    TimeMs deadline;
    Stage stage = Stage::waiting;
  };
  struct Subscription {
    FilterSource filters;
    Stage stage = Stage::waiting;
    bool caught_up = false;
    unsigned failures = 0;
    std::optional<TimeMs> retry_at;
    // The page of stored events that is being read.
    std::vector<Filter> asked;
    std::size_t page_events = 0;
    std::int64_t oldest_s = 0;
  };

  RelayActions take();
  bool wanted() const;
  void dial(TimeMs now);
  void ping(TimeMs now);
  void lose(const std::string& reason, TimeMs now);
  void hang_up_and_lose(const std::string& reason, TimeMs now);
  void rest();
  void answer(const Publication& publication, bool accepted, std::string message);
  void answer_unless(const std::function<bool(const Publication&)>& keep, const std::string& message);
  void send(Publication& publication);
  void open(const std::string& id, Subscription& subscription);
  void ask(const std::string& wire_id, Subscription& subscription);
  void postpone(Subscription& subscription, TimeMs now);
  void authenticate(TimeMs now);
  void resend_refused();
  void fail_refused(const std::string& message, TimeMs now);
  void set_health(RelayState state, std::string reason);
  void update_open_health(std::string reason = {});
  std::int64_t backoff_ms(unsigned failures) const;
  Subscription* find(std::string_view wire_id, std::string& id);

  void receive(RelayEvent message, TimeMs now);
  void receive(RelayOk message, TimeMs now);
  void receive(const RelayEose& message, TimeMs now);
  void receive(const RelayClosed& message, TimeMs now);
  void receive(RelayNotice message, TimeMs now);
  void receive(RelayAuth message, TimeMs now);
  void receive_bad(const ledger::Error& error, TimeMs now);

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

  std::optional<std::string> challenge_;
  Auth auth_ = Auth::none;
  EventId auth_event_;
  unsigned auths_ = 0;

  std::map<std::string, Subscription, std::less<>> subscriptions_;
  std::deque<Publication> publications_;
  std::size_t publication_bytes_ = 0;
};

}  // namespace nostr
