#include "pipeline/nostr/relay/connection.h"

#include <algorithm>

#include "base/check.h"
#include "pipeline/nostr/relay/timing.h"

namespace nostr {

std::string Connection::unreachable_until(TimeMs deadline, TimeMs now, const std::string& reason) const {
  if (shut_down_) return "shutting down";
  if (link_ != Link::down || !redial_at_ || *redial_at_ < deadline) return {};
  return "not sent: " + reason + "; next try in " + in_seconds(*redial_at_ - now);
}

void Connection::dial(TimeMs now, RelayActions& out) {
  CHECK(link_ == Link::down && !shut_down_, link_, shut_down_);
  link_ = Link::dialling;
  dialled_at_ = now;
  out.push_back(Dial{});
}

void Connection::on_open(TimeMs now, RelayActions& out) {
  CHECK(link_ == Link::dialling, link_);
  link_ = Link::open;
  opened_at_ = last_heard_ = now;
  redial_at_.reset();
  ping(now, out);
}

void Connection::on_pong(TimeMs now) {
  last_heard_ = now;
  if (pinged_at_) latency_ms_ = now - *pinged_at_;
  pinged_at_.reset();
}

std::optional<Ending> Connection::overdue(TimeMs now) const {
  if (link_ == Link::dialling && now >= dialled_at_ + kDialTimeoutMs) return Ending{no_answer_within(kDialTimeoutMs)};
  if (link_ == Link::open && pinged_at_ && now >= *pinged_at_ + kPongTimeoutMs) {
    return Ending{"no answer to a ping within " + in_seconds(kPongTimeoutMs)};
  }
  return std::nullopt;
}

void Connection::ping_if_silent(TimeMs now, RelayActions& out) {
  if (link_ == Link::open && !pinged_at_ && now >= last_heard_ + kPingIntervalMs) ping(now, out);
}

std::optional<TimeMs> Connection::wake_at(bool wanted) const {
  switch (link_) {
    case Link::down:
      return wanted ? redial_at_ : std::nullopt;
    case Link::dialling:
      return dialled_at_ + kDialTimeoutMs;
    case Link::open:
      return pinged_at_ ? *pinged_at_ + kPongTimeoutMs : last_heard_ + kPingIntervalMs;
  }
  return std::nullopt;
}

TimeMs Connection::lose(TimeMs now, std::int64_t min_backoff_ms) {
  CHECK(link_ != Link::down);
  const bool was_stable = link_ == Link::open && now >= opened_at_ + kStableMs;
  failures_ = was_stable ? 1 : failures_ + 1;
  link_ = Link::down;
  pinged_at_.reset();
  redial_at_ = now + std::max(min_backoff_ms, backoff_ms(failures_, random_()));
  return *redial_at_;
}

void Connection::rest(RelayActions& out) {
  CHECK(link_ == Link::open, link_);
  out.push_back(HangUp{});
  link_ = Link::down;
  failures_ = 0;
  pinged_at_.reset();
}

void Connection::shut_down(RelayActions& out) {
  if (link_ != Link::down) out.push_back(HangUp{});
  link_ = Link::down;
  redial_at_.reset();
  shut_down_ = true;
}

void Connection::ping(TimeMs now, RelayActions& out) {
  CHECK(link_ == Link::open && !pinged_at_, link_);
  pinged_at_ = now;
  out.push_back(SendPing{});
}

}  // namespace nostr
