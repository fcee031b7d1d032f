// One websocket connection to a relay over TCP or TLS (RFC 6455). The only place where websocketpp is used; this header
// is free of it, and of C++20: socket.cc is compiled as C++17, because websocketpp 0.8.2 does not compile as
// C++20.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace boost::asio {
class io_context;
}

namespace nostr {

// Where to connect. The address was resolved and judged by the caller, once: no name is looked up here.
struct RelayDial {
  bool tls = true;
  std::string host;  // for the Host header, SNI and the certificate; an IPv6 literal without brackets
  std::uint16_t port = 443;
  std::string target;                 // path and query, "/" if empty
  std::string address;                // numeric IPv4 or IPv6
  std::size_t max_message_bytes = 0;  // a larger message closes the connection
};

// What the connection reports, on the io_context's thread and never from inside a call of the RelaySocket.
struct RelaySocketHandlers {
  std::function<void()> on_open;
  std::function<void(std::string)> on_text;
  std::function<void()> on_pong;
  // Last of all, once, with a reason for a person: "connection refused", "TLS: certificate expired 3 days ago".
  std::function<void(std::string)> on_closed;
};

// Destroying it closes the connection (close frame first, then TCP, two seconds at most) and silences the handlers.
// Time-outs are the caller's: a dial that gets no answer stays silent.
class RelaySocket {
 public:
  class Connection;
  explicit RelaySocket(std::shared_ptr<Connection> connection);
  ~RelaySocket();
  RelaySocket(const RelaySocket&) = delete;
  RelaySocket& operator=(const RelaySocket&) = delete;

  // Only after on_open; silently dropped when the connection is ending (on_closed follows). What the peer does not read
  // is buffered, up to 8 MiB; beyond that the connection is closed.
  void send_text(const std::string& text);
  void ping();
  // Stops reading from the network, so that the relay is slowed down by TCP; messages already read are still delivered.
  void pause_reading(bool paused);

 private:
  std::shared_ptr<Connection> connection_;
};

// Makes connections that trust the system's certificate authorities and those of `extra_ca_file` (PEM; empty: none).
// TLS 1.2 or newer; the certificate must be for the dialled host. Trust that cannot be loaded fails each wss
// connection.
class RelayConnector {
 public:
  explicit RelayConnector(boost::asio::io_context& io, const std::string& extra_ca_file = {});
  ~RelayConnector();

  std::unique_ptr<RelaySocket> connect(const RelayDial& dial, RelaySocketHandlers handlers);

 private:
  struct Trust;
  boost::asio::io_context& io_;
  std::shared_ptr<Trust> trust_;
};

}  // namespace nostr
