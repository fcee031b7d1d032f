#include "pipeline/nostr/relay_pool.h"

#include <algorithm>
#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <utility>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90.h"
#include "pipeline/nostr/relay_client.h"

namespace nostr {
namespace {

namespace asio = boost::asio;
using ledger::RelayAnswer;

constexpr char kIntake[] = "in";  // the id of our one subscription

// One of our own relays.
struct Source {
  std::string url;
  std::unique_ptr<RelayClient> client;
  IntakeCursor cursor;
  std::optional<TimeMs> last_event;
};

// A source's cursor stays behind an event while this lives. On the io_context's thread only.
class Hold {
 public:
  Hold(const std::shared_ptr<Source>& source, TimeMs now, std::size_t max_unhandled)
      : source_(source), hold_(source->cursor.hold(now)), resume_at_(max_unhandled / 2) {
    if (source->cursor.unhandled() == max_unhandled) source->client->pause_reading(true);
  }
  ~Hold() {
    const auto source = source_.lock();
    if (!source) return;
    source->cursor.release(hold_);
    if (source->cursor.unhandled() == resume_at_) source->client->pause_reading(false);
  }
  Hold(const Hold&) = delete;
  Hold& operator=(const Hold&) = delete;

 private:
  std::weak_ptr<Source> source_;
  IntakeCursor::Hold hold_;
  std::size_t resume_at_;
};
using Holds = std::vector<std::unique_ptr<Hold>>;

// What the pool's user keeps until the event is handled. The holds go home to the io_context's thread to end.
class Receipt {
 public:
  Receipt(asio::io_context& io, std::unique_ptr<Hold> first) : io_(io) { holds_.push_back(std::move(first)); }
  ~Receipt() {
    asio::dispatch(io_, [holds = std::move(holds_)]() mutable { holds.clear(); });
  }
  Receipt(const Receipt&) = delete;
  Receipt& operator=(const Receipt&) = delete;

  // The same event came from another relay too.
  void add(std::unique_ptr<Hold> hold) { holds_.push_back(std::move(hold)); }

 private:
  asio::io_context& io_;
  Holds holds_;
};

// An event on its way through the signature check.
struct Candidate {
  std::shared_ptr<Source> source;
  Deliver delivered;
  std::unique_ptr<Hold> hold;
};

}  // namespace

class RelayPool::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, PoolOptions options, PoolHandlers handlers)
      : io_(io),
        options_(std::move(options)),
        handlers_(std::move(handlers)),
        connector_(io, options_.extra_ca_file),
        verifiers_(options_.verify_threads),
        remembered_(options_.limits.max_remembered) {}

  void add_own(const RelayUrl& url) {
    auto source = std::make_shared<Source>(Source{url.text(), nullptr, IntakeCursor(now()), {}});
    if (!sources_.emplace(source->url, source).second) return;  // named twice
    RelayClientHandlers handlers = common_handlers(source->url);
    const std::weak_ptr weak = source;
    handlers.on_event = [this, weak](Deliver delivered) { screen_event(weak.lock(), std::move(delivered)); };
    handlers.on_caught_up = [this, weak](const std::string&) { weak.lock()->cursor.on_caught_up(now()); };
    handlers.on_heard = [this, weak] { weak.lock()->cursor.on_heard(now()); };
    handlers.on_health = [weak, inner = handlers.on_health](RelayState state, const std::string& reason) {
      if (state != RelayState::live) weak.lock()->cursor.on_gap();
      inner(state, reason);
    };
    source->client = make_client(url, true, std::move(handlers));
  }

  void start(const std::map<std::string, TimeMs>& cursors) {
    started_ = true;
    std::map<std::string, TimeMs> normal;
    for (const auto& [url, cursor] : cursors) normal[normal_form(url)] = cursor;
    for (const auto& [url, source] : sources_) {
      const auto known = normal.find(url);
      source->cursor = IntakeCursor(known == normal.end() ? now() : known->second);
      source->client->subscribe(kIntake, [this, weak = std::weak_ptr(source)] { return filters(*weak.lock()); });
      source->client->start();
    }
  }

  void publish(const std::string& relay, const std::string& event_json, const EventId& id,
               std::function<void(RelayAnswer)> done) {
    const auto url = parse_relay_url(relay);
    if (!url) return answer_later(relay, {id, false, url.error().describe()}, {std::move(done)});
    auto* client = client_for(*url);
    if (!client) {
      const auto message = "not sent: " + std::to_string(guests_.size()) + " customers' relays are in use already";
      return answer_later(url->text(), {id, false, message}, {std::move(done)});
    }
    waiting_[{url->text(), id}].push_back(std::move(done));
    client->publish(id, event_json);
  }

  std::optional<TimeMs> cursor(const std::string& relay) const {
    const auto found = sources_.find(normal_form(relay));
    if (!started_ || found == sources_.end()) return std::nullopt;
    return found->second->cursor.value();
  }

  std::vector<RelayHealth> health() const {
    std::vector<RelayHealth> all;
    const auto add = [&](const std::string& url, const RelaySession& session, const Source* own) {
      RelayHealth health{url, own != nullptr, session.state(), session.reason(), session.latency_ms(), {}, {}};
      if (own) health.last_event = own->last_event;
      if (own && started_) health.cursor = own->cursor.value();
      all.push_back(std::move(health));
    };
    for (const auto& [url, source] : sources_) add(url, source->client->session(), source.get());
    for (const auto& [url, guest] : guests_) add(url, guest.client->session(), nullptr);
    return all;
  }

  void shut_down() {
    for (const auto& [url, source] : sources_) source->client->shut_down();
    for (const auto& [url, guest] : guests_) guest.client->shut_down();
  }

  // Nothing of what is under way reports any more.
  void abandon() {
    shut_down();
    abandoned_ = true;
    verifiers_.stop();
    verifiers_.join();
    guests_.clear();
    sources_.clear();
  }

 private:
  struct Guest {
    std::unique_ptr<RelayClient> client;
    TimeMs last_used;
  };

  TimeMs now() const { return options_.clock(); }

  static std::string normal_form(const std::string& url) {
    const auto parsed = parse_relay_url(url);
    return parsed ? parsed->text() : url;
  }

  std::vector<Filter> filters(const Source& source) const {
    auto wanted = options_.wanted;
    for (auto& filter : wanted) filter.since_s = since_s(source.cursor.value(), options_.limits, now());
    return wanted;
  }

  // Never from inside the user's own call: what follows from an answer may be another call.
  template <class F>
  void later(F report) {
    asio::post(io_, [self = shared_from_this(), report = std::move(report)]() mutable {
      if (!self->abandoned_) report();
    });
  }

  RelayClientHandlers common_handlers(const std::string& url) {
    RelayClientHandlers handlers;
    handlers.on_answer = [this, url](PublishAnswer answer) {
      if (auto waiting = waiting_.extract({url, answer.event})) {
        answer_later(url, std::move(answer), std::move(waiting.mapped()));
      }
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

  std::unique_ptr<RelayClient> make_client(const RelayUrl& url, bool own, RelayClientHandlers handlers) {
    RelayClientOptions options;
    options.url = url;
    options.guarded = !own && !options_.allow_private;
    options.clock = options_.clock;
    options.session.persistent = own;
    options.session.random = options_.random;
    options.session.sign_auth = options_.sign_auth;
    return std::make_unique<RelayClient>(io_, connector_, std::move(options), std::move(handlers));
  }

  // ---- publishing ----

  RelayClient* client_for(const RelayUrl& url) {
    if (const auto own = sources_.find(url.text()); own != sources_.end()) return own->second->client.get();
    auto found = guests_.find(url.text());
    if (found == guests_.end()) {
      if (!make_room()) return nullptr;
      found = guests_.emplace(url.text(), Guest{make_client(url, false, common_handlers(url.text())), now()}).first;
    }
    found->second.last_used = now();
    return found->second.client.get();
  }

  // Forgets the guest that was used longest ago, of those that have nothing to do.
  bool make_room() {
    if (guests_.size() < options_.max_guests) return true;
    auto oldest = guests_.end();
    for (auto guest = guests_.begin(); guest != guests_.end(); ++guest) {
      if (guest->second.client->session().has_work()) continue;
      if (oldest == guests_.end() || guest->second.last_used < oldest->second.last_used) oldest = guest;
    }
    if (oldest == guests_.end()) return false;
    // It may be the guest itself whose answer led here.
    asio::post(io_, [retired = std::shared_ptr<RelayClient>(std::move(oldest->second.client))] {});
    guests_.erase(oldest);
    return true;
  }

  void answer_later(const std::string& url, PublishAnswer answer,
                    std::vector<std::function<void(RelayAnswer)>> callbacks) {
    later([report = RelayAnswer{url, answer.accepted, std::move(answer.message), now(), {}},
           callbacks = std::move(callbacks)] {
      for (const auto& done : callbacks) done(report);
    });
  }

  // ---- receiving ----

  void refuse(const std::string& url, Refusal reason) {
    later([this, url, reason] { handlers_.on_refused(url, reason); });
  }

  void screen_event(const std::shared_ptr<Source>& source, Deliver delivered) {
    source->last_event = now();
    if (const auto reason = screen(delivered.event, delivered.raw.size(), options_.wanted, options_.limits, now())) {
      return refuse(source->url, *reason);
    }
    auto hold = std::make_unique<Hold>(source, now(), options_.limits.max_unhandled);
    if (is_known(delivered.event.id, *source, hold)) return;
    auto candidate = std::make_shared<Candidate>(Candidate{source, std::move(delivered), std::move(hold)});
    asio::post(verifiers_, [this, candidate = std::move(candidate)]() mutable {
      const auto& event = candidate->delivered.event;
      const auto reason = !id_matches(event)          ? std::optional(Refusal::bad_id)
                          : !signature_matches(event) ? std::optional(Refusal::bad_signature)
                                                      : std::nullopt;
      later([this, candidate = std::move(candidate), reason] { judged(*candidate, reason); });
    });
  }

  // True, and refused, if the event came before. While that one is not handled, this relay's cursor waits for it too.
  bool is_known(const EventId& id, const Source& source, std::unique_ptr<Hold>& hold) {
    const auto known = remembered_.find(id);
    if (!known) return false;
    if (const auto receipt = std::static_pointer_cast<Receipt>(*known)) receipt->add(std::move(hold));
    refuse(source.url, Refusal::duplicate);
    return true;
  }

  // Only verified events are remembered: a forged one must not shut out the real one that has its id.
  void judged(Candidate& candidate, std::optional<Refusal> reason) {
    const auto& url = candidate.source->url;
    if (reason) return handlers_.on_refused(url, *reason);
    const auto id = candidate.delivered.event.id;
    if (is_known(id, *candidate.source, candidate.hold)) return;
    auto receipt = std::make_shared<Receipt>(io_, std::move(candidate.hold));
    remembered_.insert(id, receipt);
    handlers_.on_event(
        {url, std::move(candidate.delivered.event), std::move(candidate.delivered.raw), std::move(receipt)});
  }

  asio::io_context& io_;
  PoolOptions options_;
  PoolHandlers handlers_;
  RelayConnector connector_;
  asio::thread_pool verifiers_;
  Remembered remembered_;
  std::map<std::string, std::shared_ptr<Source>> sources_;
  std::map<std::string, Guest> guests_;
  std::map<std::pair<std::string, EventId>, std::vector<std::function<void(RelayAnswer)>>> waiting_;
  bool started_ = false;
  bool abandoned_ = false;
};

std::vector<Filter> request_filters(const PublicKey& us, bool serve_broadcast) {
  const Filter all{.kinds = {kTextRequestKind}};
  Filter ours = all;
  ours.tags = {{'p', {us.hex()}}};
  if (serve_broadcast) return {ours, all};  // a relay limits what it sends for each: ours are not crowded out
  return {ours};
}

ledger::Result<std::unique_ptr<RelayPool>> RelayPool::make(asio::io_context& io, PoolOptions options,
                                                           PoolHandlers handlers) {
  const auto relays = options.relays;
  auto impl = std::make_shared<Impl>(io, std::move(options), std::move(handlers));
  for (const auto& relay : relays) {
    const auto url = parse_relay_url(relay);
    if (!url) return tl::unexpected(url.error());
    impl->add_own(*url);
  }
  return std::unique_ptr<RelayPool>(new RelayPool(std::move(impl)));
}

RelayPool::RelayPool(std::shared_ptr<Impl> impl) : impl_(std::move(impl)) {}
RelayPool::~RelayPool() {
  impl_->abandon();
}
void RelayPool::start(const std::map<std::string, TimeMs>& cursors) {
  impl_->start(cursors);
}
void RelayPool::publish(const std::string& relay, const std::string& event_json, const EventId& id,
                        std::function<void(RelayAnswer)> done) {
  impl_->publish(relay, event_json, id, std::move(done));
}
std::optional<TimeMs> RelayPool::cursor(const std::string& relay) const {
  return impl_->cursor(relay);
}
std::vector<RelayHealth> RelayPool::health() const {
  return impl_->health();
}
void RelayPool::shut_down() {
  impl_->shut_down();
}

}  // namespace nostr
