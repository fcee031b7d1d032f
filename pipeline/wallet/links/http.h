// The port to wallets that use HTTP. It has no sockets, so tests can script each wallet's answers. http_client.h is the
// real one.
#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace wallet {

inline constexpr std::size_t kMaxReplyBytes = 1024 * 1024;

struct HttpCall {
  std::string path;       // "/v1/invoices", with its query
  std::string body = {};  // empty: GET, else POST
  std::string content_type = "application/json";
};

struct HttpReply {
  unsigned status = 0;
  std::string body;                // at most kMaxReplyBytes
  std::int64_t retry_after_s = 0;  // 0: not said
};

// What the server says without being asked: the lines of a body without end, or the messages of a websocket.
struct HttpFeed {
  std::string path;
  bool websocket = false;
  std::function<void()> opened;  // at every connection: what was said in between is lost
  std::function<void(std::string_view message)> said;
};

class Http {
 public:
  virtual ~Http() = default;
  // One call, with the wallet's credential. Exactly one answer; fails with "wallet.unreachable" when there is no whole
  // reply in time.
  virtual void call(HttpCall call, std::function<void(base::Result<HttpReply>)> done) = 0;
  // Keeps the feed connected while this object lives. Reconnects after growing pauses.
  virtual void feed(HttpFeed feed) = 0;
};

}  // namespace wallet
