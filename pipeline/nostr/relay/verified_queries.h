// One-shot queries to any relay: what may be asked, and answers of which every event is verified. Pure.
#pragma once

#include <optional>
#include <string>

#include "pipeline/nostr/relay/hub_context.h"
#include "pipeline/nostr/relay/query_answers.h"

namespace nostr {

// Caps of what is asked, far below what relays take.
inline constexpr std::size_t kMaxQueries = 16;       // that wait for their answer; more are refused
inline constexpr std::size_t kMaxQueryEvents = 100;  // of one answer

class VerifiedQueries {
 public:
  using Done = QueryAnswers::Done;

  // `context` must outlive this.
  explicit VerifiedQueries(const HubContext& context) : context_(context) {}

  // Why this may not be asked now, for a person; nothing: it may.
  std::optional<std::string> refusal(const Filter& filter) const;
  // Asks the relay at `url`, to which `link` leads; needs !refusal(filter). `done` is called once, later.
  void ask(RelayLink& link, const std::string& url, const Filter& filter, Done done);

  bool contains(const std::string& id) const { return answers_.contains(id); }
  // An event of a query came from the relay at `url`; needs contains(delivered.subscription).
  void receive(const std::string& url, Deliver delivered);
  void end(const QueryEnd& end);
  // Fails the queries whose events are not verified yet. Call it after the links have shut down.
  void shut_down();

 private:
  void answer_if_complete(const std::string& id);
  void answer(QueryAnswers::Complete complete);

  const HubContext& context_;
  QueryAnswers answers_;
};

}  // namespace nostr
