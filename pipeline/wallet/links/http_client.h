// A wallet's server over HTTP: calls by net::HttpCall, feeds by it or by net::WebsocketFeed. Lives on one io_context
// thread; destroying it ends the open calls without calling their `done`. Replies and messages that repeat the
// credential have it replaced (hide_secrets).
#pragma once

#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "base/scheduler.h"
#include "pipeline/net/http_call.h"
#include "pipeline/wallet/links/http.h"

namespace wallet {

struct HttpAccess {
  net::HttpOrigin origin;
  std::vector<std::pair<std::string, std::string>> headers;  // the credential: never logged
};

struct HttpClientTimeouts {
  std::int64_t connect_ms = 5'000;
  std::int64_t reply_ms = 20'000;
  std::int64_t feed_ms = 600'000;  // of silence; then the feed reconnects, because the server may be gone
};

class HttpClient final : public Http {
 public:
  HttpClient(boost::asio::io_context& io, base::Scheduler& scheduler, HttpAccess access,
             HttpClientTimeouts timeouts = {});
  ~HttpClient() override;

  void call(HttpCall call, std::function<void(base::Result<HttpReply>)> done) override;
  void feed(HttpFeed feed) override;

 private:
  class Call;
  class Feed;

  boost::asio::io_context& io_;
  base::Scheduler& scheduler_;
  const HttpAccess access_;
  const std::vector<std::string> secrets_;  // every form of the credential in access_.headers
  const HttpClientTimeouts timeouts_;
  std::set<std::shared_ptr<Call>> calls_;
  std::vector<std::shared_ptr<Feed>> feeds_;
};

}  // namespace wallet
