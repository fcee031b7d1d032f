#include "pipeline/web/web_client.h"

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <exception>
#include <optional>

#include "pipeline/net/awaitable.h"
#include "pipeline/net/response_head.h"
#include "pipeline/net/tls_trust.h"

namespace web {
namespace {

using net::into;

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using beast::error_code;

constexpr std::size_t kReadBytes = 16 * 1024;

Address bytes_of(const asio::ip::address& address) {
  if (address.is_v4()) {
    const auto bytes = address.to_v4().to_bytes();
    return {bytes.begin(), bytes.end()};
  }
  const auto bytes = address.to_v6().to_bytes();
  return {bytes.begin(), bytes.end()};
}

std::string readable(const error_code& error) {
  if (error == asio::error::connection_refused) return "connection refused";
  if (error == asio::error::eof || error == http::error::end_of_stream || error == http::error::partial_message ||
      error == asio::ssl::error::stream_truncated) {
    return "it hung up";
  }
  if (error.category() == asio::error::get_ssl_category())
    return net::handshake_fault(static_cast<unsigned long>(error.value()));
  return error.message();
}

Head head_of(const http::response_parser<http::buffer_body>& parser) {
  const auto& message = parser.get();
  const auto field = [&](http::field name) { return std::string(message[name]); };
  Head head{.status = message.result_int(),
            .location = field(http::field::location),
            .content_type = field(http::field::content_type),
            .content_encoding = field(http::field::content_encoding),
            .retry_after = field(http::field::retry_after)};
  if (const auto length = parser.content_length()) head.content_length = *length;
  return head;
}

http::request<http::empty_body> make_request(const WebUrl& url, const std::string& accept) {
  http::request<http::empty_body> request(http::verb::get, url.target, 11);
  request.set(http::field::host, url.authority());
  request.set(http::field::user_agent, "sellcompute");
  request.set(http::field::accept, accept);
  request.set(http::field::accept_encoding, "identity");
  request.keep_alive(false);
  return request;
}

}  // namespace

struct WebClient::Io {
  Io(asio::io_context& context, const std::string& extra_ca_file) : io(context) {
    SSL_CTX_set_min_proto_version(trust.native_handle(), TLS1_2_VERSION);
    error_code error;
    trust.set_default_verify_paths(error);
    if (!error && !extra_ca_file.empty()) {
      trust.load_verify_file(extra_ca_file, error);
      net::trust_each_certificate(trust.native_handle());
    }
    if (error) trust_fault = "the certificate authorities cannot be loaded: " + error.message();
  }

  asio::io_context& io;
  asio::ssl::context trust{asio::ssl::context::tls_client};
  std::string trust_fault;  // fails each https fetch
  // A stranger's name server may be slow, and look-ups cannot be cancelled: those of relays must not queue behind it.
  asio::thread_pool lookups{kMaxFetchesAtOnce};
  std::shared_ptr<bool> alive = std::make_shared<bool>(true);
};

// One fetch, owned by its own coroutine as well, so that `done` may destroy the client.
class WebClient::Transfer : public std::enable_shared_from_this<Transfer> {
 public:
  Transfer(Io& io, const WebOptions& options, WebRequest request)
      : io_(io),
        request_(std::move(request)),
        fetch_({.allow_private = options.allow_private, .own = request_.own}),
        tcp_(io.io),
        timer_(io.io) {
    timer_.expires_after(std::chrono::milliseconds(options.limit_ms));
  }

  void start(Done done) {
    done_ = std::move(done);
    timer_.async_wait([self = shared_from_this()](const error_code& error) {
      if (!error && !self->ended_) self->finish(self->fetch_.on_timeout());
    });
    asio::post(io_.io, [self = shared_from_this()] {
      if (self->ended_) return;
      // What `done` throws is the caller's: it comes out of the io_context, as from any other handler.
      asio::co_spawn(
          self->tcp_.get_executor(), [self] { return self->run(); },
          [](const std::exception_ptr& thrown) {
            if (thrown) std::rethrow_exception(thrown);
          });
    });
  }

  // Silences it.
  void close() {
    ended_ = true;
    timer_.cancel();
    error_code ignored;
    tcp_.close(ignored);
  }

 private:
  asio::awaitable<void> run() {
    Next next = fetch_.start(request_.url);
    while (!ended_ && std::holds_alternative<LookUp>(next)) next = co_await visit();
    if (!ended_) finish(std::move(std::get<Answer>(next)));
  }

  // One hop: what FetchSession wants after it, another hop or nothing more. Whatever it says when ended_ is not heard.
  asio::awaitable<Next> visit() {
    error_code error;
    const auto found = co_await look_up(error);
    if (ended_ || error) co_return fetch_.on_unreachable("no address is known for it");
    std::vector<Address> addresses;
    for (const tcp::endpoint& endpoint : found) addresses.push_back(bytes_of(endpoint.address()));
    const Next next = fetch_.on_addresses(addresses);
    const auto* chosen = std::get_if<Connect>(&next);
    if (chosen == nullptr) co_return next;

    tcp_ = tcp::socket(io_.io);
    co_await tcp_.async_connect(found[chosen->address], into(error));
    if (ended_ || error) co_return fetch_.on_unreachable(readable(error));
    if (!fetch_.url().secure) co_return co_await exchange(tcp_);
    co_return co_await exchange_over_tls();
  }

  asio::awaitable<std::vector<tcp::endpoint>> look_up(error_code& error) {
    const auto resolve = [host = fetch_.url().host, port = fetch_.url().port,
                          &error]() -> asio::awaitable<std::vector<tcp::endpoint>> {
      tcp::resolver resolver(co_await asio::this_coro::executor);
      std::vector<tcp::endpoint> found;
      for (const auto& entry : resolver.resolve(host, std::to_string(port), error)) found.push_back(entry.endpoint());
      co_return found;
    };
    co_return co_await asio::co_spawn(io_.lookups, resolve, asio::use_awaitable);
  }

  asio::awaitable<Next> exchange_over_tls() {
    if (!io_.trust_fault.empty()) co_return fetch_.on_tls_failure(io_.trust_fault);
    const std::string host = fetch_.url().host;
    std::string fault;
    asio::ssl::stream<tcp::socket&> tls(tcp_, io_.trust);
    tls.set_verify_mode(asio::ssl::verify_peer);
    net::expect_host(tls.native_handle(), host);
    tls.set_verify_callback([&fault, &host](bool trusted, asio::ssl::verify_context& context) {
      if (!trusted) fault = net::certificate_fault(context.native_handle(), host);
      return trusted;
    });
    error_code error;
    co_await tls.async_handshake(asio::ssl::stream_base::client, into(error));
    if (error) co_return fetch_.on_tls_failure(fault.empty() ? readable(error) : fault);
    co_return co_await exchange(tls);
  }

  template <class Stream>
  asio::awaitable<Next> exchange(Stream& stream) {
    const auto request = make_request(fetch_.url(), request_.accept);
    beast::flat_buffer buffer;
    std::optional<http::response_parser<http::buffer_body>> parser;  // FetchSession bounds the body
    error_code error;
    co_await http::async_write(stream, request, into(error));
    if (!error) co_await net::read_head(stream, buffer, parser, kMaxHeadBytes, error);
    if (error) co_return fetch_.on_unreachable(readable(error));

    Next next = fetch_.on_head(head_of(*parser));
    std::array<char, kReadBytes> bytes;
    while (std::holds_alternative<Read>(next)) {
      if (parser->is_done()) co_return fetch_.on_end();
      parser->get().body() = {.data = bytes.data(), .size = bytes.size(), .more = true};
      co_await http::async_read_some(stream, buffer, *parser, into(error));
      if (error && error != http::error::need_buffer) co_return fetch_.on_unreachable(readable(error));
      next = fetch_.on_body({bytes.data(), bytes.size() - parser->get().body().size});
    }
    co_return next;
  }

  void finish(Answer answer) {
    close();
    const Done done = std::move(done_);
    done(std::move(answer));
  }

  Io& io_;  // gone when ended_
  WebRequest request_;
  Done done_;
  FetchSession fetch_;
  tcp::socket tcp_;
  asio::steady_timer timer_;
  bool ended_ = false;
};

WebClient::WebClient(asio::io_context& io, WebOptions options)
    : options_(std::move(options)), io_(std::make_unique<Io>(io, options_.extra_ca_file)) {}

WebClient::~WebClient() {
  for (const auto& transfer : running_) transfer->close();
}

void WebClient::fetch(WebRequest request, Done done) {
  if (running_.size() < kMaxFetchesAtOnce) return begin(std::move(request), std::move(done));
  if (waiting_.size() < kMaxFetchesWaiting) return waiting_.push_back({std::move(request), std::move(done)});
  asio::post(io_->io, [done = std::move(done), alive = std::weak_ptr(io_->alive)] {
    if (alive.expired()) return;
    done(base::fail(base::ErrorKind::job_processing, "web.busy", "too many web pages are being fetched", {},
                    "try again in a minute, or send the page's text itself as the input"));
  });
}

void WebClient::begin(WebRequest request, Done done) {
  const auto transfer = std::make_shared<Transfer>(*io_, options_, std::move(request));
  running_.insert(transfer);
  // Held weakly by itself: the set owns it.
  transfer->start([this, key = std::weak_ptr(transfer), done = std::move(done)](Answer answer) {
    running_.erase(key.lock());
    if (!waiting_.empty()) {
      Waiting next = std::move(waiting_.front());
      waiting_.pop_front();
      begin(std::move(next.request), std::move(next.done));
    }
    done(std::move(answer));
  });
}

}  // namespace web
