// The stored events that one relay has for a subscription, read page by page from the newest to the oldest. A relay
// answers each REQ with as many stored events as it likes, the newest of those that match (NIP-01). The order of the
// events within a page does not matter.
//
// A page may be full of events of a single second, which no `until` can divide. That second is then asked for alone:
// first with a high limit, then one kind at a time, then only what is addressed to us. Reading goes on below that
// second in any case, so that a crowded second never hides older events. Pure.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "pipeline/nostr/messages.h"

namespace nostr {

// What is known of the largest answer that a relay gives to one REQ, in events. Kept over reconnects.
struct PageSize {
  std::size_t largest = 0;                 // that it ever sent
  std::optional<std::uint64_t> max_limit;  // that it states (NIP-11)
};

class StoredReading {
 public:
  using TagFilter = std::pair<char, std::vector<std::string>>;

  StoredReading() = default;
  // Reads what matches `wanted`. `ours` narrows a filter to what matters most, for a second that is too crowded to be
  // read whole: {'p', {our key}}; nothing: there is no such filter.
  StoredReading(std::vector<Filter> wanted, std::optional<TagFilter> ours)
      : wanted_(std::move(wanted)), ours_(std::move(ours)), page_(wanted_) {}

  // The filters of the page that is being read.
  const std::vector<Filter>& page() const { return page_; }
  // An event of this page came. One that the page's filters do not match is ignored.
  void on_event(const Event& event);
  // One came that could not be read. It counts: a page of such events is no shorter than another.
  void on_unreadable() { ++unreadable_; }
  // The page has ended. Returns true if page() is another one now, which has to be asked for; false if all is read.
  bool next(PageSize& relay);
  // True if the relay may refuse this page, or leave it unanswered, without harm to the rest: call skip() then.
  bool can_skip() const { return second_.has_value(); }
  // As next(), for a page that the relay did not send. Needs can_skip().
  bool skip();

  // The oldest second of which the relay may have matching events that it did not send. After a full page without any
  // readable event, this is the `since` of the filters. Nothing: everything was read.
  std::optional<std::int64_t> unread_s() const { return unread_s_; }

 private:
  bool read_all_stored() const;
  bool is_full(std::size_t count, const PageSize& relay) const;
  void begin_second(std::int64_t second, const PageSize& relay);
  bool next_of_second();
  bool go_below(std::int64_t until_s);
  void divide(const Filter& filter);
  void ask(std::vector<Filter> filters);

  std::vector<Filter> wanted_;
  std::optional<TagFilter> ours_;
  std::vector<Filter> page_;
  std::unordered_set<EventId, base::FixedBytesHash> events_;  // of this page, as are the next three
  std::size_t unreadable_ = 0;
  std::int64_t oldest_s_ = kMaxCreatedAtS;
  std::int64_t newest_s_ = 0;
  std::optional<std::int64_t> second_;  // that is being read alone
  std::deque<Filter> waiting_;          // pages of that second
  std::optional<std::int64_t> unread_s_;
};

}  // namespace nostr
