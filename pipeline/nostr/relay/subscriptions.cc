#include "pipeline/nostr/relay/subscriptions.h"

#include <algorithm>
#include <utility>

#include "pipeline/nostr/relay/filter.h"
#include "pipeline/nostr/relay/timing.h"

namespace nostr {
namespace {

constexpr char kOlderPage = '~';  // in wire ids, before the number of a page of older stored events

// True if the relay was asked for all stored events since some time, so that older pages have to be read too.
bool reads_all_stored(const std::vector<Filter>& filters) {
  return std::ranges::all_of(filters, [](const Filter& f) { return f.since_s && !f.limit && f.ids.empty(); });
}

}  // namespace

bool Subscriptions::all_live() const {
  return std::ranges::all_of(subscriptions_, [](const auto& s) { return s.second.caught_up || !s.second.vital; });
}

bool Subscriptions::subscribe(const std::string& id, FilterSource filters, bool vital, TimeMs now, RelayActions& out) {
  auto& subscription = subscriptions_[id];
  subscription.filters = std::move(filters);
  subscription.vital = vital;
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
  }
}

void Subscriptions::on_tick(TimeMs now, RelayActions& out) {
  for (auto& [id, subscription] : subscriptions_) {
    if (subscription.retry_at && now >= *subscription.retry_at) open(id, subscription, now, out);
  }
}

std::optional<TimeMs> Subscriptions::wake_at() const {
  std::optional<TimeMs> wake;
  for (const auto& [id, subscription] : subscriptions_) wake_by(wake, subscription.retry_at);
  return wake;
}

bool Subscriptions::on_event(RelayEvent& message, RelayActions& out) {
  std::string id;
  auto* subscription = find(message.subscription, id);
  if (!subscription) return false;
  // An event that was not asked for, or belongs to an earlier page, says nothing about how far this page reaches.
  if (message.subscription == subscription->page_id && matches_any(subscription->asked, message.event)) {
    ++subscription->page_events;
    subscription->oldest_s = std::min(subscription->oldest_s, message.event.created_at);
  }
  out.push_back(Deliver{std::move(id), std::move(message.event), std::string(message.raw)});
  return true;
}

bool Subscriptions::on_eose(const RelayEose& message, RelayActions& out) {
  std::string id;
  auto* subscription = find(message.subscription, id);
  if (!subscription) return false;
  const bool older_page = id != message.subscription;
  const bool current = !subscription->caught_up && message.subscription == subscription->page_id;
  if (older_page) out.push_back(SendFrame{close_message(message.subscription)});
  if (!current) return false;
  const bool moved = std::ranges::any_of(subscription->asked, [&](const Filter& f) {
    return subscription->oldest_s < f.until_s.value_or(kMaxCreatedAtS);
  });
  if (subscription->page_events >= kFullPage && moved && reads_all_stored(subscription->asked)) {
    for (auto& filter : subscription->asked) filter.until_s = subscription->oldest_s;
    ask(id + kOlderPage + std::to_string(++older_pages_), *subscription, out);
    return false;
  }
  subscription->caught_up = true;
  subscription->failures = 0;
  out.push_back(CaughtUp{id});
  return true;
}

std::optional<std::string> Subscriptions::on_closed(const RelayClosed& message, bool awaits_auth, TimeMs now,
                                                    RelayActions& out) {
  std::string id;
  auto* subscription = find(message.subscription, id);
  if (!subscription) return std::nullopt;
  const bool earlier_page = id != message.subscription && message.subscription != subscription->page_id;
  if (earlier_page) return std::nullopt;
  subscription->caught_up = false;
  subscription->retry_at = now + backoff_ms(++subscription->failures, random_());
  if (awaits_auth) subscription->stage = Stage::refused;
  std::string what = "subscription closed by the relay: " + message.message;
  if (!subscription->vital) out.push_back(Notice{what});
  return what;
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

// Asks for the newest page. A subscription without filters is closed if it was open, and counts as caught up.
void Subscriptions::open(const std::string& id, Subscription& subscription, TimeMs now, RelayActions& out) {
  const bool was_open = std::exchange(subscription.stage, Stage::sent) == Stage::sent;
  subscription.retry_at.reset();
  subscription.asked_at = now;
  subscription.asked = subscription.filters();
  subscription.caught_up = subscription.asked.empty();
  if (!subscription.caught_up) return ask(id, subscription, out);
  if (was_open) out.push_back(SendFrame{close_message(id)});
  subscription.stage = Stage::waiting;
}

void Subscriptions::ask(const std::string& wire_id, Subscription& subscription, RelayActions& out) {
  subscription.page_id = wire_id;
  subscription.page_events = 0;
  subscription.oldest_s = kMaxCreatedAtS;
  out.push_back(SendFrame{req_message(wire_id, subscription.asked)});
}

// The subscription that a relay means, or null. Sets `id` to its id, without the number of an older page.
Subscriptions::Subscription* Subscriptions::find(std::string_view wire_id, std::string& id) {
  id = wire_id.substr(0, wire_id.find(kOlderPage));
  const auto found = subscriptions_.find(id);
  return found == subscriptions_.end() ? nullptr : &found->second;
}

}  // namespace nostr
