// One relay, connected: resolves, judges the address, dials, and drives a RelaySession over a RelaySocket. Used by the
// pool, and by whoever speaks to a single relay (a wallet over NIP-47).
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "pipeline/nostr/relay_session.h"
#include "pipeline/nostr/relay_socket.h"
#include "pipeline/nostr/url_guard.h"

namespace nostr {

struct RelayClientOptions {
  RelayUrl url;
  // A URL that a stranger named: connected only if every address of its host is a public one.
  bool guarded = true;
  std::function<TimeMs()> clock;
  RelaySessionOptions session;  // its url is set from the one above
};

// Called on the io_context's thread. The client may be used from inside them, but not destroyed.
struct RelayClientHandlers {
  std::function<void(Deliver)> on_event = [](const Deliver&) {};
  std::function<void(const std::string& subscription)> on_caught_up = [](const std::string&) {};
  std::function<void(PublishAnswer)> on_answer = [](const PublishAnswer&) {};
  std::function<void(const std::string& reason)> on_dropped = [](const std::string&) {};
  std::function<void(RelayState, const std::string& reason)> on_health = [](RelayState, const std::string&) {};
  std::function<void(const std::string& text)> on_notice = [](const std::string&) {};
  std::function<void()> on_heard = [] {};  // any sign of life, after what it carried was delivered
};

// Lives on one io_context thread, which must outlive it.
class RelayClient {
 public:
  RelayClient(boost::asio::io_context& io, RelayConnector& connector, RelayClientOptions options,
              RelayClientHandlers handlers);
  ~RelayClient();
  RelayClient(const RelayClient&) = delete;
  RelayClient& operator=(const RelayClient&) = delete;

  // As the functions of RelaySession.
  void start();
  void subscribe(const std::string& id, RelaySession::FilterSource filters);
  void unsubscribe(const std::string& id);
  void publish(EventId id, std::string event_json);
  void shut_down();
  const RelaySession& session() const { return session_; }

  // While paused nothing more is read: the relay is slowed down, nothing is lost.
  void pause_reading(bool paused);

 private:
  struct Io;  // the resolver and the one timer

  TimeMs now() const { return options_.clock(); }
  void perform(RelayActions actions);
  void perform(Dial);
  void perform(const SendFrame& action);
  void perform(SendPing);
  void perform(HangUp);
  void perform(Deliver& action);
  void perform(const CaughtUp& action);
  void perform(const PublishAnswer& action);
  void perform(const Dropped& action);
  void perform(const Notice& action);
  void perform(const HealthChange& action);
  void connect(const std::string& address);
  void set_timer();

  RelayConnector& connector_;
  RelayClientOptions options_;
  RelayClientHandlers handlers_;
  RelaySession session_;
  std::unique_ptr<Io> io_;
  std::unique_ptr<RelaySocket> socket_;
  std::deque<RelayAction> to_do_;
  bool performing_ = false;
  bool paused_ = false;
  std::size_t dials_ = 0;
};

}  // namespace nostr
