#include "pipeline/nostr/relay/verified_queries.h"

#include <utility>

namespace nostr {

std::optional<std::string> VerifiedQueries::refusal(const Filter& filter) const {
  if (!filter.limit || *filter.limit == 0 || *filter.limit > kMaxQueryEvents) {
    return "not asked: a query is for 1 to " + std::to_string(kMaxQueryEvents) + " events";
  }
  if (answers_.size() >= kMaxQueries) return "not asked: " + std::to_string(kMaxQueries) + " queries wait already";
  return std::nullopt;
}

void VerifiedQueries::ask(RelayLink& link, const std::string& url, const Filter& filter, Done done) {
  link.query(answers_.begin(url, filter.limit.value_or(0), std::move(done)), filter);
}

void VerifiedQueries::receive(const std::string& url, Deliver delivered) {
  if (!answers_.expect(delivered.subscription, delivered.raw.size())) return;
  auto event = std::make_shared<Event>(std::move(delivered.event));
  context_.verify(event, [this, id = std::move(delivered.subscription), url, event](std::optional<Refusal> reason) {
    if (reason) context_.blame(url);
    answers_.verified(id, reason ? std::nullopt : std::optional(std::move(*event)));
    answer_if_complete(id);
  });
}

void VerifiedQueries::end(const QueryEnd& end) {
  answers_.end(end);
  answer_if_complete(end.id);
}

void VerifiedQueries::answer_if_complete(const std::string& id) {
  if (auto complete = answers_.take(id)) answer(std::move(*complete));
}

void VerifiedQueries::shut_down() {
  for (auto& complete : answers_.give_up("shutting down")) answer(std::move(complete));
}

void VerifiedQueries::answer(QueryAnswers::Complete complete) {
  context_.later([complete = std::move(complete)]() mutable { complete.done(std::move(complete.answer)); });
}

}  // namespace nostr
