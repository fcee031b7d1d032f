#include "pipeline/nostr/relay/hub.h"

#include <utility>

namespace nostr {
namespace {

using base::ErrorKind;
using ledger::RelayAnswer;
using net::parse_relay_url;

std::string normal_form(const std::string& url) {
  const auto parsed = parse_relay_url(url);
  return parsed ? parsed->text() : url;
}

RelayHealth health_of(const std::string& url, const RelaySession& session) {
  return {.url = url,
          .own = false,
          .state = session.state(),
          .reason = session.reason(),
          .last_notice = session.last_notice(),
          .latency_ms = session.latency_ms()};
}

}  // namespace

Filter request_filter(const PublicKey& us, bool serve_broadcast, std::span<const std::uint32_t> kinds) {
  // Never two filters, of which one has the other in it: how far a page of both reaches, nobody could say.
  Filter wanted{.kinds = {kinds.begin(), kinds.end()}};
  if (!serve_broadcast) wanted.tags = {{'p', {us.hex()}}};
  return wanted;
}

RelayHub::RelayHub(HubOptions options, HubPorts ports, PoolHandlers handlers)
    : context_{.options = std::move(options),
               .ports = std::move(ports),
               .handlers = std::move(handlers),
               .later = [this](Task report) { later(std::move(report)); },
               .verify = [this](auto event, auto done) { verify(std::move(event), std::move(done)); },
               .blame =
                   [this](const std::string& url) {
                     if (auto* link = find_link(url)) link->useless(Useless::junk);
                   }},
      own_(context_),
      guests_(context_.options.max_guests,
              {.link = [this](const RelayUrl& url) { return context_.ports.link(url, false, handlers_of(url.text())); },
               .post = context_.ports.post,
               .clock = context_.options.clock}),
      queries_(context_) {}

RelayHub::~RelayHub() = default;

void RelayHub::add_own(const RelayUrl& url) {
  own_.add(url, handlers_of(url.text()));
}

void RelayHub::start(const std::map<std::string, TimeMs>& cursors) {
  std::map<std::string, TimeMs> normal;
  for (const auto& [url, cursor] : cursors) normal[normal_form(url)] = cursor;
  own_.start(normal);
}

void RelayHub::read(const std::string& relay) {
  own_.read(normal_form(relay));
}

void RelayHub::publish(const std::string& relay, const std::string& event_json, const EventId& id, PublishDone done) {
  publish(relay, event_json, id, std::move(done), {});
}

void RelayHub::publish_watched(const std::string& relay, const std::string& event_json, const EventId& id,
                               PublishDone done, std::function<void()> sent) {
  publish(relay, event_json, id, std::move(done), std::move(sent));
}

void RelayHub::publish(const std::string& relay, const std::string& event_json, const EventId& id, PublishDone done,
                       std::function<void()> sent) {
  const auto url = parse_relay_url(relay);
  if (!url) return answer_later(relay, {id, false, url.error().describe()}, {std::move(done)});
  auto* link = link_for(*url);
  if (!link) return answer_later(url->text(), {id, false, guests_.no_room()}, {std::move(done)});
  auto& publication = publications_[{url->text(), id}];
  publication.done.push_back(std::move(done));
  if (sent) publication.sent = std::move(sent);
  link->publish(id, event_json);
}

void RelayHub::query(const std::string& relay, Filter filter, std::function<void(Result<std::vector<Event>>)> done) {
  const auto refuse = [&](const std::string& why) {
    later([done = std::move(done), error = base::fail(ErrorKind::connection, "relay.query", why, relay)] {
      done(error);
    });
  };
  if (const auto why = queries_.refusal(filter)) return refuse(*why);
  const auto url = parse_relay_url(relay);
  if (!url) return refuse(url.error().message);
  auto* link = link_for(*url);
  if (!link) return refuse(guests_.no_room());
  queries_.ask(*link, url->text(), filter, std::move(done));
}

Result<void> RelayHub::watch(std::vector<Filter> filters) {
  return own_.watch(std::move(filters));
}

void RelayHub::set_limits(const std::string& relay, RelayLimits limits) {
  if (auto* link = find_link(normal_form(relay))) link->set_limits(limits);
}

unsigned RelayHub::required_pow(const std::string& relay) const {
  const auto* link = find_link(normal_form(relay));
  return link ? link->session().required_pow() : 0;
}

std::optional<TimeMs> RelayHub::cursor(const std::string& relay) const {
  return own_.cursor(normal_form(relay));
}

std::vector<RelayHealth> RelayHub::health() const {
  std::vector<RelayHealth> all;
  for (const auto& [url, relay] : own_.all()) {
    RelayHealth& health = all.emplace_back(health_of(url, relay->link->session()));
    health.own = true;
    health.last_event = relay->last_event;
    health.cursor = own_.cursor(url);
  }
  for (const auto& [url, guest] : guests_.all()) all.push_back(health_of(url, guest.link->session()));
  return all;
}

void RelayHub::shut_down() {
  own_.shut_down();
  guests_.shut_down();
  queries_.shut_down();
}

void RelayHub::abandon() {
  shut_down();
  abandoned_ = true;
  guests_.clear();
  own_.clear();
}

void RelayHub::answer_later(const std::string& url, PublishAnswer answer, std::vector<PublishDone> callbacks) {
  later([report = RelayAnswer{url, answer.accepted, std::move(answer.message), context_.options.clock(), {}},
         callbacks = std::move(callbacks)] {
    for (const auto& done : callbacks) done(report);
  });
}

RelayLinkHandlers RelayHub::handlers_of(const std::string& url) {
  RelayLinkHandlers handlers;
  handlers.on_event = [this, url](Deliver delivered) { receive(url, std::move(delivered)); };
  handlers.on_sent = [this, url](const EventId& id) {
    const auto found = publications_.find({url, id});
    if (found == publications_.end() || abandoned_) return;
    if (const auto sent = std::exchange(found->second.sent, {})) sent();
  };
  handlers.on_answer = [this, url](PublishAnswer answer) {
    if (auto found = publications_.extract({url, answer.event})) {
      answer_later(url, std::move(answer), std::move(found.mapped().done));
    }
  };
  handlers.on_query_end = [this](const QueryEnd& end) { queries_.end(end); };
  handlers.on_dropped = [this, url](const std::string& dropped) {
    const auto reason = dropped == "too_large" ? Refusal::too_large
                        : dropped == "unasked" ? Refusal::unasked
                                               : Refusal::malformed;
    later([this, url, reason] { context_.handlers.on_refused(url, reason); });
  };
  handlers.on_health = [this, url](RelayState state, const std::string& reason) {
    later([this, url, state, reason] { context_.handlers.on_health(url, state, reason); });
  };
  handlers.on_notice = [this, url](const std::string& text) {
    later([this, url, text] { context_.handlers.on_notice(url, text); });
  };
  return handlers;
}

// A customer's relay is asked for nothing but queries.
void RelayHub::receive(const std::string& url, Deliver delivered) {
  if (queries_.contains(delivered.subscription)) {
    queries_.receive(url, std::move(delivered));
  } else {
    own_.receive(url, std::move(delivered));
  }
}

RelayLink* RelayHub::find_link(const std::string& url) const {
  auto* own = own_.find(url);
  return own ? own : guests_.find(url);
}

RelayLink* RelayHub::link_for(const RelayUrl& url) {
  auto* own = own_.find(url.text());
  return own ? own : guests_.use(url);
}

// Never from inside the user's own call: what follows from an answer may be another call.
void RelayHub::later(Task report) {
  context_.ports.post([self = shared_from_this(), report = std::move(report)] {
    if (!self->abandoned_) report();
  });
}

void RelayHub::verify(std::shared_ptr<const Event> event, std::function<void(std::optional<Refusal>)> done) {
  context_.ports.verify(std::move(event), [self = shared_from_this(), done = std::move(done)](auto reason) {
    if (!self->abandoned_) done(reason);
  });
}

}  // namespace nostr
