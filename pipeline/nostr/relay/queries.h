// One-shot queries: each asks one relay once for stored events (a REQ that ends with its EOSE), with at most
// kMaxKindsPerFilter kinds in each of its filters. Each is answered by exactly one QueryEnd, kQueryTimeoutMs after
// add() at the latest, if fail_overdue() is called no later than wake_at(). What came until then counts: only a query
// without events ends with an error. Pure; each function appends its actions to `out`.
#pragma once

#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "pipeline/nostr/messages.h"
#include "pipeline/nostr/relay/actions.h"
#include "pipeline/nostr/relay/limits.h"

namespace nostr {

class Queries {
 public:
  bool empty() const { return queries_.empty(); }
  bool contains(std::string_view id) const;
  // Needs !contains(id) and a filter with a limit. The filter is split into parts of at most kMaxKindsPerFilter kinds.
  // On each connection, at most the limit times the number of parts is delivered. Sends the query at once, or when the
  // connection opens.
  void add(const std::string& id, const Filter& filter, TimeMs now, RelayActions& out);

  void on_open(RelayActions& out);
  // Asks everything again, from the start, on the next connection.
  void on_lost();
  // Ends what is overdue. `reason`: why the relay is not live, for the message; may be empty.
  void fail_overdue(TimeMs now, const std::string& reason, RelayActions& out);
  // When fail_overdue() has something to do, or nothing.
  std::optional<TimeMs> wake_at() const;

  // Delivers an event that a query asked for: takes it out of the message and returns true. Else the message is left as
  // it was: no query has this id, its filter does not match, or it has as many events as it asked for.
  // A query that has all events that it asked for ends without waiting for more.
  bool on_event(RelayEvent& message, RelayActions& out);
  // The next three need contains(id).
  void on_eose(std::string_view id, RelayActions& out);
  void on_closed(const RelayClosed& message, RelayActions& out);
  // The relay refused this query until we authenticate: it keeps waiting, within its deadline.
  void await_auth(std::string_view id);

  bool awaits_auth() const;
  // Asks again what waits for authentication.
  void on_authenticated(RelayActions& out);
  // Ends what waits for authentication.
  void on_auth_failed(const std::string& message, RelayActions& out);

  // Ends the queries whose deadline is not after `at`, because the relay cannot be asked before then.
  void fail_due(TimeMs at, const std::string& message, RelayActions& out);
  // Ends everything with an error: what came does not count any more.
  void fail_all(const std::string& message, RelayActions& out);

 private:
  struct Query {
    std::string id;
    std::vector<Filter> filters;
    std::uint64_t max_events = 0;  // of all filters together
    TimeMs deadline;
    Stage stage = Stage::waiting;
    std::uint64_t events = 0;  // delivered on this connection
    bool has_events = false;   // on any connection
  };

  std::deque<Query>::iterator find(std::string_view id);
  void send_waiting(RelayActions& out);
  void end(std::string_view id, std::string error, RelayActions& out);
  void fail_if(const std::function<bool(const Query&)>& fails, const std::string& message, RelayActions& out);

  bool open_ = false;
  std::deque<Query> queries_;
};

}  // namespace nostr
