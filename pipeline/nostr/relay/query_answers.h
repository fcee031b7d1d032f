// Collects the answers of relays to one-shot queries. An answer is complete when the relay has ended it and each of its
// events is verified. Pure.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "pipeline/nostr/relay/actions.h"

namespace nostr {

inline constexpr std::size_t kMaxQueryBytes = 2 * 1024 * 1024;  // of one answer

class QueryAnswers {
 public:
  using Answer = base::Result<std::vector<Event>>;
  using Done = std::function<void(Answer)>;
  struct Complete {
    Done done;
    Answer answer;
  };

  std::size_t size() const { return queries_.size(); }
  bool contains(const std::string& id) const { return queries_.contains(id); }

  // Returns the id of a new query to the relay at `url`, whose answer has at most `max_events`: the newest.
  std::string begin(std::string url, std::size_t max_events, Done done);
  // An event of `bytes` bytes came. Returns true if it is to be verified; the caller then calls verified() once.
  // Returns false if the answer is too long already.
  bool expect(const std::string& id, std::size_t bytes);
  // An expected event was verified; nothing: it was forged. An event that came before is kept once. Ignored if the
  // query was given up meanwhile.
  void verified(const std::string& id, std::optional<Event> event);
  void end(QueryEnd end);
  // Returns the answer, and forgets the query, once the relay has ended it and every event is verified. The newest
  // event comes first. If the relay refused the query or the answer is too long, it fails with "relay.query".
  std::optional<Complete> take(const std::string& id);
  // Forgets every query; each answer fails with this message.
  std::vector<Complete> give_up(const std::string& message);

 private:
  struct Query {
    std::string url;
    std::size_t max_events = 0;
    Done done;
    std::vector<Event> events;  // verified
    std::size_t bytes = 0;
    std::size_t unverified = 0;
    std::optional<QueryEnd> end;  // the relay's
  };

  std::map<std::string, Query> queries_;
  std::uint64_t asked_ = 0;
};

}  // namespace nostr
