// Drives one RelaySession: carries out its actions over a transport and passes what concerns the user to handlers.
// Transports derive from RelayLink: sockets in client.h, virtual time in the simulator. Pure.
#pragma once

#include <deque>
#include <functional>
#include <string>

#include "pipeline/nostr/relay/session.h"

namespace nostr {

// Called on the link's thread. The link may be used from inside them, but not destroyed.
struct RelayLinkHandlers {
  std::function<void(Deliver)> on_event = [](const Deliver&) {};
  std::function<void(const CaughtUp&)> on_caught_up = [](const CaughtUp&) {};
  std::function<void(const EventId&)> on_sent = [](const EventId&) {};  // a publication was written to the connection
  std::function<void(PublishAnswer)> on_answer = [](const PublishAnswer&) {};
  std::function<void(QueryEnd)> on_query_end = [](const QueryEnd&) {};
  std::function<void(const std::string& reason)> on_dropped = [](const std::string&) {};
  std::function<void(RelayState, const std::string& reason)> on_health = [](RelayState, const std::string&) {};
  std::function<void(const std::string& text)> on_notice = [](const std::string&) {};
  std::function<void()> on_heard = [] {};  // any sign of life, after what it carried was delivered
};

class RelayLink {
 public:
  RelayLink(RelaySessionOptions options, std::function<TimeMs()> clock, RelayLinkHandlers handlers);
  virtual ~RelayLink() = default;
  RelayLink(const RelayLink&) = delete;
  RelayLink& operator=(const RelayLink&) = delete;

  // As the functions of RelaySession.
  void start() { perform(session_.start(now())); }
  void subscribe(const std::string& id, RelaySession::FilterSource filters, Subscriptions::Options options = {}) {
    perform(session_.subscribe(id, std::move(filters), now(), std::move(options)));
  }
  void unsubscribe(const std::string& id) { perform(session_.unsubscribe(id, now())); }
  void publish(EventId id, std::string event_json) { perform(session_.publish(id, std::move(event_json), now())); }
  void query(const std::string& id, const Filter& filter) { perform(session_.query(id, filter, now())); }
  void useless(Useless what) { perform(session_.on_useless(what, now())); }
  void set_limits(RelayLimits limits) { session_.set_limits(limits); }
  void shut_down() { perform(session_.shut_down()); }
  const RelaySession& session() const { return session_; }

  // While paused, nothing more is read: the relay is slowed down and nothing is lost.
  virtual void pause_reading(bool paused) = 0;

 protected:
  // The session's time. It follows the clock, but if the clock is set back, it continues from its last value. Otherwise
  // every timeout would wait until the clock catches up.
  TimeMs now();

  // What the transport has to do. A dial reports nothing any more after a hang_up() or another dial.
  virtual void dial() = 0;
  virtual void send_text(const std::string& text) = 0;
  virtual void ping() = 0;
  virtual void hang_up() = 0;
  // Call ticked() at this time or soon after, unless an earlier time was asked for already.
  virtual void wake_at(TimeMs time) = 0;

  // What the transport reports, never from inside one of the calls above.
  void opened() { perform(session_.on_open(now())); }
  void received(std::string_view text);
  // A message was read and dropped, because the session could not use it: "too_large" or "malformed" (no UTF-8).
  void skipped(const std::string& reason);
  void ponged();
  void closed(const std::string& reason) { perform(session_.on_closed(clean_relay_text(reason), now())); }
  void forbidden(const std::string& reason) { perform(session_.on_forbidden(reason, now())); }
  void ticked() { perform(session_.on_tick(now())); }

 private:
  struct Performer;

  void perform(RelayActions actions);

  std::function<TimeMs()> clock_;
  TimeMs last_now_;
  std::int64_t set_back_ms_ = 0;  // in all
  RelayLinkHandlers handlers_;
  RelaySession session_;
  std::deque<RelayAction> to_do_;
  bool performing_ = false;
};

}  // namespace nostr
