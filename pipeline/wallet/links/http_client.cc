#include "pipeline/wallet/links/http_client.h"

#include <algorithm>

#include "base/base64.h"
#include "base/scheduler.h"
#include "pipeline/net/websocket_feed.h"
#include "pipeline/wallet/replies.h"

namespace wallet {

using base::Result;

namespace {

constexpr std::size_t kMaxMessageBytes = 256 * 1024;  // that is pushed
constexpr std::int64_t kFirstReconnectMs = 1'000;
constexpr std::int64_t kLongestReconnectMs = 60'000;

tl::unexpected<base::Error> failed(const net::HttpFailure& failure, const net::HttpOrigin& origin) {
  std::string hint;
  if (failure.untrusted) {
    hint = origin.trusted_pem.empty()
               ? "if that is your server's own certificate, copy it to wallet.certificate_file"
               : "wallet.certificate_file must hold the certificate that the server has now, or its authority's; and "
                 "wallet.url a name that it is for";
  }
  return unreachable(failure.message + " (" + origin.authority + ")", std::move(hint));
}

// The header's values; of "Basic dXNlcjpwYXNz" also "dXNlcjpwYXNz", "user:pass" and "pass" (RFC 7617).
std::vector<std::string> secrets_of(const HttpAccess& access) {
  constexpr std::string_view kBasic = "Basic ";
  std::vector<std::string> out;
  for (const auto& [name, value] : access.headers) {
    out.push_back(value);
    if (!value.starts_with(kBasic)) continue;
    out.push_back(value.substr(kBasic.size()));
    out.push_back(base::from_base64(out.back()).value_or(""));
    out.push_back(out.back().substr(out.back().find(':') + 1));
  }
  return out;
}

}  // namespace

// One call; its reply is kept until it is whole.
class HttpClient::Call : public std::enable_shared_from_this<Call> {
 public:
  Call(HttpClient& client, std::function<void(Result<HttpReply>)> done) : client_(client), done_(std::move(done)) {}

  void start(HttpCall call) {
    const std::int64_t limit_ms = client_.timeouts_.reply_ms;
    call_ = std::make_unique<net::HttpCall>(
        client_.io_, client_.access_.origin,
        net::HttpRequest{.path = std::move(call.path),
                         .body = std::move(call.body),
                         .content_type = std::move(call.content_type),
                         .headers = client_.access_.headers},
        net::HttpTimeouts{.connect_ms = client_.timeouts_.connect_ms, .first_byte_ms = limit_ms, .stall_ms = limit_ms},
        net::HttpCallbacks{
            .head = [this](unsigned status) { reply_.status = status; },
            .body = [this](std::string_view bytes) { take(bytes); },
            .end = [this] { finish_whole(); },
            .failed = [this](const net::HttpFailure& failure) { finish(failed(failure, client_.access_.origin)); },
            .retry_after = [this](std::int64_t seconds) { reply_.retry_after_s = seconds; }});
  }

 private:
  void take(std::string_view bytes) {
    if (reply_.body.size() + bytes.size() > kMaxReplyBytes) return finish(malformed("it is without end"));
    reply_.body.append(bytes);
  }

  void finish_whole() {
    reply_.body = hide_secrets(std::move(reply_.body), client_.secrets_);
    finish(std::move(reply_));
  }

  void finish(Result<HttpReply> reply) {
    const auto self = shared_from_this();
    client_.calls_.erase(self);
    call_.reset();
    done_(std::move(reply));
  }

  HttpClient& client_;
  const std::function<void(Result<HttpReply>)> done_;
  HttpReply reply_;
  std::unique_ptr<net::HttpCall> call_;
};

// A connection that is made again whenever it ends.
class HttpClient::Feed : public std::enable_shared_from_this<Feed> {
 public:
  Feed(HttpClient& client, HttpFeed feed) : client_(client), feed_(std::move(feed)) {}

  void connect() {
    line_.clear();
    if (feed_.websocket) {
      connect_websocket();
    } else {
      connect_lines();
    }
  }

 private:
  void connect_lines() {
    const std::int64_t limit_ms = client_.timeouts_.feed_ms;
    call_ = std::make_unique<net::HttpCall>(
        client_.io_, client_.access_.origin,
        net::HttpRequest{.path = feed_.path, .body = {}, .headers = client_.access_.headers},
        net::HttpTimeouts{.connect_ms = client_.timeouts_.connect_ms, .first_byte_ms = limit_ms, .stall_ms = limit_ms},
        net::HttpCallbacks{.head =
                               [this](unsigned status) {
                                 if (status != 200) return ended();
                                 opened();
                               },
                           .body = [this](std::string_view bytes) { take(bytes); },
                           .end = [this] { ended(); },
                           .failed = [this](const net::HttpFailure&) { ended(); }});
  }

  void connect_websocket() {
    if (!connector_) {
      connector_ = std::make_unique<net::WebsocketConnector>(
          client_.io_, net::WebsocketTrust{.extra_ca_file = {}, .only_pem = client_.access_.origin.trusted_pem});
    }
    socket_ = std::make_unique<net::WebsocketFeed>(
        client_.io_, *connector_, client_.access_.origin,
        net::WebsocketFeedRequest{.path = feed_.path,
                                  .headers = client_.access_.headers,
                                  .max_message_bytes = kMaxMessageBytes,
                                  .connect_ms = client_.timeouts_.connect_ms},
        net::WebsocketFeedCallbacks{.opened = [this] { opened(); },
                                    .message = [this](std::string_view text) { say(text); },
                                    .closed = [this] { ended(); }});
  }

  void opened() {
    pause_ms_ = kFirstReconnectMs;
    feed_.opened();
  }

  void take(std::string_view bytes) {
    line_.append(bytes);
    std::size_t from = 0;
    for (std::size_t end; (end = line_.find('\n', from)) != std::string::npos; from = end + 1) {
      if (end > from) say(std::string_view(line_).substr(from, end - from));
    }
    line_.erase(0, from);
    if (line_.size() > kMaxMessageBytes) ended();
  }

  void say(std::string_view message) { feed_.said(hide_secrets(std::string(message), client_.secrets_)); }

  void ended() {
    call_.reset();
    socket_.reset();
    client_.scheduler_.after(pause_ms_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->connect();
    });
    pause_ms_ = std::min(2 * pause_ms_, kLongestReconnectMs);
  }

  HttpClient& client_;
  const HttpFeed feed_;
  std::string line_;
  std::int64_t pause_ms_ = kFirstReconnectMs;
  std::unique_ptr<net::HttpCall> call_;
  std::unique_ptr<net::WebsocketConnector> connector_;
  std::unique_ptr<net::WebsocketFeed> socket_;
};

HttpClient::HttpClient(boost::asio::io_context& io, base::Scheduler& scheduler, HttpAccess access,
                       HttpClientTimeouts timeouts)
    : io_(io), scheduler_(scheduler), access_(std::move(access)), secrets_(secrets_of(access_)), timeouts_(timeouts) {}

HttpClient::~HttpClient() = default;

void HttpClient::call(HttpCall call, std::function<void(Result<HttpReply>)> done) {
  const auto made = std::make_shared<Call>(*this, std::move(done));
  calls_.insert(made);
  made->start(std::move(call));
}

void HttpClient::feed(HttpFeed feed) {
  feeds_.push_back(std::make_shared<Feed>(*this, std::move(feed)));
  feeds_.back()->connect();
}

}  // namespace wallet
