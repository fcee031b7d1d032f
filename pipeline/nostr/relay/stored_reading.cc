#include "pipeline/nostr/relay/stored_reading.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "pipeline/core/canary.h"
#include "pipeline/nostr/relay/filter.h"
#include "pipeline/nostr/relay/limits.h"

namespace nostr {

void StoredReading::on_event(const Event& event) {
  if (!matches_any(page_, event)) return;
  events_.insert(event.id);
  oldest_s_ = std::min(oldest_s_, event.created_at);
  newest_s_ = std::max(newest_s_, event.created_at);
}

bool StoredReading::next(PageSize& relay) {
  CHECK(!page_.empty() && (!second_ || page_.size() == 1), page_.size());
  const std::size_t read = std::exchange(events_, {}).size();
  const std::size_t count = read + unreadable_;
  const bool full = is_full(count, relay);
  relay.largest = std::max(relay.largest, count);
  if (second_) {
    if (full) divide(page_.front());
    return next_of_second();
  }
  if (count < kFullPage || !read_all_stored()) return false;
  if (read == 0) {  // nothing tells how far this page reaches
    unread_s_ = wanted_.front().since_s;
    return false;
  }
  if (oldest_s_ < newest_s_) return go_below(oldest_s_);  // that second once more: the page may have cut it
  if (core::canary(core::Canary::crowded_second_is_last)) return false;
  begin_second(oldest_s_, relay);
  return next_of_second();
}

// A relay may refuse a limit that it finds too high: the narrower pages do without one.
bool StoredReading::skip() {
  CHECK(can_skip() && page_.size() == 1, page_.size());
  Filter filter = std::move(page_.front());
  const bool had_limit = std::exchange(filter.limit, std::nullopt).has_value();
  if (had_limit) {
    divide(filter);
  } else {
    unread_s_ = second_;
  }
  return next_of_second();
}

// True if the relay was asked for all stored events since some time, so that older pages have to be read too.
bool StoredReading::read_all_stored() const {
  return std::ranges::all_of(wanted_, [](const Filter& f) { return f.since_s && !f.limit && f.ids.empty(); });
}

// True if the relay may have more events than it sent. It has not if it ever sent a clearly larger page (new events may
// have come among the stored ones of that page), or if it states that it sends as many as were asked for.
bool StoredReading::is_full(std::size_t count, const PageSize& relay) const {
  if (count < kFullPage || count < relay.largest * 3 / 4) return false;
  const auto limit = page_.front().limit;
  return !limit || !relay.max_limit || *limit > *relay.max_limit || count >= *limit;
}

void StoredReading::begin_second(std::int64_t second, const PageSize& relay) {
  second_ = second;
  for (Filter filter : wanted_) {
    filter.since_s = filter.until_s = second;
    filter.limit = std::min(relay.max_limit.value_or(kMaxPage), kMaxPage);
    waiting_.push_back(std::move(filter));
  }
}

bool StoredReading::next_of_second() {
  CHECK(second_);
  if (waiting_.empty()) {
    const std::int64_t below = *second_ - 1;
    second_.reset();
    return go_below(below);
  }
  ask({std::move(waiting_.front())});
  waiting_.pop_front();
  return true;
}

bool StoredReading::go_below(std::int64_t until_s) {
  std::vector<Filter> filters;
  for (Filter filter : wanted_) {
    CHECK(filter.since_s);  // read_all_stored() has seen it
    filter.until_s = until_s;
    if (*filter.since_s <= until_s) filters.push_back(std::move(filter));
  }
  if (filters.empty()) return false;
  ask(std::move(filters));
  return true;
}

// Asks for less than this filter at a time: one kind, then what is addressed to us, which is not all that was wanted.
void StoredReading::divide(const Filter& filter) {
  Filter part = filter;
  if (filter.kinds.size() > 1) {
    for (const auto kind : filter.kinds) {
      part.kinds = {kind};
      waiting_.push_back(part);
    }
    return;
  }
  unread_s_ = second_;
  if (!ours_ || std::ranges::find(filter.tags, ours_->first, &TagFilter::first) != filter.tags.end()) return;
  part.tags.push_back(*ours_);
  waiting_.push_back(std::move(part));
}

void StoredReading::ask(std::vector<Filter> filters) {
  page_ = std::move(filters);
  events_.clear();
  unreadable_ = 0;
  oldest_s_ = kMaxCreatedAtS;
  newest_s_ = 0;
}

}  // namespace nostr
