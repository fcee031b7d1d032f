// A server that takes one websocket (RFC 6455) on 127.0.0.1, keeps the request that opened it, and sends what it is
// told to.
#pragma once

#include <openssl/sha.h>

#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <memory>
#include <regex>
#include <string>

#include "base/base64.h"

namespace support {

// A whole frame of less than 65536 bytes: "\x81" begins a text message, "\x89" a ping.
inline std::string server_frame(char first, const std::string& payload) {
  std::string out{first};
  if (payload.size() < 126) {
    out += static_cast<char>(payload.size());
  } else {
    out += {126, static_cast<char>(payload.size() >> 8), static_cast<char>(payload.size() & 0xFF)};
  }
  return out + payload;
}

struct PushServerOptions {
  std::string before;  // other answers
  std::string status_line = "HTTP/1.1 101 Switching Protocols";
  std::string frames;      // sent at once …
  std::size_t repeat = 1;  // … so many times
};

// Lives on one io_context thread, which must outlive it.
class PushServer {
 public:
  PushServer(boost::asio::io_context& io, PushServerOptions options)
      : state_(std::make_shared<State>(io, std::move(options))) {
    boost::asio::co_spawn(
        io, [state = state_] { return serve(state); }, boost::asio::detached);
  }
  ~PushServer() {
    boost::system::error_code ignored;
    state_->acceptor.close(ignored);
    state_->socket.close(ignored);
  }
  PushServer(const PushServer&) = delete;
  PushServer& operator=(const PushServer&) = delete;

  std::string authority() const { return "127.0.0.1:" + std::to_string(state_->acceptor.local_endpoint().port()); }
  const std::string& request() const { return state_->request; }

 private:
  struct State {
    State(boost::asio::io_context& io, PushServerOptions some_options)
        : options(std::move(some_options)), acceptor(io, {boost::asio::ip::address_v4::loopback(), 0}), socket(io) {}
    PushServerOptions options;
    boost::asio::ip::tcp::acceptor acceptor;
    boost::asio::ip::tcp::socket socket;
    std::string request;
  };

  static boost::asio::awaitable<void> serve(std::shared_ptr<State> state) {
    namespace asio = boost::asio;
    state->socket = co_await state->acceptor.async_accept(asio::use_awaitable);
    co_await asio::async_read_until(state->socket, asio::dynamic_buffer(state->request), "\r\n\r\n",
                                    asio::use_awaitable);
    const std::string answer =
        state->options.before + state->options.status_line +
        "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: " + accept_of(state->request) +
        "\r\n\r\n";
    co_await asio::async_write(state->socket, asio::buffer(answer), asio::use_awaitable);
    for (std::size_t i = 0; i < state->options.repeat; ++i) {
      co_await asio::async_write(state->socket, asio::buffer(state->options.frames), asio::use_awaitable);
    }
  }

  static std::string accept_of(const std::string& request) {
    std::smatch key;
    std::regex_search(request, key, std::regex("Sec-WebSocket-Key: (\\S+)"));
    const std::string text = key[1].str() + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
    SHA1(base::unsigned_data(text), text.size(), digest.data());
    return base::to_base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  }

  std::shared_ptr<State> state_;
};

}  // namespace support
