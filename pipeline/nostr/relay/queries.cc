#include "pipeline/nostr/relay/queries.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "pipeline/nostr/relay/filter.h"
#include "pipeline/nostr/relay/timing.h"

namespace nostr {

bool Queries::contains(std::string_view id) const {
  return std::ranges::find(queries_, id, &Query::id) != queries_.end();
}

void Queries::add(const std::string& id, const Filter& filter, TimeMs now, RelayActions& out) {
  auto filters = split_kinds(filter, kMaxKindsPerFilter);
  const std::uint64_t max_events = filter.limit.value_or(0) * filters.size();
  queries_.push_back(
      {.id = id, .filters = std::move(filters), .max_events = max_events, .deadline = now + kQueryTimeoutMs});
  send_waiting(out);
}

void Queries::on_open(RelayActions& out) {
  open_ = true;
  send_waiting(out);
}

void Queries::on_lost() {
  open_ = false;
  for (auto& query : queries_) query.stage = Stage::waiting;
}

void Queries::fail_overdue(TimeMs now, const std::string& reason, RelayActions& out) {
  fail_due(now, no_answer_within(kQueryTimeoutMs, reason), out);
}

std::optional<TimeMs> Queries::wake_at() const {
  std::optional<TimeMs> wake;
  for (const auto& query : queries_) wake_by(wake, query.deadline);
  return wake;
}

bool Queries::on_event(RelayEvent& message, RelayActions& out) {
  const auto query = find(message.subscription);
  if (query == queries_.end() || query->events >= query->max_events || !matches_any(query->filters, message.event)) {
    return false;
  }
  ++query->events;
  query->has_events = true;
  out.push_back(Deliver{query->id, std::move(message.event), std::string(message.raw)});
  if (query->events == query->max_events) on_eose(query->id, out);
  return true;
}

void Queries::on_eose(std::string_view id, RelayActions& out) {
  out.push_back(SendFrame{close_message(id)});
  end(id, {}, out);
}

void Queries::on_closed(const RelayClosed& message, RelayActions& out) {
  end(message.subscription, "closed by the relay: " + message.message, out);
}

void Queries::await_auth(std::string_view id) {
  const auto query = find(id);
  CHECK(query != queries_.end());
  query->stage = Stage::refused;
}

bool Queries::awaits_auth() const {
  return std::ranges::find(queries_, Stage::refused, &Query::stage) != queries_.end();
}

void Queries::on_authenticated(RelayActions& out) {
  for (auto& query : queries_) {
    if (query.stage == Stage::refused) query.stage = Stage::waiting;
  }
  send_waiting(out);
}

void Queries::on_auth_failed(const std::string& message, RelayActions& out) {
  fail_if([](const Query& query) { return query.stage == Stage::refused; }, message, out);
}

void Queries::fail_due(TimeMs at, const std::string& message, RelayActions& out) {
  fail_if([&](const Query& query) { return at >= query.deadline; }, message, out);
}

void Queries::fail_all(const std::string& message, RelayActions& out) {
  for (auto& query : queries_) query.has_events = false;
  fail_if([](const Query&) { return true; }, message, out);
}

std::deque<Queries::Query>::iterator Queries::find(std::string_view id) {
  return std::ranges::find(queries_, id, &Query::id);
}

void Queries::send_waiting(RelayActions& out) {
  if (!open_) return;
  for (auto& query : queries_) {
    if (query.stage != Stage::waiting) continue;
    query.stage = Stage::sent;
    query.events = 0;
    out.push_back(SendFrame{req_message(query.id, query.filters)});
  }
}

void Queries::end(std::string_view id, std::string error, RelayActions& out) {
  const auto query = find(id);
  CHECK(query != queries_.end());
  out.push_back(QueryEnd{query->id, query->has_events ? std::string() : std::move(error)});
  queries_.erase(query);
}

void Queries::fail_if(const std::function<bool(const Query&)>& fails, const std::string& message, RelayActions& out) {
  std::erase_if(queries_, [&](const Query& query) {
    if (!fails(query)) return false;
    if (query.stage == Stage::sent) out.push_back(SendFrame{close_message(query.id)});
    out.push_back(QueryEnd{query.id, query.has_events ? std::string() : message});
    return true;
  });
}

}  // namespace nostr
