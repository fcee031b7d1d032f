#include "pipeline/nostr/relay/subscriptions.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "pipeline/core/canary.h"
#include "pipeline/nostr/relay/timing.h"

namespace nostr {
namespace {

constexpr char kOlderPage = '~';  // in wire ids, before the number of a page of older stored events

// Whether each of these filters has this tag.
bool all_have(const std::vector<Filter>& filters, char tag) {
  return std::ranges::all_of(filters, [tag](const Filter& filter) {
    return std::ranges::find(filter.tags, tag, &StoredReading::TagFilter::first) != filter.tags.end();
  });
}

// Restricts those that do not have that tag to it.
std::vector<Filter> narrowed(std::vector<Filter> filters, const StoredReading::TagFilter& ours) {
  for (Filter& filter : filters) {
    if (!all_have({filter}, ours.first)) filter.tags.push_back(ours);
  }
  return filters;
}

}  // namespace

bool Subscriptions::all_live() const {
  return std::ranges::all_of(subscriptions_,
                             [](const auto& s) { return s.second.caught_up || !s.second.options.vital; });
}

std::string Subscriptions::warning() const {
  for (const auto& [id, subscription] : subscriptions_) {
    if (!subscription.filter_refusal.empty() && subscription.options.vital) {
      return "sends us only what is addressed to us: it does not take the whole filter (" +
             subscription.filter_refusal + ")";
    }
    const auto unread_s = subscription.reading.unread_s();
    if (!subscription.caught_up || !unread_s) continue;
    return "cannot be read whole: it has more events of one second (created_at " + std::to_string(*unread_s) +
           ") than it sends";
  }
  return {};
}

bool Subscriptions::subscribe(const std::string& id, FilterSource filters, Options options, TimeMs now,
                              RelayActions& out) {
  auto& subscription = subscriptions_[id];
  subscription.filters = std::move(filters);
  subscription.options = std::move(options);
  if (!open_ || subscription.retry_at) return false;
  const TimeMs due = std::min(subscription.asked_at, now) + kResubscribeMs;
  if (now >= due) {
    open(id, subscription, now, out);
  } else {
    subscription.retry_at = due;
  }
  return true;
}

bool Subscriptions::unsubscribe(const std::string& id, RelayActions& out) {
  if (subscriptions_.erase(id) == 0) return false;
  if (open_) out.push_back(SendFrame{close_message(id)});
  return true;
}

void Subscriptions::on_open(TimeMs now, RelayActions& out) {
  open_ = true;
  for (auto& [id, subscription] : subscriptions_) open(id, subscription, now, out);
}

void Subscriptions::on_lost() {
  open_ = false;
  for (auto& [id, subscription] : subscriptions_) {
    subscription.stage = Stage::waiting;
    subscription.caught_up = false;
    subscription.retry_at.reset();
    subscription.filter_refusal.clear();
  }
}

std::optional<std::string> Subscriptions::on_tick(TimeMs now, const Notices& notices, RelayActions& out) {
  std::optional<std::string> what;
  for (auto& [id, subscription] : subscriptions_) {
    if (subscription.retry_at && now >= *subscription.retry_at) {
      open(id, subscription, now, out);
    } else if (subscription.reads_page() && now >= subscription.page_deadline) {
      if (subscription.page_id != id) out.push_back(SendFrame{close_message(subscription.page_id)});
      if (subscription.reading.can_skip()) {
        go_on(id, subscription, subscription.reading.skip(), now, out);
      } else if (narrow(subscription, notices.since(subscription.asked_at), out)) {
        open(id, subscription, now, out);
      } else {
        const std::string told = notices.last().empty() ? "" : "its last notice: " + notices.last();
        what = back_off(subscription, "subscription: " + no_answer_within(kPageTimeoutMs, told), now, out);
      }
    }
  }
  return what;
}

std::optional<TimeMs> Subscriptions::wake_at() const {
  std::optional<TimeMs> wake;
  for (const auto& [id, subscription] : subscriptions_) {
    wake_by(wake, subscription.retry_at);
    if (subscription.reads_page()) wake_by(wake, subscription.page_deadline);
  }
  return wake;
}

bool Subscriptions::on_event(RelayEvent& message, TimeMs now, RelayActions& out) {
  std::string id;
  auto* subscription = find(message.subscription, id);
  if (!subscription) return false;
  // An event of an earlier page says nothing about how far this one reaches.
  if (message.subscription == subscription->page_id && !subscription->caught_up) {
    subscription->page_deadline = now + kPageTimeoutMs;
    subscription->reading.on_event(message.event);
  }
  out.push_back(Deliver{std::move(id), std::move(message.event), std::string(message.raw)});
  return true;
}

void Subscriptions::on_unreadable(TimeMs now) {
  for (auto& [id, subscription] : subscriptions_) {
    if (!subscription.reads_page()) continue;
    subscription.page_deadline = now + kPageTimeoutMs;
    subscription.reading.on_unreadable();
  }
}

Subscriptions::Eose Subscriptions::on_eose(const RelayEose& message, TimeMs now, RelayActions& out) {
  std::string id;
  auto* subscription = find(message.subscription, id);
  if (!subscription) return Eose::nothing;
  const bool older_page = id != message.subscription;
  const bool current = subscription->reads_page() && message.subscription == subscription->page_id;
  if (older_page) out.push_back(SendFrame{close_message(message.subscription)});
  if (!current) return Eose::nothing;
  const bool more = subscription->reading.next(page_size_);
  return go_on(id, *subscription, more, now, out) ? Eose::caught_up : Eose::next_page;
}

std::optional<std::string> Subscriptions::on_closed(const RelayClosed& message, bool awaits_auth, TimeMs now,
                                                    RelayActions& out) {
  std::string id;
  auto* subscription = find(message.subscription, id);
  if (!subscription) return std::nullopt;
  const bool older_page = id != message.subscription;
  if (older_page && message.subscription != subscription->page_id) return std::nullopt;
  if (older_page && subscription->reads_page() && subscription->reading.can_skip()) {
    go_on(id, *subscription, subscription->reading.skip(), now, out);
    return "";
  }
  if (narrow(*subscription, message.message, out)) {
    open(id, *subscription, now, out);
    return "";
  }
  if (awaits_auth) subscription->stage = Stage::refused;
  return back_off(*subscription, "subscription closed by the relay: " + message.message, now, out);
}

bool Subscriptions::awaits_auth() const {
  return std::ranges::any_of(subscriptions_, [](const auto& s) { return s.second.stage == Stage::refused; });
}

void Subscriptions::on_authenticated(TimeMs now, RelayActions& out) {
  for (auto& [id, subscription] : subscriptions_) {
    if (subscription.stage == Stage::refused) open(id, subscription, now, out);
  }
}

void Subscriptions::on_auth_failed() {
  for (auto& [id, subscription] : subscriptions_) {
    if (subscription.stage == Stage::refused) subscription.stage = Stage::sent;
  }
}

// Returns true if the relay refused the filters, and they were narrowed: the subscription has to be opened again.
// Returns false if this is no such refusal, or nothing narrower can be asked for.
bool Subscriptions::narrow(Subscription& subscription, const std::string& refusal, RelayActions& out) {
  const auto& ours = subscription.options.ours;
  if (!ours || !subscription.filter_refusal.empty() || !refuses_filter(refusal)) return false;
  if (all_have(subscription.filters(), ours->first) || core::canary(core::Canary::refused_filter_kept)) return false;
  subscription.filter_refusal = refusal;
  if (!subscription.options.vital) out.push_back(Notice{"takes a narrower filter only: " + refusal});
  return true;
}

// Asks for the newest page. A subscription without filters is closed if it was open, and counts as caught up.
void Subscriptions::open(const std::string& id, Subscription& subscription, TimeMs now, RelayActions& out) {
  const bool was_open = std::exchange(subscription.stage, Stage::sent) == Stage::sent;
  subscription.retry_at.reset();
  subscription.asked_at = now;
  auto filters = subscription.filters();
  if (!subscription.filter_refusal.empty()) filters = narrowed(std::move(filters), *subscription.options.ours);
  subscription.reading = StoredReading(std::move(filters), subscription.options.ours);
  subscription.caught_up = subscription.reading.page().empty();
  if (!subscription.caught_up) return ask(id, subscription, now, out);
  if (was_open) out.push_back(SendFrame{close_message(id)});
  subscription.stage = Stage::waiting;
}

void Subscriptions::ask(std::string wire_id, Subscription& subscription, TimeMs now, RelayActions& out) {
  CHECK(open_ && !subscription.reading.page().empty(), wire_id);
  out.push_back(SendFrame{req_message(wire_id, subscription.reading.page())});
  subscription.page_id = std::move(wire_id);
  subscription.page_deadline = now + kPageTimeoutMs;
}

// Asks for another page of the stored events, or, with no `more` of them, reports that all are read and returns true.
bool Subscriptions::go_on(const std::string& id, Subscription& subscription, bool more, TimeMs now, RelayActions& out) {
  CHECK(!subscription.caught_up, id);
  if (more) {
    ask(id + kOlderPage + std::to_string(++older_pages_), subscription, now, out);
    return false;
  }
  subscription.caught_up = true;
  subscription.failures = 0;
  out.push_back(CaughtUp{id, subscription.reading.unread_s(), !subscription.filter_refusal.empty()});
  return true;
}

// Schedules the next try, and returns what happened.
std::string Subscriptions::back_off(Subscription& subscription, std::string what, TimeMs now, RelayActions& out) {
  subscription.caught_up = false;
  subscription.retry_at = now + backoff_ms(++subscription.failures, random_());
  if (!subscription.options.vital) out.push_back(Notice{what});
  return what;
}

// The subscription that a relay means, or null. Sets `id` to its id, without the number of an older page.
Subscriptions::Subscription* Subscriptions::find(std::string_view wire_id, std::string& id) {
  id = wire_id.substr(0, wire_id.find(kOlderPage));
  const auto found = subscriptions_.find(id);
  return found == subscriptions_.end() ? nullptr : &found->second;
}

}  // namespace nostr
