#include "pipeline/nostr/relay/pool.h"

#include <boost/asio/dispatch.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <utility>

#include "pipeline/nostr/relay/client.h"

namespace nostr {

using net::parse_relay_url;

namespace asio = boost::asio;

// The hub's ports over Asio: sockets, the io_context's thread, and a few threads for signatures.
class RelayPool::Impl {
 public:
  Impl(asio::io_context& io, PoolOptions options, PoolHandlers handlers)
      : io_(io),
        options_(std::move(options)),
        connector_(io, {.extra_ca_file = options_.extra_ca_file, .only_pem = {}}),
        lookups_(io),
        verifiers_(options_.verify_threads),
        hub_(std::make_shared<RelayHub>(HubOptions{.wanted = options_.wanted,
                                                   .reads_at_once = options_.reads_at_once,
                                                   .us = options_.us,
                                                   .limits = options_.limits,
                                                   .max_guests = options_.max_guests,
                                                   .clock = options_.clock},
                                        ports(), std::move(handlers))) {}

  ~Impl() {
    verifiers_.stop();
    verifiers_.join();
    hub_->abandon();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  RelayHub& hub() const { return *hub_; }

 private:
  HubPorts ports() {
    return {.link = [this](const RelayUrl& url, bool own,
                           RelayLinkHandlers handlers) { return link(url, own, std::move(handlers)); },
            .post = [&io = io_](std::function<void()> task) { asio::post(io, std::move(task)); },
            .dispatch = [&io = io_](std::function<void()> task) { asio::dispatch(io, std::move(task)); },
            .verify =
                [this](std::shared_ptr<const Event> event, std::function<void(std::optional<Refusal>)> done) {
                  asio::post(verifiers_, [&io = io_, event = std::move(event), done = std::move(done)]() mutable {
                    const auto reason = judge(*event);
                    event.reset();  // the rest of it belongs to the hub's thread
                    asio::post(io, [done = std::move(done), reason] { done(reason); });
                  });
                }};
  }

  std::unique_ptr<RelayLink> link(const RelayUrl& url, bool own, RelayLinkHandlers handlers) {
    RelayClientOptions options;
    options.url = url;
    options.guarded = !own && !options_.allow_private;
    if (!own) options.lookups = &lookups_;
    options.clock = options_.clock;
    options.session.persistent = own;
    options.session.random = options_.random;
    options.session.sign_auth = options_.sign_auth;
    return std::make_unique<RelayClient>(io_, connector_, std::move(options), std::move(handlers));
  }

  asio::io_context& io_;
  PoolOptions options_;
  net::WebsocketConnector connector_;
  net::NameLookups lookups_;
  asio::thread_pool verifiers_;
  std::shared_ptr<RelayHub> hub_;
};

base::Result<std::unique_ptr<RelayPool>> RelayPool::make(asio::io_context& io, PoolOptions options,
                                                         PoolHandlers handlers) {
  std::vector<RelayUrl> own;
  for (const auto& relay : options.relays) {
    auto url = parse_relay_url(relay);
    if (!url) return tl::unexpected(url.error());
    own.push_back(std::move(*url));
  }
  auto impl = std::make_unique<Impl>(io, std::move(options), std::move(handlers));
  for (const RelayUrl& url : own) impl->hub().add_own(url);
  return std::unique_ptr<RelayPool>(new RelayPool(std::move(impl)));
}

RelayPool::RelayPool(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RelayPool::~RelayPool() = default;
void RelayPool::start(const std::map<std::string, TimeMs>& cursors) {
  impl_->hub().start(cursors);
}

void RelayPool::read(const std::string& relay) {
  impl_->hub().read(relay);
}

void RelayPool::publish(const std::string& relay, const std::string& event_json, const EventId& id,
                        std::function<void(ledger::RelayAnswer)> done) {
  impl_->hub().publish(relay, event_json, id, std::move(done));
}
void RelayPool::publish_watched(const std::string& relay, const std::string& event_json, const EventId& id,
                                std::function<void(ledger::RelayAnswer)> done, std::function<void()> sent) {
  impl_->hub().publish_watched(relay, event_json, id, std::move(done), std::move(sent));
}
void RelayPool::query(const std::string& relay, Filter filter,
                      std::function<void(base::Result<std::vector<Event>>)> done) {
  impl_->hub().query(relay, std::move(filter), std::move(done));
}
base::Result<void> RelayPool::watch(std::vector<Filter> filters) {
  return impl_->hub().watch(std::move(filters));
}
void RelayPool::set_limits(const std::string& relay, RelayLimits limits) {
  impl_->hub().set_limits(relay, limits);
}
unsigned RelayPool::required_pow(const std::string& relay) const {
  return impl_->hub().required_pow(relay);
}
std::optional<TimeMs> RelayPool::cursor(const std::string& relay) const {
  return impl_->hub().cursor(relay);
}
std::vector<RelayHealth> RelayPool::health() const {
  return impl_->hub().health();
}
void RelayPool::shut_down() {
  impl_->hub().shut_down();
}

}  // namespace nostr
