#include "pipeline/loopback/loopback_relay.h"

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/websocket.hpp>
#include <deque>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/relay/filter.h"

namespace loopback {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace websocket = boost::beast::websocket;
using asio::ip::tcp;
using boost::system::error_code;
using nlohmann::json;
using nostr::Event;
using nostr::Filter;

constexpr std::size_t kMaxSubscriptions = 32;  // of one client

// ---- frames ---------------------------------------------------------------------------------------------------------

std::string event_frame(const std::string& subscription, const Event& event) {
  return "[\"EVENT\"," + json(subscription).dump() + "," + nostr::to_json(event) + "]";
}

// ---- one client -----------------------------------------------------------------------------------------------------

class Peer : public std::enable_shared_from_this<Peer> {
 public:
  Peer(tcp::socket socket, std::size_t max_message_bytes) : stream_(std::move(socket)) {
    stream_.read_message_max(max_message_bytes);
  }

  void start() {
    stream_.async_accept([self = shared_from_this()](const error_code& ec) {
      if (ec) return self->gone();
      self->read_next();
    });
  }

  void send(std::string frame) {
    outgoing_.push_back(std::move(frame));
    if (outgoing_.size() == 1) write_next();
  }

  void drop() {
    error_code ignored;
    stream_.next_layer().close(ignored);
  }

  std::map<std::string, std::vector<Filter>> subscriptions;
  std::function<void(const std::shared_ptr<Peer>&, std::string)> on_frame;
  std::function<void(const std::shared_ptr<Peer>&)> on_gone;

 private:
  void read_next() {
    stream_.async_read(incoming_, [self = shared_from_this()](const error_code& ec, std::size_t) {
      if (ec) return self->gone();
      auto frame = beast::buffers_to_string(self->incoming_.data());
      self->incoming_.clear();
      if (self->on_frame) self->on_frame(self, std::move(frame));
      self->read_next();
    });
  }

  void write_next() {
    stream_.async_write(asio::buffer(outgoing_.front()),
                        [self = shared_from_this()](const error_code& ec, std::size_t) {
                          if (ec) return self->outgoing_.clear();
                          self->outgoing_.pop_front();
                          if (!self->outgoing_.empty()) self->write_next();
                        });
  }

  void gone() {
    if (const auto report = std::exchange(on_gone, nullptr)) report(shared_from_this());
  }

  websocket::stream<tcp::socket> stream_;
  beast::flat_buffer incoming_;
  std::deque<std::string> outgoing_;
};

}  // namespace

// ---- the relay ------------------------------------------------------------------------------------------------------

class LoopbackRelay::Impl : public std::enable_shared_from_this<Impl> {
 public:
  Impl(asio::io_context& io, LoopbackRelayOptions options)
      : io_(io), options_(std::move(options)), acceptor_(io, {asio::ip::address_v4::loopback(), options_.port}) {}

  void accept_next() {
    acceptor_.async_accept([self = weak_from_this()](const error_code& ec, tcp::socket socket) {
      const auto relay = self.lock();
      if (!relay || ec) return;
      relay->welcome(std::move(socket));
      relay->accept_next();
    });
  }

  void inject(const Event& event) {
    store(event);
    fan_out(event);
  }

  void drop_connections() {
    for (const auto& peer : peers_) peer->drop();
  }

  void close() {
    error_code ignored;
    acceptor_.close(ignored);
    for (const auto& peer : peers_) {
      peer->on_frame = nullptr;
      peer->on_gone = nullptr;
      peer->drop();
    }
    peers_.clear();
  }

  std::uint16_t port() const { return acceptor_.local_endpoint().port(); }
  std::size_t connections() const { return peers_.size(); }
  std::size_t stored() const { return events_.size(); }

 private:
  void welcome(tcp::socket socket) {
    const auto peer = std::make_shared<Peer>(std::move(socket), options_.max_message_bytes);
    peer->on_frame = [this](const std::shared_ptr<Peer>& from, std::string frame) { receive(from, std::move(frame)); };
    peer->on_gone = [this](const std::shared_ptr<Peer>& who) { peers_.erase(who); };
    peers_.insert(peer);
    peer->start();
  }

  void receive(const std::shared_ptr<Peer>& peer, std::string frame) {
    const RelayFault fault = options_.fault ? options_.fault(frame) : RelayFault{};
    if (fault.drop) return peer->drop();
    if (fault.ignore) return;
    if (fault.delay_ms == 0) return handle(*peer, frame, fault);
    auto timer = std::make_shared<asio::steady_timer>(io_, std::chrono::milliseconds(fault.delay_ms));
    timer->async_wait([self = weak_from_this(), timer, peer, frame = std::move(frame), fault](const error_code&) {
      if (const auto relay = self.lock()) relay->handle(*peer, frame, fault);
    });
  }

  void handle(Peer& peer, const std::string& frame, const RelayFault& fault) {
    try {
      const auto message = json::parse(frame);
      const auto type = message.at(0).get<std::string>();
      if (type == "EVENT") return handle_event(peer, message.at(1), fault);
      if (type == "REQ") return handle_req(peer, message);
      if (type == "CLOSE") peer.subscriptions.erase(message.at(1).get<std::string>());
    } catch (const json::exception&) {
      peer.send(R"(["NOTICE","error: this is no message of NIP-01"])");
    }
  }

  void handle_event(Peer& peer, const json& object, const RelayFault& fault) {
    const auto event = nostr::parse_event(object.dump());
    if (!event) return peer.send(json{"NOTICE", "error: " + event.error().message}.dump());
    const auto answer = [&](bool accepted, const std::string& message) {
      peer.send(json{"OK", event->id.hex(), accepted, message}.dump());
    };
    if (!fault.refuse.empty()) return answer(false, fault.refuse);
    if (const auto valid = nostr::verify(*event); !valid) return answer(false, "invalid: " + valid.error().message);
    const bool known = std::any_of(events_.begin(), events_.end(), [&](const Event& e) { return e.id == event->id; });
    if (known) return answer(true, "duplicate: already have this event");
    answer(true, "");
    inject(*event);
  }

  void handle_req(Peer& peer, const json& message) {
    const auto id = message.at(1).get<std::string>();
    std::vector<Filter> filters;
    for (std::size_t i = 2; i < message.size(); ++i) filters.push_back(nostr::filter_from(message[i]));
    if (peer.subscriptions.size() >= kMaxSubscriptions && !peer.subscriptions.contains(id)) {
      return peer.send(json{"CLOSED", id, "error: too many subscriptions"}.dump());
    }
    for (const auto* event : nostr::stored_page(events_, filters, options_.max_page))
      peer.send(event_frame(id, *event));
    peer.send(json{"EOSE", id}.dump());
    peer.subscriptions[id] = std::move(filters);
  }

  void store(const Event& event) {
    const bool ephemeral = event.kind >= 20'000 && event.kind < 30'000;  // NIP-01
    if (ephemeral) return;
    events_.push_back(event);
    if (events_.size() > options_.max_events) events_.pop_front();
  }

  void fan_out(const Event& event) {
    for (const auto& peer : peers_) {
      for (const auto& [id, filters] : peer->subscriptions) {
        if (nostr::matches_any(filters, event)) peer->send(event_frame(id, event));
      }
    }
  }

  asio::io_context& io_;
  LoopbackRelayOptions options_;
  tcp::acceptor acceptor_;
  std::set<std::shared_ptr<Peer>> peers_;
  std::deque<Event> events_;
};

LoopbackRelay::LoopbackRelay(asio::io_context& io, LoopbackRelayOptions options)
    : impl_(std::make_shared<Impl>(io, std::move(options))) {
  impl_->accept_next();
}
LoopbackRelay::~LoopbackRelay() {
  impl_->close();
}
std::uint16_t LoopbackRelay::port() const {
  return impl_->port();
}
std::string LoopbackRelay::url() const {
  return "ws://127.0.0.1:" + std::to_string(port());
}
void LoopbackRelay::inject(const Event& event) {
  impl_->inject(event);
}
void LoopbackRelay::drop_connections() {
  impl_->drop_connections();
}
std::size_t LoopbackRelay::connections() const {
  return impl_->connections();
}
std::size_t LoopbackRelay::stored() const {
  return impl_->stored();
}

}  // namespace loopback
