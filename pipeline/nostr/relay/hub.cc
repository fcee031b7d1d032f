#include "pipeline/nostr/relay/hub.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace nostr {
namespace {

using base::ErrorKind;
using ledger::RelayAnswer;
using net::parse_relay_url;

// The ids of our subscriptions.
constexpr char kIntake[] = "in";
constexpr char kControl[] = "also";

std::optional<StoredReading::TagFilter> addressed_to(const std::optional<PublicKey>& us) {
  if (!us) return std::nullopt;
  return StoredReading::TagFilter{'p', {us->hex()}};
}

// A start in the future says nothing (since_s()): the relay is read as far back as we read at all.
IntakeCursor cursor_from(TimeMs start, const HubOptions& options) {
  const TimeMs now = options.clock();
  return {start > now ? now - options.limits.max_age_ms : start, options.limits.max_age_ms};
}

std::string normal_form(const std::string& url) {
  const auto parsed = parse_relay_url(url);
  return parsed ? parsed->text() : url;
}

}  // namespace

Filter request_filter(const PublicKey& us, bool serve_broadcast, std::span<const std::uint32_t> kinds) {
  // Never two filters, of which one has the other in it: how far a page of both reaches, nobody could say.
  Filter wanted{.kinds = {kinds.begin(), kinds.end()}};
  if (!serve_broadcast) wanted.tags = {{'p', {us.hex()}}};
  return wanted;
}

std::optional<Refusal> judge(const Event& event) {
  if (!id_matches(event)) return Refusal::bad_id;
  if (!signature_matches(event)) return Refusal::bad_signature;
  return std::nullopt;
}

// One of our own relays.
struct RelayHub::Source {
  std::string url;
  std::unique_ptr<RelayLink> link;
  IntakeCursor cursor;
  std::optional<TimeMs> last_event;
};

// Keeps a source's cursor behind an event while this lives, and pauses reading while too many events are pinned. On the
// hub's thread only.
class RelayHub::CursorPin {
 public:
  CursorPin(const std::shared_ptr<Source>& source, TimeMs now, std::size_t max_unhandled)
      : source_(source), pin_(source->cursor.pin(now)), resume_at_(max_unhandled / 2) {
    if (source->cursor.unhandled() == max_unhandled) source->link->pause_reading(true);
  }
  ~CursorPin() {
    const auto source = source_.lock();
    if (!source) return;
    source->cursor.release(pin_);
    if (source->cursor.unhandled() == resume_at_) source->link->pause_reading(false);
  }
  CursorPin(const CursorPin&) = delete;
  CursorPin& operator=(const CursorPin&) = delete;

 private:
  std::weak_ptr<Source> source_;
  IntakeCursor::Pin pin_;
  std::size_t resume_at_;
};

// What the hub's user keeps until the event is handled. The pins are released on the hub's thread.
class RelayHub::Receipt {
 public:
  Receipt(std::function<void(std::function<void()>)> dispatch, std::unique_ptr<CursorPin> first)
      : dispatch_(std::move(dispatch)), pins_(std::make_shared<Pins>()) {
    add(std::move(first));
  }
  ~Receipt() {
    dispatch_([pins = std::move(pins_)] { pins->clear(); });
  }
  Receipt(const Receipt&) = delete;
  Receipt& operator=(const Receipt&) = delete;

  // The same event came from another relay too.
  void add(std::unique_ptr<CursorPin> pin) { pins_->push_back(std::move(pin)); }

 private:
  using Pins = std::vector<std::unique_ptr<CursorPin>>;
  std::function<void(std::function<void()>)> dispatch_;
  std::shared_ptr<Pins> pins_;
};

// An event on its way through the signature check.
struct RelayHub::Candidate {
  std::shared_ptr<Source> source;
  Deliver delivered;
  std::unique_ptr<CursorPin> pin;
};

RelayHub::RelayHub(HubOptions options, HubPorts ports, PoolHandlers handlers)
    : options_(std::move(options)),
      ports_(std::move(ports)),
      handlers_(std::move(handlers)),
      remembered_(options_.limits.max_remembered) {}

RelayHub::~RelayHub() = default;

void RelayHub::add_own(const RelayUrl& url) {
  auto source = std::make_shared<Source>(Source{url.text(), nullptr, cursor_from(options_.clock(), options_), {}});
  if (!sources_.emplace(source->url, source).second) return;  // named twice
  RelayLinkHandlers handlers = common_handlers(source->url);
  const std::weak_ptr weak = source;
  handlers.on_event = [this, weak](Deliver delivered) {
    if (answers_.contains(delivered.subscription)) return collect(weak.lock()->url, std::move(delivered));
    screen_event(weak.lock(), std::move(delivered));
  };
  handlers.on_caught_up = [this, weak](const CaughtUp& all) {
    if (all.subscription != kIntake) return;
    const auto unread = all.unread_s ? std::optional(TimeMs{*all.unread_s * 1000}) : std::nullopt;
    weak.lock()->cursor.on_caught_up(options_.clock(), unread);
  };
  handlers.on_heard = [this, weak] { weak.lock()->cursor.on_heard(options_.clock()); };
  handlers.on_health = [weak, inner = handlers.on_health](RelayState state, const std::string& reason) {
    if (state != RelayState::live) weak.lock()->cursor.on_gap();
    inner(state, reason);
  };
  source->link = ports_.link(url, true, std::move(handlers));
}

void RelayHub::start(const std::map<std::string, TimeMs>& cursors) {
  started_ = true;
  std::map<std::string, TimeMs> normal;
  for (const auto& [url, cursor] : cursors) normal[normal_form(url)] = cursor;
  for (const auto& [url, source] : sources_) {
    const auto known = normal.find(url);
    source->cursor = cursor_from(known == normal.end() ? options_.clock() : known->second, options_);
    source->link->subscribe(kIntake, [this, weak = std::weak_ptr(source)] { return filters(*weak.lock()); },
                            {.ours = addressed_to(options_.us)});
    if (!watched_.empty()) watch_on(*source->link);
    source->link->start();
  }
}

void RelayHub::publish(const std::string& relay, const std::string& event_json, const EventId& id,
                       std::function<void(RelayAnswer)> done) {
  const auto url = parse_relay_url(relay);
  if (!url) return answer_later(relay, {id, false, url.error().describe()}, {std::move(done)});
  auto* link = link_for(*url);
  if (!link) return answer_later(url->text(), {id, false, no_room()}, {std::move(done)});
  waiting_[{url->text(), id}].push_back(std::move(done));
  link->publish(id, event_json);
}

void RelayHub::publish_watched(const std::string& relay, const std::string& event_json, const EventId& id,
                               std::function<void(RelayAnswer)> done, std::function<void()> sent) {
  const auto url = parse_relay_url(relay);
  const auto key = std::pair(url ? url->text() : relay, id);
  unsent_.insert_or_assign(key, std::move(sent));
  publish(relay, event_json, id, std::move(done));
  if (!waiting_.contains(key)) unsent_.erase(key);
}

void RelayHub::query(const std::string& relay, Filter filter, std::function<void(Result<std::vector<Event>>)> done) {
  const auto refuse = [&](const std::string& why) {
    later([done = std::move(done), error = base::fail(ErrorKind::connection, "relay.query", why, relay)] {
      done(error);
    });
  };
  if (!filter.limit || *filter.limit == 0 || *filter.limit > kMaxQueryEvents) {
    return refuse("not asked: a query is for 1 to " + std::to_string(kMaxQueryEvents) + " events");
  }
  if (answers_.size() >= kMaxQueries) {
    return refuse("not asked: " + std::to_string(kMaxQueries) + " queries wait already");
  }
  const auto url = parse_relay_url(relay);
  if (!url) return refuse(url.error().message);
  auto* link = link_for(*url);
  if (!link) return refuse(no_room());
  link->query(answers_.begin(url->text(), std::move(done)), std::move(filter));
}

Result<void> RelayHub::watch(std::vector<Filter> filters) {
  std::size_t values = 0;
  for (const auto& filter : filters) {
    values += filter.ids.size() + filter.authors.size() + filter.kinds.size();
    for (const auto& [name, wanted] : filter.tags) values += wanted.size();
  }
  if (filters.size() > kMaxWatchFilters || values > kMaxWatchValues) {
    return base::fail(ErrorKind::invocation, "relay.watch",
                      "more is to be watched than relays take: " + std::to_string(filters.size()) + " filters with " +
                          std::to_string(values) + " values");
  }
  const bool same = req_message(kControl, filters) == req_message(kControl, watched_);
  watched_ = std::move(filters);
  if (same || !started_) return {};
  for (const auto& [url, source] : sources_) watch_on(*source->link);
  return {};
}

void RelayHub::set_limits(const std::string& relay, RelayLimits limits) {
  if (auto* link = find_link(normal_form(relay))) link->set_limits(limits);
}

unsigned RelayHub::required_pow(const std::string& relay) const {
  const auto* link = find_link(normal_form(relay));
  return link ? link->session().required_pow() : 0;
}

std::optional<TimeMs> RelayHub::cursor(const std::string& relay) const {
  const auto found = sources_.find(normal_form(relay));
  if (!started_ || found == sources_.end()) return std::nullopt;
  return found->second->cursor.value();
}

std::vector<RelayHealth> RelayHub::health() const {
  std::vector<RelayHealth> all;
  const auto add = [&](const std::string& url, const RelaySession& session, const Source* own) {
    RelayHealth health{.url = url,
                       .own = own != nullptr,
                       .state = session.state(),
                       .reason = session.reason(),
                       .last_notice = session.last_notice(),
                       .latency_ms = session.latency_ms()};
    if (own) health.last_event = own->last_event;
    if (own && started_) health.cursor = own->cursor.value();
    all.push_back(std::move(health));
  };
  for (const auto& [url, source] : sources_) add(url, source->link->session(), source.get());
  for (const auto& [url, guest] : guests_) add(url, guest.link->session(), nullptr);
  return all;
}

void RelayHub::shut_down() {
  for (const auto& [url, source] : sources_) source->link->shut_down();
  for (const auto& [url, guest] : guests_) guest.link->shut_down();
}

void RelayHub::abandon() {
  shut_down();
  abandoned_ = true;
  guests_.clear();
  sources_.clear();
}

std::vector<Filter> RelayHub::filters(const Source& source) const {
  auto wanted = options_.wanted;
  for (auto& filter : wanted) filter.since_s = since_s(source.cursor.value(), options_.limits, options_.clock());
  return wanted;
}

void RelayHub::watch_on(RelayLink& link) {
  const auto newest = [this] { return watched(); };
  link.subscribe(kControl, newest, {.vital = false});
}

// Nothing that would be refused for its age, and one page only: the newest.
std::vector<Filter> RelayHub::watched() const {
  auto filters = watched_;
  for (auto& filter : filters) {
    if (!filter.since_s) filter.since_s = (options_.clock() - options_.limits.max_age_ms).ms / 1000;
    if (!filter.limit) filter.limit = kMaxWatchStored;
  }
  return filters;
}

// Never from inside the user's own call: what follows from an answer may be another call.
void RelayHub::later(std::function<void()> report) {
  ports_.post([self = shared_from_this(), report = std::move(report)] {
    if (!self->abandoned_) report();
  });
}

RelayLinkHandlers RelayHub::common_handlers(const std::string& url) {
  RelayLinkHandlers handlers;
  handlers.on_sent = [this, url](const EventId& id) {
    if (const auto unsent = unsent_.extract({url, id}); unsent && !abandoned_) unsent.mapped()();
  };
  handlers.on_answer = [this, url](PublishAnswer answer) {
    unsent_.erase({url, answer.event});
    if (auto waiting = waiting_.extract({url, answer.event})) {
      answer_later(url, std::move(answer), std::move(waiting.mapped()));
    }
  };
  handlers.on_event = [this, url](Deliver delivered) { collect(url, std::move(delivered)); };
  handlers.on_query_end = [this](const QueryEnd& end) {
    answers_.end(end);
    answer_if_complete(end.id);
  };
  handlers.on_dropped = [this, url](const std::string& reason) {
    refuse(url, reason == "too_large" ? Refusal::too_large
                : reason == "unasked" ? Refusal::unasked
                                      : Refusal::malformed);
  };
  handlers.on_health = [this, url](RelayState state, const std::string& reason) {
    later([this, url, state, reason] { handlers_.on_health(url, state, reason); });
  };
  handlers.on_notice = [this, url](const std::string& text) {
    later([this, url, text] { handlers_.on_notice(url, text); });
  };
  return handlers;
}

// ---- publishing ----

RelayLink* RelayHub::find_link(const std::string& url) const {
  if (const auto own = sources_.find(url); own != sources_.end()) return own->second->link.get();
  const auto guest = guests_.find(url);
  return guest == guests_.end() ? nullptr : guest->second.link.get();
}

RelayLink* RelayHub::link_for(const RelayUrl& url) {
  if (const auto own = sources_.find(url.text()); own != sources_.end()) return own->second->link.get();
  auto found = guests_.find(url.text());
  if (found == guests_.end()) {
    if (!make_room()) return nullptr;
    found = guests_.emplace(url.text(), Guest{ports_.link(url, false, common_handlers(url.text())), options_.clock()})
                .first;
  }
  found->second.last_used = options_.clock();
  return found->second.link.get();
}

std::string RelayHub::no_room() const {
  return "not sent: " + std::to_string(guests_.size()) + " customers' relays are in use already";
}

// Forgets the guest that was used longest ago, of those that have nothing to do.
bool RelayHub::make_room() {
  if (guests_.size() < options_.max_guests) return true;
  auto oldest = guests_.end();
  for (auto guest = guests_.begin(); guest != guests_.end(); ++guest) {
    if (guest->second.link->session().has_work()) continue;
    if (oldest == guests_.end() || guest->second.last_used < oldest->second.last_used) oldest = guest;
  }
  if (oldest == guests_.end()) return false;
  // It may be the guest itself whose answer led here.
  ports_.post([retired = std::shared_ptr<RelayLink>(std::move(oldest->second.link))] {});
  guests_.erase(oldest);
  return true;
}

void RelayHub::answer_later(const std::string& url, PublishAnswer answer,
                            std::vector<std::function<void(RelayAnswer)>> callbacks) {
  later([report = RelayAnswer{url, answer.accepted, std::move(answer.message), options_.clock(), {}},
         callbacks = std::move(callbacks)] {
    for (const auto& done : callbacks) done(report);
  });
}

// ---- receiving ----

void RelayHub::refuse(const std::string& url, Refusal reason) {
  later([this, url, reason] { handlers_.on_refused(url, reason); });
}

// The relay sent what no honest one sends.
void RelayHub::blame(const std::string& url) {
  if (auto* link = find_link(url)) link->junk();
}

void RelayHub::screen_event(const std::shared_ptr<Source>& source, Deliver delivered) {
  source->last_event = options_.clock();
  const auto& wanted = delivered.subscription == kControl ? watched_ : options_.wanted;
  if (const auto reason = screen(delivered.event, delivered.raw.size(), wanted, options_.limits, options_.clock())) {
    refuse(source->url, *reason);
    if (*reason == Refusal::not_ours) blame(source->url);
    return;
  }
  auto pin = std::make_unique<CursorPin>(source, options_.clock(), options_.limits.max_unhandled);
  if (is_known(delivered, *source, pin)) return;
  auto candidate = std::make_shared<Candidate>(Candidate{source, std::move(delivered), std::move(pin)});
  const std::shared_ptr<const Event> event(candidate, &candidate->delivered.event);
  ports_.verify(event, [self = shared_from_this(), candidate = std::move(candidate)](std::optional<Refusal> reason) {
    if (!self->abandoned_) self->judged(*candidate, reason);
  });
}

// True if the event came before. While that one is not handled, this relay's cursor waits for it too.
bool RelayHub::is_known(const Deliver& delivered, const Source& source, std::unique_ptr<CursorPin>& pin) {
  const auto known = remembered_.find(delivered.event.id);
  if (!known) return false;
  if (const auto receipt = std::static_pointer_cast<Receipt>(*known)) receipt->add(std::move(pin));
  // What is watched comes again whenever the relay is asked again.
  if (delivered.subscription == kIntake) refuse(source.url, Refusal::duplicate);
  return true;
}

// Only verified events are remembered: a forged one must not shut out the real one that has its id.
void RelayHub::judged(Candidate& candidate, std::optional<Refusal> reason) {
  const auto& url = candidate.source->url;
  if (reason) {
    blame(url);
    return handlers_.on_refused(url, *reason);
  }
  if (is_known(candidate.delivered, *candidate.source, candidate.pin)) return;
  const auto id = candidate.delivered.event.id;
  if (candidate.delivered.subscription == kControl) {
    remembered_.insert(id, nullptr);
    return handlers_.on_control(
        {url, std::move(candidate.delivered.event), std::move(candidate.delivered.raw), nullptr});
  }
  auto receipt = std::make_shared<Receipt>(ports_.dispatch, std::move(candidate.pin));
  remembered_.insert(id, receipt);
  handlers_.on_event(
      {url, std::move(candidate.delivered.event), std::move(candidate.delivered.raw), std::move(receipt)});
}

// ---- asking ----

void RelayHub::collect(const std::string& url, Deliver delivered) {
  if (!answers_.expect(delivered.subscription, delivered.raw.size())) return;
  auto event = std::make_shared<Event>(std::move(delivered.event));
  ports_.verify(event, [self = shared_from_this(), id = std::move(delivered.subscription), url,
                        event](std::optional<Refusal> reason) {
    if (self->abandoned_) return;
    if (reason) self->blame(url);
    self->answers_.verified(id, reason ? std::nullopt : std::optional(std::move(*event)));
    self->answer_if_complete(id);
  });
}

void RelayHub::answer_if_complete(const std::string& id) {
  auto complete = answers_.take(id);
  if (!complete) return;
  later([complete = std::move(*complete)]() mutable { complete.done(std::move(complete.answer)); });
}

}  // namespace nostr
