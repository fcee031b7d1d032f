#include "pipeline/nostr/relay/publications.h"

#include <utility>

#include "base/check.h"
#include "pipeline/nostr/relay/timing.h"

namespace nostr {

bool Publications::contains(const EventId& id) const {
  return std::ranges::find(queue_, id, &Publication::id) != queue_.end();
}

std::string Publications::refusal(std::string_view event_json) const {
  if (queue_.size() >= kMaxPublications || bytes_ + event_json.size() > kMaxPublicationBytes) {
    return "not sent: " + std::to_string(queue_.size()) + " events wait for this relay already";
  }
  if (limits_.max_message_length && event_message(event_json).size() > *limits_.max_message_length) {
    return too_long_for_relay(*limits_.max_message_length);
  }
  return {};
}

void Publications::add(EventId id, std::string event_json, TimeMs now, RelayActions& out) {
  CHECK(!contains(id) && queue_.size() < kMaxPublications, queue_.size());
  bytes_ += event_json.size();
  queue_.push_back({.id = id, .json = std::move(event_json), .deadline = now + kPublishTimeoutMs});
  send(now, out);
}

void Publications::on_open(TimeMs now, RelayActions& out) {
  open_ = true;
  send(now, out);
}

void Publications::on_lost() {
  open_ = false;
  for (auto& publication : queue_) publication.stage = Stage::waiting;
}

void Publications::fail_overdue(TimeMs now, const std::string& reason, RelayActions& out) {
  if (open_) {
    fail_if([&](const Publication& p) { return now >= p.deadline && p.stage == Stage::waiting; },
            "rate-limited: not sent, the relay takes our events slowly", out);
  }
  fail_due(now, no_answer_within(kPublishTimeoutMs, reason), out);
}

void Publications::send(TimeMs now, RelayActions& out) {
  if (!open_) return;
  for (auto& publication : queue_) {
    if (publication.stage != Stage::waiting) continue;
    if (now < next_send_at_) return;
    if (now < slow_until_) next_send_at_ = now + kSlowPaceMs;
    publication.stage = Stage::sent;
    out.push_back(SendFrame{event_message(publication.json), publication.id});
  }
}

std::optional<TimeMs> Publications::wake_at() const {
  std::optional<TimeMs> wake;
  for (const auto& publication : queue_) {
    wake_by(wake, publication.deadline);
    if (open_ && publication.stage == Stage::waiting) wake_by(wake, next_send_at_);
  }
  return wake;
}

bool Publications::awaits_answer(const EventId& id) const {
  const auto found = std::ranges::find(queue_, id, &Publication::id);
  return found != queue_.end() && found->stage != Stage::waiting;
}

void Publications::on_ok(const RelayOk& message, TimeMs now, RelayActions& out) {
  const auto publication = find(message.event);
  CHECK(publication != queue_.end() && publication->stage != Stage::waiting);
  const bool accepted = message.accepted || machine_word(message.message) == "duplicate";
  if (!accepted) learn(message.message, now);
  answer(*publication, accepted, message.message, out);
  queue_.erase(publication);
  CHECK(!queue_.empty() || bytes_ == 0, bytes_);
}

void Publications::await_auth(const EventId& id) {
  const auto publication = find(id);
  CHECK(publication != queue_.end() && publication->stage != Stage::waiting);
  publication->stage = Stage::refused;
}

bool Publications::awaits_auth() const {
  return std::ranges::find(queue_, Stage::refused, &Publication::stage) != queue_.end();
}

void Publications::on_authenticated(TimeMs now, RelayActions& out) {
  for (auto& publication : queue_) {
    if (publication.stage == Stage::refused) publication.stage = Stage::waiting;
  }
  send(now, out);
}

void Publications::on_auth_failed(const std::string& message, RelayActions& out) {
  fail_if([](const Publication& p) { return p.stage == Stage::refused; }, message, out);
}

void Publications::fail_due(TimeMs at, const std::string& message, RelayActions& out) {
  fail_if([&](const Publication& p) { return at >= p.deadline; }, message, out);
}

void Publications::fail_all(const std::string& message, RelayActions& out) {
  fail_if([](const Publication&) { return true; }, message, out);
}

std::deque<Publications::Publication>::iterator Publications::find(const EventId& id) {
  return std::ranges::find(queue_, id, &Publication::id);
}

// What a refusal means for the events to come.
void Publications::learn(std::string_view refusal, TimeMs now) {
  const Rejection why = rejection(refusal);
  if (why == Rejection::too_fast) {
    slow_until_ = now + kSlowMs;
    next_send_at_ = now + kSlowPaceMs;
  }
  if (why == Rejection::needs_work) asked_pow_ = work_asked(refusal).value_or(asked_pow_);
}

// The caller removes the publication from the queue.
void Publications::answer(const Publication& publication, bool accepted, std::string message, RelayActions& out) {
  CHECK(bytes_ >= publication.json.size(), bytes_, publication.json.size());
  bytes_ -= publication.json.size();
  out.push_back(PublishAnswer{publication.id, accepted, std::move(message)});
}

void Publications::fail_if(const std::function<bool(const Publication&)>& fails, const std::string& message,
                           RelayActions& out) {
  std::erase_if(queue_, [&](const Publication& publication) {
    if (!fails(publication)) return false;
    answer(publication, false, message, out);
    return true;
  });
}

}  // namespace nostr
