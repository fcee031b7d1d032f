#include "pipeline/nostr/relay/query_answers.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "base/check.h"

namespace nostr {
namespace {

bool newest_first(const Event& a, const Event& b) {
  return std::tie(b.created_at, a.id) < std::tie(a.created_at, b.id);
}

}  // namespace

std::string QueryAnswers::begin(std::string url, std::size_t max_events, Done done) {
  auto id = "q" + std::to_string(++asked_);
  queries_.emplace(id, Query{.url = std::move(url), .max_events = max_events, .done = std::move(done)});
  return id;
}

bool QueryAnswers::expect(const std::string& id, std::size_t bytes) {
  Query& query = queries_.at(id);
  query.bytes += bytes;
  if (query.bytes > kMaxQueryBytes) return false;
  ++query.unverified;
  return true;
}

void QueryAnswers::verified(const std::string& id, std::optional<Event> event) {
  const auto found = queries_.find(id);
  if (found == queries_.end()) return;
  Query& query = found->second;
  CHECK(query.unverified > 0, id);
  --query.unverified;
  if (!event || std::ranges::find(query.events, event->id, &Event::id) != query.events.end()) return;
  query.events.push_back(std::move(*event));
}

void QueryAnswers::end(QueryEnd end) {
  Query& query = queries_.at(end.id);
  CHECK(!query.end, end.id);
  query.end = std::move(end);
}

std::optional<QueryAnswers::Complete> QueryAnswers::take(const std::string& id) {
  const auto found = queries_.find(id);
  if (found == queries_.end()) return std::nullopt;
  Query& query = found->second;
  if (!query.end || query.unverified > 0) return std::nullopt;
  std::string error = std::move(query.end->error);
  if (query.bytes > kMaxQueryBytes) error = "sent more than " + std::to_string(kMaxQueryBytes) + " bytes";
  Answer answer = std::move(query.events);
  if (!error.empty()) answer = base::fail(base::ErrorKind::connection, "relay.query", error, query.url);
  if (answer) {
    std::ranges::sort(*answer, newest_first);
    answer->resize(std::min(answer->size(), query.max_events));
  }
  Complete out{std::move(query.done), std::move(answer)};
  queries_.erase(found);
  return out;
}

std::vector<QueryAnswers::Complete> QueryAnswers::give_up(const std::string& message) {
  std::vector<Complete> out;
  for (auto& [id, query] : std::exchange(queries_, {})) {
    out.push_back({std::move(query.done), base::fail(base::ErrorKind::connection, "relay.query", message, query.url)});
  }
  return out;
}

}  // namespace nostr
