// The events that wait for one relay's OK (NIP-01). Each is answered by exactly one PublishAnswer, kPublishTimeoutMs
// after add() at the latest, if fail_overdue() is called no later than wake_at(). Sends in the order of add(): at once
// while the relay keeps up, one per kSlowPaceMs for kSlowMs after it answered `rate-limited:`. Pure; each function
// appends its actions to `out`.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/nostr/messages.h"
#include "pipeline/nostr/relay/actions.h"
#include "pipeline/nostr/relay/limits.h"

namespace nostr {

class Publications {
 public:
  // Kept over reconnects; applies to the events that are added from now on.
  void set_limits(RelayLimits limits) { limits_ = limits; }
  // The proof-of-work difficulty that the relay requires of our events, by its document or its last refusal (NIP-13);
  // zero: none.
  unsigned required_pow() const { return std::max(limits_.min_pow_difficulty, asked_pow_); }

  bool empty() const { return queue_.empty(); }
  bool contains(const EventId& id) const;
  // Why this event cannot be added (too many wait, or it is too long for the relay): the message of its answer. Empty:
  // it can.
  std::string refusal(std::string_view event_json) const;
  // Needs !contains(id) and no refusal(). Sends the event as soon as the connection and the pace allow.
  void add(EventId id, std::string event_json, TimeMs now, RelayActions& out);

  void on_open(TimeMs now, RelayActions& out);
  // Sends everything again on the next connection.
  void on_lost();
  // Answers what is overdue. `reason`: why the relay is not live, for the message; may be empty.
  void fail_overdue(TimeMs now, const std::string& reason, RelayActions& out);
  // Sends what the pace allows now. Does nothing while the connection is down.
  void send(TimeMs now, RelayActions& out);
  // When fail_overdue() or send() has something to do, or nothing.
  std::optional<TimeMs> wake_at() const;

  // True if the event was sent on this connection and has no answer yet.
  bool awaits_answer(const EventId& id) const;
  // The relay's answer to an event that awaits one. Learns from a refusal: the pace and the required proof of work.
  void on_ok(const RelayOk& message, TimeMs now, RelayActions& out);

  // The relay refused this event until we authenticate: it keeps waiting, within its deadline. Needs awaits_answer(id).
  void await_auth(const EventId& id);
  bool awaits_auth() const;
  // Sends again what waits for authentication.
  void on_authenticated(TimeMs now, RelayActions& out);
  // Answers what waits for authentication.
  void on_auth_failed(const std::string& message, RelayActions& out);

  // Answers what is due by `at`: nothing can be sent before then.
  void fail_due(TimeMs at, const std::string& message, RelayActions& out);
  void fail_all(const std::string& message, RelayActions& out);

 private:
  struct Publication {
    EventId id;
    std::string json;
    TimeMs deadline;
    Stage stage = Stage::waiting;
  };

  std::deque<Publication>::iterator find(const EventId& id);
  void learn(std::string_view refusal, TimeMs now);
  void answer(const Publication& publication, bool accepted, std::string message, RelayActions& out);
  void fail_if(const std::function<bool(const Publication&)>& fails, const std::string& message, RelayActions& out);

  bool open_ = false;
  std::deque<Publication> queue_;
  std::size_t bytes_ = 0;  // of the JSON texts in the queue
  TimeMs slow_until_;
  TimeMs next_send_at_;
  RelayLimits limits_;
  unsigned asked_pow_ = 0;
};

}  // namespace nostr
