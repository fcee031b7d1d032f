// One websocket to a server that the operator named. The server sends messages; we send only pings. Callbacks come on
// the io_context's thread, never from within the constructor.
#pragma once

#include "pipeline/net/http_call.h"
#include "pipeline/net/websocket.h"

namespace net {

struct WebsocketFeedRequest {
  std::string path;
  std::vector<std::pair<std::string, std::string>> headers;
  std::size_t max_message_bytes = 0;  // a larger one ends the connection
  std::int64_t connect_ms = 0;        // handshakes included; later, pings show whether the server is still there
};

// `closed` comes once, last.
struct WebsocketFeedCallbacks {
  std::function<void()> opened;
  std::function<void(std::string_view text)> message;
  std::function<void()> closed;
};

class WebsocketFeed {
 public:
  // `connector` must already trust the origin's certificates. It is first used after the server's name is resolved.
  WebsocketFeed(boost::asio::io_context& io, WebsocketConnector& connector, const HttpOrigin& origin,
                WebsocketFeedRequest request, WebsocketFeedCallbacks callbacks);
  // Closes the connection and silences the callbacks; may run inside one of them.
  ~WebsocketFeed();
  WebsocketFeed(const WebsocketFeed&) = delete;
  WebsocketFeed& operator=(const WebsocketFeed&) = delete;

 private:
  class Connection;
  std::shared_ptr<Connection> connection_;
};

}  // namespace net
