#include "pipeline/nostr/relay/session.h"

#include <algorithm>
#include <utility>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/relay/filter.h"

namespace nostr {
namespace {

constexpr char kOlderPage = '~';  // in wire ids, before the number of a page of older stored events
constexpr std::int64_t kMinuteMs = 60'000;
constexpr auto kNone = [](const auto&) { return false; };

std::string seconds(std::int64_t ms) {
  return std::to_string((ms + 999) / 1000) + " s";
}

bool reads_all_stored(const std::vector<Filter>& filters) {
  return std::all_of(filters.begin(), filters.end(),
                     [](const Filter& f) { return f.since_s && !f.limit && f.ids.empty(); });
}

}  // namespace

std::string_view name(RelayState state) {
  switch (state) {
    case RelayState::idle:
      return "idle";
    case RelayState::offline:
      return "offline";
    case RelayState::connecting:
      return "connecting";
    case RelayState::catching_up:
      return "catching up";
    case RelayState::live:
      return "live";
  }
  return "";
}

RelaySession::RelaySession(RelaySessionOptions options) : options_(std::move(options)) {}

// ---- the connection -------------------------------------------------------------------------------------------------

RelayActions RelaySession::start(TimeMs now) {
  if (link_ == Link::down && wanted() && !redial_at_) dial(now);
  return take();
}

RelayActions RelaySession::on_open(TimeMs now) {
  if (link_ != Link::dialling) return take();
  link_ = Link::open;
  opened_at_ = last_heard_ = last_work_ = now;
  redial_at_.reset();
  bad_frames_ = auths_ = 0;
  auth_ = Auth::none;
  ping(now);  // its answer is the latency that a person sees
  for (auto& [id, subscription] : subscriptions_) open(id, subscription, now);
  for (auto& query : queries_) send(query);
  send_waiting(now);
  update_open_health();
  return take();
}

RelayActions RelaySession::on_pong(TimeMs now) {
  if (link_ != Link::open) return take();
  last_heard_ = now;
  if (pinged_at_) latency_ms_ = now - *pinged_at_;
  pinged_at_.reset();
  return take();
}

RelayActions RelaySession::on_closed(const std::string& reason, TimeMs now) {
  if (link_ != Link::down) lose(reason, now);
  return take();
}

RelayActions RelaySession::on_forbidden(const std::string& reason, TimeMs now) {
  if (link_ == Link::down) return take();
  lose(reason, now);
  redial_at_ = now + kMaxBackoffMs;
  fail_unless(kNone, reason);
  return take();
}

RelayActions RelaySession::on_tick(TimeMs now) {
  fail_overdue(now);
  switch (link_) {
    case Link::down:
      if (redial_at_ && now >= *redial_at_ && wanted()) dial(now);
      break;
    case Link::dialling:
      if (now >= dialled_at_ + kDialTimeoutMs) hang_up_and_lose("no answer within " + seconds(kDialTimeoutMs), now);
      break;
    case Link::open:
      if (pinged_at_ && now >= *pinged_at_ + kPongTimeoutMs) {
        hang_up_and_lose("no answer to a ping within " + seconds(kPongTimeoutMs), now);
      } else if (!wanted() && now >= last_work_ + kIdleMs) {
        rest();
      } else {
        if (!pinged_at_ && now >= last_heard_ + kPingIntervalMs) ping(now);
        for (auto& [id, subscription] : subscriptions_) {
          if (subscription.retry_at && now >= *subscription.retry_at) open(id, subscription, now);
        }
        send_waiting(now);
      }
      break;
  }
  return take();
}

std::optional<TimeMs> RelaySession::wake_at() const {
  std::optional<TimeMs> wake;
  const auto sooner = [&](TimeMs at) { wake = wake ? std::min(*wake, at) : at; };
  for (const auto& publication : publications_) {
    sooner(publication.deadline);
    if (link_ == Link::open && publication.stage == Stage::waiting) sooner(next_send_at_);
  }
  for (const auto& query : queries_) sooner(query.deadline);
  switch (link_) {
    case Link::down:
      if (redial_at_ && wanted()) sooner(*redial_at_);
      break;
    case Link::dialling:
      sooner(dialled_at_ + kDialTimeoutMs);
      break;
    case Link::open:
      sooner(pinged_at_ ? *pinged_at_ + kPongTimeoutMs : last_heard_ + kPingIntervalMs);
      if (!wanted()) sooner(last_work_ + kIdleMs);
      for (const auto& [id, subscription] : subscriptions_) {
        if (subscription.retry_at) sooner(*subscription.retry_at);
      }
      break;
  }
  return wake;
}

RelayActions RelaySession::shut_down() {
  shut_down_ = true;
  fail_unless(kNone, "shutting down");
  subscriptions_.clear();
  if (link_ != Link::down) out_.push_back(HangUp{});
  link_ = Link::down;
  redial_at_.reset();
  set_health(RelayState::idle, "shut down");
  return take();
}

bool RelaySession::wanted() const {
  return !shut_down_ && (options_.persistent || has_work());
}

void RelaySession::dial(TimeMs now) {
  link_ = Link::dialling;
  dialled_at_ = now;
  out_.push_back(Dial{});
  set_health(RelayState::connecting, reason_);
}

void RelaySession::dial_if_due(TimeMs now) {
  if (link_ == Link::down && (!redial_at_ || now >= *redial_at_)) dial(now);
}

void RelaySession::ping(TimeMs now) {
  pinged_at_ = now;
  out_.push_back(SendPing{});
}

// What waits is kept if there is a next connection in time for it.
void RelaySession::lose(const std::string& reason, TimeMs now, std::int64_t min_backoff_ms) {
  const bool was_stable = link_ == Link::open && now >= opened_at_ + kStableMs;
  failures_ = was_stable ? 1 : failures_ + 1;
  link_ = Link::down;
  redial_at_ = now + std::max(min_backoff_ms, backoff_ms(failures_));
  pinged_at_.reset();
  challenge_.reset();
  for (auto& [id, subscription] : subscriptions_) {
    subscription.stage = Stage::waiting;
    subscription.caught_up = false;
    subscription.retry_at.reset();
  }
  for (auto& publication : publications_) publication.stage = Stage::waiting;
  for (auto& query : queries_) query.stage = Stage::waiting;
  fail_unless([&](const Owed& owed) { return *redial_at_ < owed.deadline; }, reason);
  set_health(RelayState::offline, reason);
}

void RelaySession::hang_up_and_lose(const std::string& reason, TimeMs now, std::int64_t min_backoff_ms) {
  out_.push_back(HangUp{});
  lose(reason, now, min_backoff_ms);
}

void RelaySession::rest() {
  out_.push_back(HangUp{});
  link_ = Link::down;
  failures_ = 0;
  pinged_at_.reset();
  challenge_.reset();
  set_health(RelayState::idle, "");
}

// Half of it is certain, half is chance; doubled each time up to the cap.
std::int64_t RelaySession::backoff_ms(unsigned failures) const {
  const std::int64_t half = std::min(kMaxBackoffMs, kMinBackoffMs << std::min(failures - 1, 16U)) / 2;
  return half + static_cast<std::int64_t>(options_.random() * static_cast<double>(half));
}

void RelaySession::set_health(RelayState state, std::string reason) {
  if (state == state_ && reason == reason_) return;
  state_ = state;
  reason_ = std::move(reason);
  out_.push_back(HealthChange{state_, reason_});
}

void RelaySession::update_open_health(std::string reason) {
  const bool live =
      std::ranges::all_of(subscriptions_, [](const auto& s) { return s.second.caught_up || !s.second.vital; });
  if (live) {
    set_health(RelayState::live, "");
  } else {
    set_health(RelayState::catching_up,
               reason.empty() && state_ == RelayState::catching_up ? reason_ : std::move(reason));
  }
}

RelayActions RelaySession::take() {
  return std::exchange(out_, {});
}

// ---- publishing -----------------------------------------------------------------------------------------------------

RelayActions RelaySession::publish(EventId id, std::string event_json, TimeMs now) {
  const auto same = [&](const Publication& p) { return p.id == id; };
  if (std::any_of(publications_.begin(), publications_.end(), same)) return take();
  Publication publication{{now + kPublishTimeoutMs}, id, std::move(event_json)};
  std::string refusal;
  if (publications_.size() >= kMaxPublications || publication_bytes_ + publication.json.size() > kMaxPublicationBytes) {
    refusal = "not sent: " + std::to_string(publications_.size()) + " events wait for this relay already";
  } else if (limits_.max_message_length && event_message(publication.json).size() > *limits_.max_message_length) {
    refusal = too_long_for_relay(*limits_.max_message_length);
  } else {
    refusal = unreachable_until(publication.deadline, now);
  }
  if (!refusal.empty()) {
    out_.push_back(PublishAnswer{id, false, refusal});
    return take();
  }
  last_work_ = now;
  publication_bytes_ += publication.json.size();
  publications_.push_back(std::move(publication));
  if (link_ == Link::open) send_waiting(now);
  dial_if_due(now);
  return take();
}

// As fast as the relay takes them.
void RelaySession::send_waiting(TimeMs now) {
  for (auto& publication : publications_) {
    if (publication.stage != Stage::waiting) continue;
    if (now < next_send_at_) return;
    if (now < slow_until_) next_send_at_ = now + kSlowPaceMs;
    publication.stage = Stage::sent;
    out_.push_back(SendFrame{event_message(publication.json)});
  }
}

// What a refusal says about the events to come.
void RelaySession::heed(std::string_view refusal, TimeMs now) {
  const Rejection why = rejection(refusal);
  if (why == Rejection::too_fast) {
    slow_until_ = now + kSlowMs;
    next_send_at_ = now + kSlowPaceMs;
  }
  if (why == Rejection::needs_work) asked_pow_ = work_asked(refusal).value_or(asked_pow_);
}

void RelaySession::answer(const Publication& publication, bool accepted, std::string message) {
  publication_bytes_ -= publication.json.size();
  out_.push_back(PublishAnswer{publication.id, accepted, std::move(message)});
}

void RelaySession::answer_unless(const Keep& keep, const std::string& message) {
  std::erase_if(publications_, [&](const Publication& publication) {
    if (keep(publication)) return false;
    answer(publication, false, message);
    return true;
  });
}

void RelaySession::fail_unless(const Keep& keep, const std::string& message) {
  answer_unless(keep, message);
  end_queries_unless(keep, message);
}

void RelaySession::fail_overdue(TimeMs now) {
  const auto in_time = [&](const Owed& owed) { return now < owed.deadline; };
  const auto silence = [&](std::int64_t ms) {
    return "no answer within " + seconds(ms) + (reason_.empty() ? "" : " (" + reason_ + ")");
  };
  if (link_ == Link::open) {
    answer_unless([&](const Owed& owed) { return in_time(owed) || owed.stage != Stage::waiting; },
                  "rate-limited: not sent, the relay takes our events slowly");
  }
  answer_unless(in_time, silence(kPublishTimeoutMs));
  end_queries_unless(in_time, silence(kQueryTimeoutMs));
}

// Why nothing can be sent before the deadline, or nothing.
std::string RelaySession::unreachable_until(TimeMs deadline, TimeMs now) const {
  if (shut_down_) return "shutting down";
  if (link_ != Link::down || !redial_at_ || *redial_at_ < deadline) return {};
  return "not sent: " + reason_ + "; next try in " + seconds(*redial_at_ - now);
}

// ---- asking once ----------------------------------------------------------------------------------------------------

RelayActions RelaySession::query(const std::string& id, Filter filter, TimeMs now) {
  Query query{{now + kQueryTimeoutMs}, id, std::move(filter)};
  if (auto refusal = unreachable_until(query.deadline, now); !refusal.empty()) {
    out_.push_back(QueryEnd{id, std::move(refusal)});
    return take();
  }
  last_work_ = now;
  queries_.push_back(std::move(query));
  if (link_ == Link::open) send(queries_.back());
  dial_if_due(now);
  return take();
}

void RelaySession::send(Query& query) {
  query.stage = Stage::sent;
  query.events = 0;
  out_.push_back(SendFrame{req_message(query.id, std::span(&query.filter, 1))});
}

std::deque<RelaySession::Query>::iterator RelaySession::find_query(std::string_view id) {
  return std::ranges::find(queries_, id, &Query::id);
}

void RelaySession::end(const std::deque<Query>::iterator& query, std::string error) {
  out_.push_back(QueryEnd{query->id, std::move(error)});
  queries_.erase(query);
}

void RelaySession::end_queries_unless(const Keep& keep, const std::string& message) {
  std::erase_if(queries_, [&](const Query& query) {
    if (keep(query)) return false;
    if (link_ == Link::open && query.stage == Stage::sent) out_.push_back(SendFrame{close_message(query.id)});
    out_.push_back(QueryEnd{query.id, message});
    return true;
  });
}

// ---- subscribing ----------------------------------------------------------------------------------------------------

RelayActions RelaySession::subscribe(const std::string& id, FilterSource filters, TimeMs now, bool vital) {
  if (shut_down_) return take();
  auto& subscription = subscriptions_[id];
  subscription.filters = std::move(filters);
  subscription.vital = vital;
  last_work_ = now;
  if (link_ == Link::open && !subscription.retry_at) {
    const TimeMs due = std::min(subscription.asked_at, now) + kResubscribeMs;
    if (now >= due) {
      open(id, subscription, now);
    } else {
      subscription.retry_at = due;
    }
    update_open_health();
  }
  if (link_ == Link::down && !redial_at_ && !options_.persistent) dial(now);
  return take();
}

RelayActions RelaySession::unsubscribe(const std::string& id, TimeMs now) {
  if (subscriptions_.erase(id) == 0) return take();
  last_work_ = now;
  if (link_ == Link::open) {
    out_.push_back(SendFrame{close_message(id)});
    update_open_health();
  }
  return take();
}

void RelaySession::open(const std::string& id, Subscription& subscription, TimeMs now) {
  const bool was_open = std::exchange(subscription.stage, Stage::sent) == Stage::sent;
  subscription.retry_at.reset();
  subscription.asked_at = now;
  subscription.asked = subscription.filters();
  subscription.caught_up = subscription.asked.empty();
  if (!subscription.caught_up) return ask(id, subscription);
  if (was_open) out_.push_back(SendFrame{close_message(id)});
  subscription.stage = Stage::waiting;
}

void RelaySession::ask(const std::string& wire_id, Subscription& subscription) {
  subscription.page_id = wire_id;
  subscription.page_events = 0;
  subscription.oldest_s = kMaxCreatedAtS;
  out_.push_back(SendFrame{req_message(wire_id, subscription.asked)});
}

void RelaySession::postpone(Subscription& subscription, TimeMs now) {
  subscription.caught_up = false;
  subscription.retry_at = now + backoff_ms(++subscription.failures);
}

// The subscription that a relay means, and its id without the number of an older page.
RelaySession::Subscription* RelaySession::find(std::string_view wire_id, std::string& id) {
  id = wire_id.substr(0, wire_id.find(kOlderPage));
  const auto found = subscriptions_.find(id);
  return found == subscriptions_.end() ? nullptr : &found->second;
}

// ---- what the relay says --------------------------------------------------------------------------------------------

RelayActions RelaySession::on_frame(std::string_view frame, TimeMs now) {
  if (link_ != Link::open) return take();
  last_heard_ = now;
  auto message = parse_relay_message(frame, options_.max_frame_bytes);
  if (message) {
    std::visit([&](auto& m) { receive(std::move(m), now); }, *message);
  } else {
    receive_bad(message.error(), now);
  }
  return take();
}

// Only a relay is to blame for a frame that is no message; bad or huge events are their authors' fault, and a
// connection that ended because of them would end for them again.
void RelaySession::receive_bad(const base::Error& error, TimeMs now) {
  if (error.code == "relay.unknown_message") return;
  if (error.code == "relay.too_large" || error.code == "event.too_large") {
    out_.push_back(Dropped{"too_large"});
    return;
  }
  out_.push_back(Dropped{"malformed"});
  if (error.code == "relay.malformed" && ++bad_frames_ >= kMaxBadFrames) {
    hang_up_and_lose("sent " + std::to_string(bad_frames_) + " malformed frames: " + error.message, now);
  }
}

void RelaySession::receive(RelayEvent message, TimeMs now) {
  std::string id;
  auto* subscription = find(message.subscription, id);
  if (!subscription) {
    const auto query = find_query(message.subscription);
    const bool asked =
        query != queries_.end() && query->events < query->filter.limit && matches(query->filter, message.event);
    if (!asked) return drop_unasked(now);
    ++query->events;
    out_.push_back(Deliver{query->id, std::move(message.event), std::string(message.raw)});
    return;
  }
  // What was not asked for, or for an earlier page, says nothing about how far this page reaches.
  if (message.subscription == subscription->page_id && matches_any(subscription->asked, message.event)) {
    ++subscription->page_events;
    subscription->oldest_s = std::min(subscription->oldest_s, message.event.created_at);
  }
  out_.push_back(Deliver{std::move(id), std::move(message.event), std::string(message.raw)});
}

RelayActions RelaySession::on_junk(TimeMs now) {
  if (link_ == Link::open) count_junk(now);
  return take();
}

void RelaySession::drop_unasked(TimeMs now) {
  out_.push_back(Dropped{"unasked"});
  count_junk(now);
}

void RelaySession::count_junk(TimeMs now) {
  if (now < junk_since_ || now >= junk_since_ + kMinuteMs) {
    junk_since_ = now;
    junk_ = 0;
  }
  if (++junk_ <= kMaxJunkPerMinute) return;
  junk_ = 0;
  hang_up_and_lose("sent more than " + std::to_string(kMaxJunkPerMinute) + " forged or unasked events in a minute", now,
                   kJunkBackoffMs);
}

void RelaySession::receive(const RelayEose& message, TimeMs now) {
  if (const auto query = find_query(message.subscription); query != queries_.end()) {
    last_work_ = now;
    out_.push_back(SendFrame{close_message(query->id)});
    return end(query, {});
  }
  std::string id;
  auto* subscription = find(message.subscription, id);
  if (!subscription) return;
  const bool older_page = id != message.subscription;
  const bool current = !subscription->caught_up && message.subscription == subscription->page_id;
  if (older_page) out_.push_back(SendFrame{close_message(message.subscription)});
  if (!current) return;
  const bool moved = std::any_of(subscription->asked.begin(), subscription->asked.end(), [&](const Filter& f) {
    return subscription->oldest_s < f.until_s.value_or(kMaxCreatedAtS);
  });
  if (subscription->page_events >= kFullPage && moved && reads_all_stored(subscription->asked)) {
    for (auto& filter : subscription->asked) filter.until_s = subscription->oldest_s;
    return ask(id + kOlderPage + std::to_string(++older_pages_), *subscription);
  }
  subscription->caught_up = true;
  subscription->failures = 0;
  out_.push_back(CaughtUp{id});
  update_open_health();
}

void RelaySession::receive(const RelayClosed& message, TimeMs now) {
  const bool may_authenticate = machine_word(message.message) == "auth-required" && auth_ != Auth::done;
  if (const auto query = find_query(message.subscription); query != queries_.end()) {
    last_work_ = now;
    if (!may_authenticate) return end(query, "closed by the relay: " + message.message);
    query->stage = Stage::refused;
    return authenticate(now);
  }
  std::string id;
  auto* subscription = find(message.subscription, id);
  if (!subscription) return;
  const bool ended_page = id != message.subscription && message.subscription != subscription->page_id;
  if (ended_page) return;
  postpone(*subscription, now);
  const std::string what = "subscription closed by the relay: " + message.message;
  if (!subscription->vital) out_.push_back(Notice{what});
  if (may_authenticate) {
    subscription->stage = Stage::refused;
    authenticate(now);
  }
  update_open_health(what);
}

void RelaySession::receive(RelayNotice message, TimeMs) {
  out_.push_back(Notice{std::move(message.message)});
}

void RelaySession::receive(RelayOk message, TimeMs now) {
  if (auth_ == Auth::sent && message.event == auth_event_) {
    auth_ = message.accepted ? Auth::done : Auth::none;
    return message.accepted ? resend_refused(now) : fail_refused("authentication refused: " + message.message, now);
  }
  const auto found = std::find_if(publications_.begin(), publications_.end(),
                                  [&](const Publication& p) { return p.id == message.event; });
  if (found == publications_.end() || found->stage == Stage::waiting) return;
  const auto word = machine_word(message.message);
  if (!message.accepted && word == "auth-required" && auth_ != Auth::done) {
    found->stage = Stage::refused;
    return authenticate(now);
  }
  last_work_ = now;
  const bool accepted = message.accepted || word == "duplicate";
  if (!accepted) heed(message.message, now);
  answer(*found, accepted, message.message);
  publications_.erase(found);
}

// ---- NIP-42 ---------------------------------------------------------------------------------------------------------

// We say who we are only to a relay that refused something for want of it.
void RelaySession::receive(RelayAuth message, TimeMs now) {
  challenge_ = std::move(message.challenge);
  auth_ = Auth::none;
  authenticate(now);
}

void RelaySession::authenticate(TimeMs now) {
  const auto refused = [](const auto& item) { return item.stage == Stage::refused; };
  const bool needed = std::ranges::any_of(publications_, refused) || std::ranges::any_of(queries_, refused) ||
                      std::ranges::any_of(subscriptions_, [&](const auto& s) { return refused(s.second); });
  if (!needed || !challenge_ || auth_ != Auth::none) return;
  const auto event = auths_ < kMaxAuths ? options_.sign_auth(options_.url, *challenge_, now) : std::nullopt;
  if (!event) return fail_refused("auth-required: we could not authenticate", now);
  ++auths_;
  auth_ = Auth::sent;
  auth_event_ = event->id;
  out_.push_back(SendFrame{auth_message(to_json(*event))});
}

void RelaySession::resend_refused(TimeMs now) {
  for (auto& [id, subscription] : subscriptions_) {
    if (subscription.stage == Stage::refused) open(id, subscription, now);
  }
  for (auto& query : queries_) {
    if (query.stage == Stage::refused) send(query);
  }
  for (auto& publication : publications_) {
    if (publication.stage == Stage::refused) publication.stage = Stage::waiting;
  }
  send_waiting(now);
}

// A refused subscription is tried again by its own back-off.
void RelaySession::fail_refused(const std::string& message, TimeMs) {
  fail_unless([](const Owed& owed) { return owed.stage != Stage::refused; }, message);
  for (auto& [id, subscription] : subscriptions_) {
    if (subscription.stage == Stage::refused) subscription.stage = Stage::sent;
  }
  update_open_health(message);
}

}  // namespace nostr
