// A simulated relay: speaks NIP-01 and NIP-42 in frames, keeps events, and misbehaves as the faults say.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "pipeline/nostr/event.h"
#include "pipeline/nostr/messages.h"

namespace sim {

class World;

// One websocket connection to a relay. The client owns it; the relay sees whether it still exists.
struct Wire {
  std::function<void(const std::string& frame)> on_frame;
  std::function<void(const std::string& reason)> on_closed;
  std::map<std::string, std::vector<nostr::Filter>> subscriptions;
  std::string challenge;      // not empty: the client must say who it is first
  base::TimeMs last_arrival;  // of all frames so far
  bool open = true;
  bool dead = false;  // loses everything
};

class SimRelay {
 public:
  SimRelay(World& world, std::string url, std::size_t page);

  const std::string& url() const { return url_; }
  // Whoever is not its customer cannot ask it for requests that are open to all.
  bool hides_open_requests() const { return wants_someone_; }

  // Called by the client's transport at the moment at which its bytes arrive.
  bool accept(const std::shared_ptr<Wire>& wire);  // false: the connection is refused
  void receive(const std::shared_ptr<Wire>& wire, const std::string& frame);

  // A customer's request, over a connection of their own.
  void store(const nostr::Event& event);
  // Closes every connection.
  void restart();
  // The same, and refuses new ones until it comes up again. It keeps what it has.
  void go_down();
  void come_up() { down_ = false; }

 private:
  void on_event(const std::shared_ptr<Wire>& wire, const nostr::Event& event);
  void on_auth(const std::shared_ptr<Wire>& wire, const nostr::Event& event);
  void on_req(const std::shared_ptr<Wire>& wire, const std::string& id, std::vector<nostr::Filter> filters);
  std::string refusal(const std::vector<nostr::Filter>& filters) const;
  void send(const std::shared_ptr<Wire>& wire, const std::string& frame);
  void deliver(const nostr::Event& event);
  void leave_crowd(std::int64_t created_at_s);
  void leave_poison();
  void send_event(const std::shared_ptr<Wire>& wire, const std::string& id, const nostr::Event& event);
  void send_junk(const std::shared_ptr<Wire>& wire, const std::string& id, const nostr::Event& event);
  void cut(const std::shared_ptr<Wire>& wire, const std::string& frame);

  World& world_;
  std::string url_;
  std::size_t page_;
  const bool limits_kinds_;
  const bool wants_someone_;
  bool down_ = false;
  std::deque<nostr::Event> events_;
  std::map<base::EventId, std::string> poison_;  // the bytes that are sent in the place of these events
  std::vector<std::weak_ptr<Wire>> wires_;
};

}  // namespace sim
