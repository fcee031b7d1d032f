#include "pipeline/net/websocket_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/temporary_folder.h"
#include "pipeline/loopback/loopback_relay.h"
#include "tests/support/push_server.h"
#include "tests/support/tls_front.h"

namespace net {
namespace {

using support::PushServer;

std::string url_of(const PushServer& server) {
  return "http://" + server.authority();
}
support::PushServerOptions pushing(const std::string& text) {
  return {.before = {}, .frames = support::server_frame('\x81', text)};
}

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
  const PushServer server(io, pushing(R"({"type":"payment_received"})"));
  connect(url_of(server));
  ASSERT_TRUE(run_until([&] { return !messages.empty(); }));
  EXPECT_EQ(messages, std::vector<std::string>{R"({"type":"payment_received"})"});
  EXPECT_EQ(opened, 1);
  feed.reset();
}

TEST_F(Feed, AsksForItsPathWithItsHeaders) {
  const PushServer server(io, pushing("hello"));
  connect(url_of(server) + "/prefix");
  ASSERT_TRUE(run_until([&] { return opened == 1; }));
  EXPECT_THAT(server.request(), testing::StartsWith("GET /prefix/push HTTP/1.1\r\n"));
  EXPECT_THAT(server.request(), testing::HasSubstr("\r\nAuthorization: Basic abc\r\n"));
  EXPECT_THAT(server.request(), testing::HasSubstr("\r\nUser-Agent: sellcompute\r\n"));
  feed.reset();
}

TEST_F(Feed, OpensAfterInterimAnswersAndWithoutAReasonPhrase) {
  auto options = pushing("hello");
  options.before = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
  options.status_line = "HTTP/1.1 101";
  const PushServer server(io, options);
  connect(url_of(server));
  ASSERT_TRUE(run_until([&] { return !messages.empty(); }));
  feed.reset();
}

TEST_F(Feed, ClosesOnAnAnswerWithTooManyHeaders) {
  auto options = pushing("hello");
  options.status_line += "\r\nX: " + std::string(20'000, 'x');
  const PushServer server(io, options);
  connect(url_of(server));
  EXPECT_TRUE(run_until([&] { return closed == 1; }));
  EXPECT_EQ(opened, 0);
}

TEST_F(Feed, EndsWithAMessageThatIsTooLarge) {
  const PushServer server(io, pushing(std::string(1'001, 'x')));
  connect(url_of(server));
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
