// One HTTP/1.1 call to a server that the operator named, http or https, its answer handed over as it arrives. One
// connection per call. Callbacks come on the io_context's thread, never from within the constructor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace boost::asio {
class io_context;
}

namespace net {

// Where a server listens: the parts of "http://127.0.0.1:11434/prefix".
struct HttpOrigin {
  bool tls = false;
  std::string host;  // a name or an address, IPv6 without brackets
  std::string port;
  std::string authority;    // for the Host header, and for people
  std::string prefix;       // of every path; empty, or begins but does not end with a slash
  std::string trusted_pem;  // the only certificates that are trusted (tls_trust.h); empty: the system's authorities
};

// Fails with "http.bad_url" on anything but http(s) with a host; user names, passwords, queries and fragments are
// refused (and not repeated in the message).
base::Result<HttpOrigin> parse_origin(std::string_view url);

struct HttpRequest {
  std::string path;  // "/api/chat"
  std::string body;  // sent by POST; empty: GET
  std::string content_type = "application/json";
  std::vector<std::pair<std::string, std::string>> headers;
};

struct HttpTimeouts {
  std::int64_t connect_ms = 0;     // to be connected (TLS included; the system's resolver has time-outs of its own)
  std::int64_t first_byte_ms = 0;  // from then to the first byte of the body
  std::int64_t stall_ms = 0;       // from then between two bytes
};

struct HttpFailure {
  std::int64_t timed_out_ms = 0;  // 0: no time-out; else how long an answer was waited for in vain
  std::string message;            // what broke, for people; never contains the address
  bool untrusted = false;         // the server's certificate was refused, or those that are trusted cannot be read
};

// `head` comes once, then `body` any number of times; `end` or `failed` comes last, exactly one of them.
struct HttpCallbacks {
  std::function<void(unsigned status)> head;
  std::function<void(std::string_view bytes)> body;
  std::function<void()> end;
  std::function<void(const HttpFailure&)> failed;
  std::function<void(std::int64_t seconds)> retry_after = [](std::int64_t) {};  // after head, if the server says it
};

// The call begins with the constructor. The destructor closes the connection at once and silences the callbacks; it may
// run inside one of them.
class HttpCall {
 public:
  HttpCall(boost::asio::io_context& io, const HttpOrigin& origin, HttpRequest request, HttpTimeouts timeouts,
           HttpCallbacks callbacks);
  ~HttpCall();
  HttpCall(const HttpCall&) = delete;
  HttpCall& operator=(const HttpCall&) = delete;

 private:
  class Exchange;
  std::shared_ptr<Exchange> exchange_;
};

}  // namespace net
