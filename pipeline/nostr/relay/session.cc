#include "pipeline/nostr/relay/session.h"

#include <utility>

#include "pipeline/nostr/relay/timing.h"

namespace nostr {

using Link = Connection::Link;

RelaySession::RelaySession(RelaySessionOptions options)
    : persistent_(options.persistent),
      max_frame_bytes_(options.max_frame_bytes),
      connection_(options.random),
      parts_{.subscriptions = Subscriptions(std::move(options.random)),
             .auth = Authentication(std::move(options.url), std::move(options.sign_auth))} {}

// ---- what the adapter reports ---------------------------------------------------------------------------------------

RelayActions RelaySession::start(TimeMs now) {
  RelayActions out;
  if (connection_.is_at_rest() && is_wanted()) dial(now, out);
  return out;
}

RelayActions RelaySession::on_open(TimeMs now) {
  RelayActions out;
  if (connection_.link() != Link::dialling) return out;
  connection_.on_open(now, out);
  parts_.last_work = now;
  parts_.misbehaviour.on_open();
  parts_.auth.on_open();
  parts_.subscriptions.on_open(now, out);
  parts_.queries.on_open(out);
  parts_.publications.on_open(now, out);
  parts_.show_open({}, out);
  return out;
}

RelayActions RelaySession::on_frame(std::optional<std::string_view> frame, TimeMs now) {
  RelayActions out;
  if (!connection_.is_open()) return out;
  connection_.on_heard(now);
  if (!frame) {
    parts_.subscriptions.on_unreadable(now);
  } else if (const auto ending = Receiver(parts_, now, out).receive(*frame, max_frame_bytes_)) {
    out.push_back(HangUp{});
    lose(*ending, now, out);
  }
  return out;
}

RelayActions RelaySession::on_useless(Useless what, TimeMs now) {
  RelayActions out;
  if (!connection_.is_open()) return out;
  auto& misbehaviour = parts_.misbehaviour;
  const auto ending = what == Useless::junk ? misbehaviour.on_junk(now) : misbehaviour.on_chatter(now);
  if (!ending) return out;
  out.push_back(HangUp{});
  lose(*ending, now, out);
  return out;
}

RelayActions RelaySession::on_pong(TimeMs now) {
  if (!connection_.is_open()) return {};
  const bool was_awaited = connection_.awaits_pong();
  connection_.on_pong(now);
  return was_awaited ? RelayActions() : on_useless(Useless::chatter, now);
}

RelayActions RelaySession::on_closed(const std::string& reason, TimeMs now) {
  RelayActions out;
  if (connection_.link() != Link::down) lose({reason}, now, out);
  return out;
}

RelayActions RelaySession::on_forbidden(const std::string& reason, TimeMs now) {
  RelayActions out;
  if (connection_.link() == Link::down) return out;
  lose({reason}, now, out);
  connection_.postpone_redial(now);
  parts_.publications.fail_all(reason, out);
  parts_.queries.fail_all(reason, out);
  return out;
}

RelayActions RelaySession::on_tick(TimeMs now) {
  RelayActions out;
  parts_.publications.fail_overdue(now, reason(), out);
  parts_.queries.fail_overdue(now, reason(), out);
  if (connection_.is_redial_due(now)) {
    if (is_wanted()) dial(now, out);
  } else if (const auto ending = connection_.overdue(now)) {
    out.push_back(HangUp{});
    lose(*ending, now, out);
  } else if (connection_.is_open() && !is_wanted() && now >= parts_.last_work + kIdleMs) {
    connection_.rest(out);
    parts_.subscriptions.on_lost();
    parts_.queries.on_lost();
    parts_.publications.on_lost();
    parts_.auth.on_lost();
    parts_.health.set(RelayState::idle, "", out);
  } else if (connection_.is_open()) {
    connection_.ping_if_silent(now, out);
    const auto what = parts_.subscriptions.on_tick(now, parts_.notices, out);
    parts_.show_open(what.value_or(""), out);
    parts_.publications.send(now, out);
  }
  return out;
}

std::optional<TimeMs> RelaySession::wake_at() const {
  auto wake = connection_.wake_at(is_wanted());
  wake_by(wake, parts_.publications.wake_at());
  wake_by(wake, parts_.queries.wake_at());
  wake_by(wake, parts_.subscriptions.wake_at());
  if (connection_.is_open() && !is_wanted()) wake_by(wake, parts_.last_work + kIdleMs);
  return wake;
}

RelayActions RelaySession::shut_down() {
  RelayActions out;
  parts_.publications.fail_all("shutting down", out);
  parts_.queries.fail_all("shutting down", out);
  parts_.subscriptions.clear();
  connection_.shut_down(out);
  parts_.health.set(RelayState::idle, "shut down", out);
  return out;
}

// ---- what its user asks for -----------------------------------------------------------------------------------------

RelayActions RelaySession::subscribe(const std::string& id, FilterSource filters, TimeMs now,
                                     Subscriptions::Options options) {
  RelayActions out;
  if (connection_.is_shut_down()) return out;
  parts_.last_work = now;
  if (parts_.subscriptions.subscribe(id, std::move(filters), std::move(options), now, out)) {
    parts_.show_open({}, out);
  }
  if (connection_.is_at_rest() && !persistent_) dial(now, out);
  return out;
}

RelayActions RelaySession::unsubscribe(const std::string& id, TimeMs now) {
  RelayActions out;
  if (!parts_.subscriptions.unsubscribe(id, out)) return out;
  parts_.last_work = now;
  if (connection_.is_open()) parts_.show_open({}, out);
  return out;
}

RelayActions RelaySession::publish(EventId id, std::string event_json, TimeMs now) {
  RelayActions out;
  if (parts_.publications.contains(id)) return out;
  auto refusal = parts_.publications.refusal(event_json);
  if (refusal.empty()) refusal = connection_.unreachable_until(now + kPublishTimeoutMs, now, reason());
  if (!refusal.empty()) {
    out.push_back(PublishAnswer{id, false, std::move(refusal)});
    return out;
  }
  parts_.last_work = now;
  parts_.publications.add(id, std::move(event_json), now, out);
  if (connection_.is_at_rest() || connection_.is_redial_due(now)) dial(now, out);
  return out;
}

RelayActions RelaySession::query(const std::string& id, const Filter& filter, TimeMs now) {
  RelayActions out;
  if (auto why = connection_.unreachable_until(now + kQueryTimeoutMs, now, reason()); !why.empty()) {
    out.push_back(QueryEnd{id, std::move(why)});
    return out;
  }
  parts_.last_work = now;
  parts_.queries.add(id, filter, now, out);
  if (connection_.is_at_rest() || connection_.is_redial_due(now)) dial(now, out);
  return out;
}

bool RelaySession::has_work() const {
  return !parts_.publications.empty() || !parts_.queries.empty() || !parts_.subscriptions.empty();
}

// ---- the connection -------------------------------------------------------------------------------------------------

bool RelaySession::is_wanted() const {
  return !connection_.is_shut_down() && (persistent_ || has_work());
}

void RelaySession::dial(TimeMs now, RelayActions& out) {
  connection_.dial(now, out);
  parts_.health.set(RelayState::connecting, reason(), out);
}

// What waits is kept if the next connection comes in time for it; the rest is answered.
void RelaySession::lose(const Ending& ending, TimeMs now, RelayActions& out) {
  const TimeMs redial_at = connection_.lose(now, ending.min_backoff_ms);
  parts_.auth.on_lost();
  parts_.subscriptions.on_lost();
  parts_.publications.on_lost();
  parts_.queries.on_lost();
  parts_.publications.fail_due(redial_at, ending.reason, out);
  parts_.queries.fail_due(redial_at, ending.reason, out);
  parts_.health.set(RelayState::offline, ending.reason, out);
}

}  // namespace nostr
