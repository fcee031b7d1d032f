#include "pipeline/net/websocket_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <regex>
#include <sstream>

#include "base/base64.h"
#include "base/temporary_folder.h"
#include "pipeline/loopback/loopback_relay.h"
#include "tests/support/tls_front.h"

namespace net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

// Takes one websocket (RFC 6455), keeps the request that opened it, and pushes one text.
class PushServer {
 public:
  PushServer(asio::io_context& io, std::string text)
      : acceptor_(io, {asio::ip::address_v4::loopback(), 0}), socket_(io) {
    asio::co_spawn(
        io, [this, text = std::move(text)] { return serve(text); }, asio::detached);
  }

  std::string url() const { return "http://127.0.0.1:" + std::to_string(acceptor_.local_endpoint().port()); }
  const std::string& request() const { return request_; }

 private:
  asio::awaitable<void> serve(std::string text) {
    socket_ = co_await acceptor_.async_accept(asio::use_awaitable);
    co_await asio::async_read_until(socket_, asio::dynamic_buffer(request_), "\r\n\r\n", asio::use_awaitable);
    const std::string answer =
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Accept: " +
        accept_of(request_) + "\r\n\r\n" + frame(text);
    co_await asio::async_write(socket_, asio::buffer(answer), asio::use_awaitable);
  }

  static std::string accept_of(const std::string& request) {
    std::smatch key;
    std::regex_search(request, key, std::regex("Sec-WebSocket-Key: (\\S+)"));
    const std::string text = key[1].str() + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    std::array<unsigned char, SHA_DIGEST_LENGTH> digest{};
    SHA1(base::unsigned_data(text), text.size(), digest.data());
    return base::to_base64({reinterpret_cast<const char*>(digest.data()), digest.size()});
  }

  // A whole text message of less than 65536 bytes.
  static std::string frame(const std::string& text) {
    std::string out = "\x81";
    if (text.size() < 126) {
      out += static_cast<char>(text.size());
    } else {
      out += {126, static_cast<char>(text.size() >> 8), static_cast<char>(text.size() & 0xFF)};
    }
    return out + text;
  }

  tcp::acceptor acceptor_;
  tcp::socket socket_;
  std::string request_;
};

class Feed : public testing::Test {
 protected:
  void connect(const std::string& url, const std::string& trusted_pem = {}) {
    origin = parse_origin(url).value();
    connector = std::make_unique<WebsocketConnector>(io, WebsocketTrust{.extra_ca_file = {}, .only_pem = trusted_pem});
    feed = std::make_unique<WebsocketFeed>(
        io, *connector, origin,
        WebsocketFeedRequest{.path = "/push",
                             .headers = {{"Authorization", "Basic abc"}},
                             .max_message_bytes = 1'000,
                             .connect_ms = 2'000},
        WebsocketFeedCallbacks{.opened = [this] { ++opened; },
                               .message = [this](std::string_view text) { messages.emplace_back(text); },
                               .closed =
                                   [this] {
                                     ++closed;
                                     feed.reset();  // a callback may end the feed
                                   }});
    EXPECT_EQ(opened + closed, 0) << "never from within the constructor";
  }

  bool run_until(const std::function<bool()>& done) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      io.restart();
      io.run_one_for(std::chrono::milliseconds(20));
    }
    return done();
  }

  boost::asio::io_context io;
  HttpOrigin origin;
  std::unique_ptr<WebsocketConnector> connector;
  std::unique_ptr<WebsocketFeed> feed;
  int opened = 0;
  int closed = 0;
  std::vector<std::string> messages;
};

TEST_F(Feed, HandsOverWhatTheServerPushes) {
  const PushServer server(io, R"({"type":"payment_received"})");
  connect(server.url());
  ASSERT_TRUE(run_until([&] { return !messages.empty(); }));
  EXPECT_EQ(messages, std::vector<std::string>{R"({"type":"payment_received"})"});
  EXPECT_EQ(opened, 1);
  feed.reset();
}

TEST_F(Feed, AsksForItsPathWithItsHeaders) {
  const PushServer server(io, "hello");
  connect(server.url() + "/prefix");
  ASSERT_TRUE(run_until([&] { return opened == 1; }));
  EXPECT_THAT(server.request(), testing::StartsWith("GET /prefix/push HTTP/1.1\r\n"));
  EXPECT_THAT(server.request(), testing::HasSubstr("\r\nAuthorization: Basic abc\r\n"));
  EXPECT_THAT(server.request(), testing::HasSubstr("\r\nUser-Agent: sellcompute\r\n"));
  feed.reset();
}

TEST_F(Feed, EndsWithAMessageThatIsTooLarge) {
  const PushServer server(io, std::string(1'001, 'x'));
  connect(server.url());
  ASSERT_TRUE(run_until([&] { return closed == 1; }));
  EXPECT_EQ(opened, 1);
  EXPECT_TRUE(messages.empty());
}

TEST_F(Feed, OpensAndClosesOnce) {
  loopback::LoopbackRelay server(io);
  connect("http://127.0.0.1:" + std::to_string(server.port()));
  ASSERT_TRUE(run_until([&] { return opened == 1; }));
  server.drop_connections();
  EXPECT_TRUE(run_until([&] { return closed == 1; }));
  EXPECT_EQ(opened, 1);
}

// "localhost" is ::1 as well on most machines, where this server does not listen.
TEST_F(Feed, TriesEveryAddressOfAName) {
  loopback::LoopbackRelay server(io);
  connect("http://localhost:" + std::to_string(server.port()));
  EXPECT_TRUE(run_until([&] { return opened == 1; }));
}

TEST_F(Feed, ClosesWhenNobodyListens) {
  const std::uint16_t port = loopback::LoopbackRelay(io).port();
  connect("http://127.0.0.1:" + std::to_string(port));
  EXPECT_TRUE(run_until([&] { return closed == 1; }));
  EXPECT_EQ(opened, 0);
}

TEST_F(Feed, IsSilentOnceItIsDestroyed) {
  loopback::LoopbackRelay server(io);
  connect("http://127.0.0.1:" + std::to_string(server.port()));
  feed.reset();
  EXPECT_TRUE(run_until([&] { return server.connections() == 0; }));
  EXPECT_EQ(opened + closed, 0);
}

class SecureFeed : public Feed {
 protected:
  void SetUp() override {
    const std::string key = folder.path() / "key.pem";
    const std::string certificate = folder.path() / "certificate.pem";
    const std::string command =
        "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
        "subjectAltName=DNS:localhost -keyout " +
        key + " -out " + certificate + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0);
    front = std::make_unique<support::TlsFront>(io, certificate, key, server.port());
    std::stringstream text;
    text << std::ifstream(certificate).rdbuf();
    pem = text.str();
  }
  std::string url() const { return "https://localhost:" + std::to_string(front->port()); }

  const base::TemporaryFolder folder = base::TemporaryFolder::make("test").value();
  loopback::LoopbackRelay server{io};
  std::unique_ptr<support::TlsFront> front;
  std::string pem;
};

TEST_F(SecureFeed, TrustsTheCertificateThatTheOriginNames) {
  connect(url(), pem);
  EXPECT_TRUE(run_until([&] { return opened == 1; }));
  feed.reset();
}

TEST_F(SecureFeed, ElseTrustsTheSystemsAuthoritiesOnly) {
  connect(url());
  EXPECT_TRUE(run_until([&] { return closed == 1; }));
  EXPECT_EQ(opened, 0);
}

}  // namespace
}  // namespace net
