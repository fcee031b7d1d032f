// One websocket connection (RFC 6455) to a server that the operator named, ws or wss: what it says is handed over, and
// nothing is said to it. (Relays have a connection of their own, relay_socket.h.) Callbacks come on the io_context's
// thread, never from within the constructor.
#pragma once

#include "pipeline/net/http_call.h"

namespace net {

struct WebsocketRequest {
  std::string path;
  std::vector<std::pair<std::string, std::string>> headers;
  std::size_t max_message_bytes = 0;  // a larger one ends the connection
  std::int64_t connect_ms = 0;        // handshakes included; later a ping finds out whether the other side is there
};

// `closed` comes once, last.
struct WebsocketCallbacks {
  std::function<void()> opened;
  std::function<void(std::string_view text)> message;
  std::function<void()> closed;
};

class Websocket {
 public:
  Websocket(boost::asio::io_context& io, const HttpOrigin& origin, WebsocketRequest request,
            WebsocketCallbacks callbacks);
  // Closes the connection and silences the callbacks; may run inside one of them.
  ~Websocket();
  Websocket(const Websocket&) = delete;
  Websocket& operator=(const Websocket&) = delete;

 private:
  class Exchange;
  std::shared_ptr<Exchange> exchange_;
};

}  // namespace net
