// One relay as a state machine (NIP-01, NIP-42), without socket and clock: each input returns the actions that the
// adapter has to carry out now, in order. The adapter reports what happened, and calls on_tick() no later than
// wake_at(). Times are the caller's clock in milliseconds and never go back. Nothing fails: what goes wrong is an
// action (PublishAnswer, QueryEnd, Dropped, HealthChange).
//
// The session decides when to connect and when to hang up. Its parts are state machines of their own: connection.h,
// subscriptions.h, queries.h, publications.h, auth.h, misbehaviour.h, health.h. receiver.h takes the relay's frames to
// them. Pure.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/nostr/event.h"
#include "pipeline/nostr/messages.h"
#include "pipeline/nostr/relay/actions.h"
#include "pipeline/nostr/relay/connection.h"
#include "pipeline/nostr/relay/limits.h"
#include "pipeline/nostr/relay/receiver.h"

namespace nostr {

struct RelaySessionOptions {
  std::string url;
  // Our own relay: dialled at once, and again after each loss. Else a guest: dialled when there is something to send,
  // disconnected when idle.
  bool persistent = true;
  std::size_t max_frame_bytes = kMaxFrameBytes;
  // Uniform in [0, 1): jitter, so that the clients of a relay that comes back do not all dial it at once.
  std::function<double()> random;
  // See nip42.h. If it returns nothing, what the relay refused for want of authentication stays refused.
  Authentication::Sign sign_auth;
};

class RelaySession {
 public:
  using FilterSource = Subscriptions::FilterSource;

  explicit RelaySession(RelaySessionOptions options);

  RelayActions start(TimeMs now);
  RelayActions on_open(TimeMs now);
  // Takes one text message. `frame` is empty if a message came that was skipped (SkippedMessage): it could not be used.
  RelayActions on_frame(std::optional<std::string_view> frame, TimeMs now);
  RelayActions on_pong(TimeMs now);
  RelayActions on_closed(const std::string& reason, TimeMs now);
  // As on_closed, but there is no point in trying soon (an address that may not be dialled): everything that waits is
  // answered.
  RelayActions on_forbidden(const std::string& reason, TimeMs now);
  RelayActions on_tick(TimeMs now);
  // When on_tick() is due, or nothing.
  std::optional<TimeMs> wake_at() const;

  // `id` has at most 56 characters, none of them '~'. Replaces a subscription of the same id; the relay is told within
  // kResubscribeMs, of the newest filters only. While the source has no filters, nothing is asked for. The relay counts
  // as live when its vital subscriptions are.
  RelayActions subscribe(const std::string& id, FilterSource filters, TimeMs now, Subscriptions::Options options = {});
  RelayActions unsubscribe(const std::string& id, TimeMs now);

  // Answered exactly once, by kPublishTimeoutMs at the latest. Survives a reconnect within that time. An event that
  // waits already is not sent twice and gets one PublishAnswer in all.
  RelayActions publish(EventId id, std::string event_json, TimeMs now);

  // Asks once for stored events. The filter must have a limit. It is sent in parts of at most kMaxKindsPerFilter kinds,
  // and the limit holds for each part. Answered by exactly one QueryEnd, by kQueryTimeoutMs at the latest. Survives a
  // reconnect within that time: events may then come twice. `id` differs from the ids of all other queries and
  // subscriptions.
  RelayActions query(const std::string& id, const Filter& filter, TimeMs now);

  // Junk: an event that was delivered is forged, or not what was asked for. Chatter: a ping, which the adapter answers,
  // or a message of bytes.
  RelayActions on_useless(Useless what, TimeMs now);

  // Kept over reconnects. Events that are too long are answered at once (too_long_for_relay()).
  void set_limits(RelayLimits limits) {
    parts_.publications.set_limits(limits);
    parts_.subscriptions.set_max_limit(limits.max_limit);
  }
  // The difficulty that the relay requires of our events, by its document or its last refusal; zero: none.
  unsigned required_pow() const { return parts_.publications.required_pow(); }

  // Answers what waits and hangs up; nothing happens after it.
  RelayActions shut_down();

  // True while something waits for an answer or is subscribed.
  bool has_work() const;
  RelayState state() const { return parts_.health.state(); }
  const std::string& reason() const { return parts_.health.reason(); }
  // What the relay last told a person (NOTICE), on any connection; empty: nothing.
  const std::string& last_notice() const { return parts_.notices.last(); }
  // Round trip of the last ping.
  std::optional<std::int64_t> latency_ms() const { return connection_.latency_ms(); }

 private:
  bool is_wanted() const;
  void dial(TimeMs now, RelayActions& out);
  void lose(const Ending& ending, TimeMs now, RelayActions& out);

  bool persistent_;
  std::size_t max_frame_bytes_;
  Connection connection_;
  RelayParts parts_;
};

}  // namespace nostr
