#include "pipeline/net/http_call.h"

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>
#include <charconv>
#include <chrono>
#include <exception>
#include <optional>

#include "pipeline/net/awaitable.h"
#include "pipeline/net/response_head.h"
#include "pipeline/net/tls_trust.h"

namespace net {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using beast::error_code;

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::uint32_t kMaxHeadBytes = 16 * 1024;

tl::unexpected<base::Error> bad_url(std::string message) {
  return base::fail(base::ErrorKind::config, "http.bad_url", std::move(message), {},
                    "write it like http://127.0.0.1:11434");
}

std::shared_ptr<asio::ssl::context> no_trust() {
  auto made = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(made->native_handle(), TLS1_2_VERSION);
  made->set_verify_mode(asio::ssl::verify_peer);
  return made;
}

// Read once: the system has hundreds of authorities.
std::shared_ptr<asio::ssl::context> system_trust() {
  static const auto trust = [] {
    auto made = no_trust();
    made->set_default_verify_paths();
    return made;
  }();
  return trust;
}

// The origin's own certificates where it names some, else the system's authorities. `fault` says why those named cannot
// be read.
std::shared_ptr<asio::ssl::context> trust_of(const HttpOrigin& origin, std::string& fault) {
  if (origin.trusted_pem.empty()) return system_trust();
  auto made = no_trust();
  fault = trust_certificates(made->native_handle(), origin.trusted_pem);
  return made;
}

http::request<http::string_body> make_request(const HttpOrigin& origin, HttpRequest&& from) {
  http::request<http::string_body> request(from.body.empty() ? http::verb::get : http::verb::post,
                                           origin.prefix + from.path, 11);
  request.set(http::field::host, origin.authority);
  request.set(http::field::user_agent, "sellcompute");
  request.keep_alive(false);
  if (!from.body.empty()) request.set(http::field::content_type, from.content_type);
  for (const auto& [name, value] : from.headers) request.set(name, value);
  request.body() = std::move(from.body);
  request.prepare_payload();
  return request;
}

}  // namespace

base::Result<HttpOrigin> parse_origin(std::string_view url) {
  const auto parsed = boost::urls::parse_uri(url);
  if (!parsed) return bad_url("the URL cannot be read");
  const boost::urls::url_view& view = *parsed;
  if (view.has_userinfo()) return bad_url("the URL must not hold a user name or password");
  if (view.scheme() != "http" && view.scheme() != "https") return bad_url("the URL must be http or https");
  const std::string host = view.host_address();
  if (host.empty() || host.find('\0') != std::string::npos) return bad_url("the URL names no host");
  if (!view.port().empty() && view.port_number() == 0) return bad_url("the URL names an impossible port");
  if (view.has_query() || view.has_fragment()) return bad_url("the URL must end with its path");
  HttpOrigin origin;
  origin.tls = view.scheme() == "https";
  origin.host = host;
  origin.port = view.port().empty() ? (origin.tls ? "443" : "80") : std::string(view.port());
  origin.authority = std::string(view.encoded_host_and_port());
  origin.prefix = std::string(view.encoded_path());
  while (origin.prefix.ends_with('/')) origin.prefix.pop_back();
  return origin;
}

// Owned by its own coroutine, so that a callback may destroy the call it belongs to.
class HttpCall::Exchange : public std::enable_shared_from_this<Exchange> {
 public:
  Exchange(asio::io_context& io, const HttpOrigin& origin, HttpRequest request, HttpTimeouts timeouts,
           HttpCallbacks callbacks)
      : origin_(origin),
        request_(make_request(origin, std::move(request))),
        timeouts_(timeouts),
        callbacks_(std::move(callbacks)),
        resolver_(io),
        tcp_(io) {}

  void start() {
    // What a callback throws is the caller's: it comes out of the io_context, as from any other handler.
    asio::co_spawn(
        tcp_.get_executor(), [self = shared_from_this()] { return self->run(); },
        [](const std::exception_ptr& thrown) {
          if (thrown) std::rethrow_exception(thrown);
        });
  }

  void close() {
    closed_ = true;
    resolver_.cancel();
    tcp_.close();
  }

 private:
  asio::awaitable<void> run() {
    error_code error;
    const auto addresses = co_await resolver_.async_resolve(origin_.host, origin_.port, into(error));
    if (closed_) co_return;
    if (error) co_return fail_connect(error);
    expire_after(timeouts_.connect_ms);
    co_await tcp_.async_connect(addresses, into(error));
    if (error) co_return fail_connect(error);
    if (!origin_.tls) co_return co_await exchange(tcp_);

    std::string fault;
    const auto trust = trust_of(origin_, fault);
    if (!fault.empty()) co_return fail_tls("the file of the trusted certificates " + fault);
    asio::ssl::stream<beast::tcp_stream&> tls(tcp_, *trust);
    expect_host(tls.native_handle(), origin_.host);
    tls.set_verify_callback([&fault, host = origin_.host](bool trusted, asio::ssl::verify_context& context) {
      if (!trusted) fault = certificate_fault(context.native_handle(), host);
      return trusted;
    });
    co_await tls.async_handshake(asio::ssl::stream_base::client, into(error));
    if (!fault.empty()) co_return fail_tls(fault);
    if (error.category() == asio::error::get_ssl_category())
      co_return fail(HttpFailure{.message = handshake_fault(static_cast<unsigned long>(error.value()))});
    if (error) co_return fail_connect(error);
    co_await exchange(tls);
  }

  template <class Stream>
  asio::awaitable<void> exchange(Stream& stream) {
    error_code error;
    expire_after(timeouts_.first_byte_ms);
    co_await http::async_write(stream, request_, into(error));
    // A server may refuse before it has read everything: its answer says why, so it is read whatever became of the
    // write.
    if (error != beast::error::timeout) co_await read_head(stream, buffer_, parser_, kMaxHeadBytes, error);
    if (error) co_return fail(error);
    if (!closed_) callbacks_.head(parser_->get().result_int());
    if (!closed_) tell_retry_after();
    std::array<char, kReadBytes> bytes;
    while (!closed_ && !parser_->is_done()) {
      parser_->get().body() = {.data = bytes.data(), .size = bytes.size(), .more = true};
      co_await http::async_read_some(stream, buffer_, *parser_, into(error));
      if (error && error != http::error::need_buffer) co_return fail(error);
      const std::size_t size = bytes.size() - parser_->get().body().size;
      if (size == 0 || closed_) continue;
      expire_after(timeouts_.stall_ms);
      callbacks_.body({bytes.data(), size});
    }
    if (!closed_) finish([this] { callbacks_.end(); });
  }

  // In seconds; a date is not read.
  void tell_retry_after() {
    const std::string_view told = parser_->get()["Retry-After"];
    std::int64_t seconds = 0;
    const auto [end, error] = std::from_chars(told.data(), told.data() + told.size(), seconds);
    if (error == std::errc() && end == told.data() + told.size() && seconds > 0) callbacks_.retry_after(seconds);
  }

  void expire_after(std::int64_t limit_ms) {
    limit_ms_ = limit_ms;
    tcp_.expires_after(std::chrono::milliseconds(limit_ms));
  }

  void fail_connect(const error_code& error) {
    const bool late = error == beast::error::timeout;
    const std::string why = late ? "no connection within " + std::to_string(limit_ms_) + " ms" : error.message();
    fail(HttpFailure{.message = why});
  }

  void fail_tls(const std::string& fault) { fail(HttpFailure{.message = fault, .untrusted = true}); }

  void fail(const error_code& error) {
    const bool late = error == beast::error::timeout;
    const bool silent = error == http::error::end_of_stream;
    fail(HttpFailure{.timed_out_ms = late ? limit_ms_ : 0, .message = silent ? "the server hung up" : error.message()});
  }

  void fail(const HttpFailure& failure) {
    if (!closed_) finish([&] { callbacks_.failed(failure); });
  }

  template <class Last>
  void finish(Last&& last) {
    close();
    last();
  }

  const HttpOrigin origin_;
  const http::request<http::string_body> request_;
  const HttpTimeouts timeouts_;
  const HttpCallbacks callbacks_;
  asio::ip::tcp::resolver resolver_;
  beast::tcp_stream tcp_;
  beast::flat_buffer buffer_;
  std::optional<http::response_parser<http::buffer_body>> parser_;  // of the answer; the caller bounds what it keeps
  std::int64_t limit_ms_ = 0;
  bool closed_ = false;
};

HttpCall::HttpCall(asio::io_context& io, const HttpOrigin& origin, HttpRequest request, HttpTimeouts timeouts,
                   HttpCallbacks callbacks)
    : exchange_(std::make_shared<Exchange>(io, origin, std::move(request), timeouts, std::move(callbacks))) {
  exchange_->start();
}

HttpCall::~HttpCall() {
  exchange_->close();
}

}  // namespace net
