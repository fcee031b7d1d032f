#include "pipeline/nostr/relay/own_relays.h"

#include <algorithm>
#include <utility>

#include "pipeline/nostr/relay/filter.h"
#include "pipeline/nostr/relay/limits.h"

namespace nostr {
namespace {

// The ids of our subscriptions.
constexpr char kIntake[] = "in";
constexpr char kControl[] = "also";

std::optional<StoredReading::TagFilter> addressed_to(const std::optional<PublicKey>& us) {
  if (!us) return std::nullopt;
  return StoredReading::TagFilter{'p', {us->hex()}};
}

}  // namespace

void OwnRelays::add(const RelayUrl& url, RelayLinkHandlers handlers) {
  auto relay = std::make_shared<OwnRelay>(
      OwnRelay{.url = url.text(), .link = nullptr, .cursor = cursor_from(context_.options.clock()), .last_event = {}});
  if (!relays_.emplace(relay->url, relay).second) return;  // named twice
  const std::weak_ptr weak = relay;
  handlers.on_caught_up = [this, weak](const CaughtUp& all) { on_caught_up(*weak.lock(), all); };
  handlers.on_heard = [this, weak] { weak.lock()->cursor.on_heard(context_.options.clock()); };
  handlers.on_health = [weak, inner = std::move(handlers.on_health)](RelayState state, const std::string& reason) {
    if (state != RelayState::live) weak.lock()->cursor.on_gap();
    inner(state, reason);
  };
  relay->link = context_.ports.link(url, true, std::move(handlers));
}

void OwnRelays::start(const std::map<std::string, TimeMs>& cursors) {
  started_ = true;
  for (const auto& [url, relay] : relays_) {
    const auto known = cursors.find(url);
    relay->cursor = cursor_from(known == cursors.end() ? context_.options.clock() : known->second);
    if (context_.options.reads_at_once) subscribe_requests(relay);
    if (!watched_.empty()) subscribe_control(*relay->link);
    relay->link->start();
  }
}

void OwnRelays::read(const std::string& url) {
  const auto found = relays_.find(url);
  if (found != relays_.end()) subscribe_requests(found->second);
}

void OwnRelays::subscribe_requests(const std::shared_ptr<OwnRelay>& relay) {
  if (std::exchange(relay->is_read, true)) return;
  std::size_t number = 0;
  for (const Filter& whole : context_.options.wanted) {
    for (const Filter& part : split_kinds(whole, kMaxKindsPerFilter)) {
      const std::string id = number == 0 ? kIntake : kIntake + std::to_string(number);
      ++number;
      relay->link->subscribe(
          id, [this, part, weak = std::weak_ptr(relay)] { return std::vector<Filter>{requested(*weak.lock(), part)}; },
          {.ours = addressed_to(context_.options.us)});
    }
  }
}

// The cursor moves when the last of the subscriptions has caught up: the relay is live then.
void OwnRelays::on_caught_up(OwnRelay& relay, const CaughtUp& all) const {
  if (all.subscription == kControl) return;
  auto& unread_of_this = relay.unread_s[all.subscription];
  unread_of_this = all.unread_s;
  // What is not addressed to us is unread since the cursor with which it would have been asked for.
  if (all.narrowed) {
    const std::int64_t cursor_s = relay.cursor.value().ms / 1000;
    unread_of_this = std::min(unread_of_this.value_or(cursor_s), cursor_s);
  }
  if (relay.link->session().state() != RelayState::live) return;
  std::optional<std::int64_t> oldest_s;
  for (const auto& [id, unread_s] : relay.unread_s) {
    if (unread_s) oldest_s = std::min(oldest_s.value_or(*unread_s), *unread_s);
  }
  relay.cursor.on_caught_up(context_.options.clock(),
                            oldest_s ? std::optional(TimeMs{*oldest_s * 1000}) : std::nullopt);
}

base::Result<void> OwnRelays::watch(std::vector<Filter> filters) {
  std::size_t values = 0;
  for (const auto& filter : filters) {
    values += filter.ids.size() + filter.authors.size() + filter.kinds.size();
    for (const auto& [name, wanted] : filter.tags) values += wanted.size();
  }
  if (filters.size() > kMaxWatchFilters || values > kMaxWatchValues) {
    return base::fail(base::ErrorKind::invocation, "relay.watch",
                      "more is to be watched than relays take: " + std::to_string(filters.size()) + " filters with " +
                          std::to_string(values) + " values");
  }
  const bool same = req_message(kControl, filters) == req_message(kControl, watched_);
  watched_ = std::move(filters);
  if (same || !started_) return {};
  for (const auto& [url, relay] : relays_) subscribe_control(*relay->link);
  return {};
}

void OwnRelays::receive(const std::string& url, Deliver delivered) {
  const auto& relay = relays_.at(url);
  if (delivered.subscription == kControl) {
    intake_.take(relay, std::move(delivered), VerifiedIntake::Feed::control, watched_);
  } else {
    intake_.take(relay, std::move(delivered), VerifiedIntake::Feed::requests, context_.options.wanted);
  }
}

RelayLink* OwnRelays::find(const std::string& url) const {
  const auto found = relays_.find(url);
  return found == relays_.end() ? nullptr : found->second->link.get();
}

std::optional<TimeMs> OwnRelays::cursor(const std::string& url) const {
  const auto found = relays_.find(url);
  if (!started_ || found == relays_.end()) return std::nullopt;
  return found->second->cursor.value();
}

void OwnRelays::shut_down() {
  for (const auto& [url, relay] : relays_) relay->link->shut_down();
}

// A start in the future says nothing (since_s()): the relay is read as far back as we read at all.
IntakeCursor OwnRelays::cursor_from(TimeMs start) const {
  const TimeMs now = context_.options.clock();
  const std::int64_t max_age_ms = context_.options.limits.max_age_ms;
  return {start > now ? now - max_age_ms : start, max_age_ms};
}

Filter OwnRelays::requested(const OwnRelay& relay, Filter wanted) const {
  wanted.since_s = since_s(relay.cursor.value(), context_.options.limits, context_.options.clock());
  return wanted;
}

// Nothing that would be refused for its age, and one page only: the newest.
std::vector<Filter> OwnRelays::watched() const {
  auto filters = watched_;
  for (auto& filter : filters) {
    if (!filter.since_s) {
      filter.since_s = (context_.options.clock() - context_.options.limits.max_age_ms).ms / 1000;
    }
    if (!filter.limit) filter.limit = kMaxWatchStored;
  }
  return filters;
}

void OwnRelays::subscribe_control(RelayLink& link) {
  link.subscribe(kControl, [this] { return watched(); }, {.vital = false, .ours = addressed_to(context_.options.us)});
}

}  // namespace nostr
