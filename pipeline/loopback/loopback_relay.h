// A small relay in memory, on 127.0.0.1 only: for tests and for `sellcompute demo`. NIP-01 with checked ids and
// signatures, stored events newest first, live events to whoever subscribed. It forgets everything when it ends.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "pipeline/nostr/event.h"

namespace boost::asio {
class io_context;
}

namespace loopback {

// What goes wrong with one frame of a client (tests).
struct RelayFault {
  bool drop = false;          // the connection
  bool ignore = false;        // the frame
  std::int64_t delay_ms = 0;  // before the frame is handled
  std::string refuse;         // an EVENT is answered with false and this message
};

struct LoopbackRelayOptions {
  std::uint16_t port = 0;           // 0: any free one
  std::size_t max_events = 10'000;  // the oldest is forgotten
  std::size_t max_page = 500;       // stored events for one filter
  std::size_t max_message_bytes = 1024 * 1024;
  std::function<RelayFault(std::string_view frame)> fault;
};

// Lives on one io_context thread, which must outlive it. Throws boost::system::system_error if it cannot listen.
class LoopbackRelay {
 public:
  LoopbackRelay(boost::asio::io_context& io, LoopbackRelayOptions options = {});
  ~LoopbackRelay();

  std::uint16_t port() const;
  std::string url() const;  // ws://127.0.0.1:PORT

  // Stores and delivers an event without checking it: what a relay that lies would send.
  void inject(const nostr::Event& event);
  void drop_connections();
  std::size_t connections() const;
  std::size_t stored() const;

 private:
  class Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace loopback
