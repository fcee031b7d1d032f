// One websocket connection to a server, over TCP or TLS (RFC 6455). The only place where websocketpp is used; this
// header is free of it, and of C++20: websocket.cc is compiled as C++17, because websocketpp 0.8.2 does not compile as
// C++20.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace boost::asio {
class io_context;
}

namespace net {

// Where to connect. The address was resolved and judged by the caller, once: no name is looked up here.
struct WebsocketDial {
  bool tls = true;
  std::string host;  // for the Host header, SNI and the certificate; an IPv6 literal without brackets
  std::uint16_t port = 443;
  std::string target;                                        // path and query, "/" if empty
  std::string address;                                       // numeric IPv4 or IPv6
  std::size_t max_message_bytes = 0;                         // a longer message is skipped
  std::vector<std::pair<std::string, std::string>> headers;  // of the request that opens it; credentials too
  std::string peer = "server";                               // what reasons call the other side
};

// A message that was read and dropped, and why; the connection goes on (websocket_messages.h).
enum class SkippedMessage { too_long, not_utf8 };

// What the connection reports, on the io_context's thread and never from inside a call of the Websocket.
struct WebsocketHandlers {
  std::function<void()> on_open;
  std::function<void(std::string)> on_text;  // UTF-8
  std::function<void(SkippedMessage)> on_skipped;
  std::function<void()> on_pong;
  std::function<void()> on_idle;  // the peer sent what is no message for us: a ping, which is answered, or bytes
  // Last of all, once, with a reason for a person: "connection refused", "TLS: certificate expired 3 days ago"; headers
  // are not repeated.
  std::function<void(std::string)> on_closed;
};

// Destroying it closes the connection (close frame first, then TCP, two seconds at most) and silences the handlers.
// Time-outs are the caller's: a dial that gets no answer stays silent.
class Websocket {
 public:
  class Connection;
  explicit Websocket(std::shared_ptr<Connection> connection);
  ~Websocket();
  Websocket(const Websocket&) = delete;
  Websocket& operator=(const Websocket&) = delete;

  // Only after on_open; silently dropped when the connection is ending (on_closed follows). What the peer does not read
  // is buffered, up to 8 MiB; beyond that the connection is closed.
  void send_text(const std::string& text);
  void ping();
  // Stops reading from the network, so that TCP slows the server down; messages already read are still delivered.
  void pause_reading(bool paused);

 private:
  std::shared_ptr<Connection> connection_;
};

// The certificate authorities that a TLS connection trusts: the system's, or those of `only_pem` if it is not empty
// (the text of a PEM file); besides them those in the file `extra_ca_file`, if one is named.
struct WebsocketTrust {
  std::string extra_ca_file;
  std::string only_pem;
};

// Makes connections. TLS 1.2 or newer; the certificate must be for the dialled host. Trust that cannot be loaded fails
// each TLS connection.
class WebsocketConnector {
 public:
  explicit WebsocketConnector(boost::asio::io_context& io, const WebsocketTrust& trust = {});
  ~WebsocketConnector();

  std::unique_ptr<Websocket> connect(const WebsocketDial& dial, WebsocketHandlers handlers);

 private:
  struct Trust;
  boost::asio::io_context& io_;
  std::shared_ptr<Trust> trust_;
};

}  // namespace net
