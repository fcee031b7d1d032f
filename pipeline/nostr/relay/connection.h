// The connection to one relay: when it is dialled, whether it still answers, and how long to wait after it was lost.
// The owner decides whether a connection is wanted and carries the news to the other parts of the session. Pure;
// functions that take `out` append their actions to it.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "pipeline/nostr/relay/actions.h"
#include "pipeline/nostr/relay/limits.h"

namespace nostr {

class Connection {
 public:
  enum class Link { down, dialling, open };

  // `random`: uniform in [0, 1), for the back-off.
  explicit Connection(std::function<double()> random) : random_(std::move(random)) {}

  Link link() const { return link_; }
  bool is_open() const { return link_ == Link::open; }
  // True if the connection is down and nothing has failed since it was last open: no redial is scheduled.
  bool is_at_rest() const { return link_ == Link::down && !redial_at_; }
  // True if a connection that failed may be tried again.
  bool is_redial_due(TimeMs now) const { return link_ == Link::down && redial_at_ && now >= *redial_at_; }
  // Returns why nothing can be sent before the deadline, as the message for the caller of publish() or query(); "" if
  // sending is possible. `reason`: why the relay is offline.
  std::string unreachable_until(TimeMs deadline, TimeMs now, const std::string& reason) const;

  // Needs the connection to be down.
  void dial(TimeMs now, RelayActions& out);
  // Needs a dial. Pings: the answer gives the latency.
  void on_open(TimeMs now, RelayActions& out);
  // The relay sent something.
  void on_heard(TimeMs now) { last_heard_ = now; }
  void on_pong(TimeMs now);
  // True if a ping of ours has no answer yet.
  bool awaits_pong() const { return pinged_at_.has_value(); }
  // Why the connection has to be given up (no answer to the dial or to a ping), or nothing.
  std::optional<Ending> overdue(TimeMs now) const;
  void ping_if_silent(TimeMs now, RelayActions& out);
  // When overdue() or ping_if_silent() has something to do, or the redial is due; else nothing.
  std::optional<TimeMs> wake_at(bool wanted) const;

  // The connection or the dial ended. Schedules the redial after the back-off, and no sooner than after
  // `min_backoff_ms`; returns its time.
  TimeMs lose(TimeMs now, std::int64_t min_backoff_ms);
  // After lose(): there is no point in trying soon.
  void postpone_redial(TimeMs now) { redial_at_ = now + kMaxBackoffMs; }
  // Leaves a relay for which there is nothing to do.
  void rest(RelayActions& out);
  // Ends the connection for good: unreachable_until() always has a reason from now on.
  void shut_down(RelayActions& out);
  bool is_shut_down() const { return shut_down_; }

  // Round trip of the last ping.
  std::optional<std::int64_t> latency_ms() const { return latency_ms_; }
  // When the relay last gave a sign of life on this connection.
  TimeMs last_heard() const { return last_heard_; }

 private:
  void ping(TimeMs now, RelayActions& out);

  std::function<double()> random_;
  Link link_ = Link::down;
  bool shut_down_ = false;
  TimeMs dialled_at_;
  TimeMs opened_at_;
  TimeMs last_heard_;
  std::optional<TimeMs> pinged_at_;  // a ping that has no answer yet
  std::optional<TimeMs> redial_at_;
  std::optional<std::int64_t> latency_ms_;
  unsigned failures_ = 0;  // in a row
};

}  // namespace nostr
