// The client against a web server on this machine: sockets, TLS, time. What it decides is in fetch_test.cc.
#include "pipeline/web/web_client.h"

#include <gmock/gmock.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <cstdlib>

#include "base/temporary_folder.h"

namespace web {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr auto kPatience = std::chrono::seconds(20);

std::string ok(const std::string& body, const std::string& fields = "Content-Type: text/plain\r\n") {
  return "HTTP/1.1 200 OK\r\n" + fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
}
std::string moved(const std::string& location) {
  return "HTTP/1.1 302 Found\r\nLocation: " + location + "\r\nContent-Length: 0\r\n\r\n";
}

// Says what it is told to, byte for byte, and hangs up; says nothing and stays when that is empty.
class Server {
 public:
  explicit Server(asio::io_context& io) : acceptor_(io, {asio::ip::address_v4::loopback(), 0}) {
    asio::co_spawn(io, serve(), asio::detached);
  }
  Server(asio::io_context& io, const std::string& certificate_file, const std::string& key_file) : Server(io) {
    tls_.emplace(asio::ssl::context::tls_server);
    tls_->use_certificate_chain_file(certificate_file);
    tls_->use_private_key_file(key_file, asio::ssl::context::pem);
  }

  std::string url(const std::string& path = "/", const std::string& host = "127.0.0.1") const {
    return (tls_ ? "https://" : "http://") + host + ":" + std::to_string(acceptor_.local_endpoint().port()) + path;
  }

  std::function<std::string(const std::string& path)> answer = [](const std::string&) { return ok("hello"); };
  std::vector<std::string> requests;
  std::size_t silent = 0;  // connections that wait for an answer

 private:
  asio::awaitable<void> serve() {
    while (true) {
      tcp::socket socket = co_await acceptor_.async_accept(asio::use_awaitable);
      asio::co_spawn(acceptor_.get_executor(), session(std::move(socket)), asio::detached);
    }
  }

  asio::awaitable<void> session(tcp::socket socket) {
    if (!tls_) co_return co_await talk(socket);
    asio::ssl::stream<tcp::socket> stream(std::move(socket), *tls_);
    co_await stream.async_handshake(asio::ssl::stream_base::server, asio::use_awaitable);
    co_await talk(stream);
    co_await stream.async_shutdown(asio::use_awaitable);
  }

  template <class Stream>
  asio::awaitable<void> talk(Stream& stream) {
    std::string request;
    co_await asio::async_read_until(stream, asio::dynamic_buffer(request), "\r\n\r\n", asio::use_awaitable);
    requests.push_back(request);
    const std::size_t from = request.find(' ') + 1;
    std::string said = answer(request.substr(from, request.find(' ', from) - from));
    if (said.empty()) {
      ++silent;
      asio::steady_timer for_ever(acceptor_.get_executor(), asio::steady_timer::time_point::max());
      co_await for_ever.async_wait(asio::use_awaitable);
    }
    co_await asio::async_write(stream, asio::buffer(said), asio::use_awaitable);
  }

  tcp::acceptor acceptor_;
  std::optional<asio::ssl::context> tls_;
};

class WebClientTest : public testing::Test {
 protected:
  template <class Condition>
  bool run_until(Condition condition) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    while (!condition() && std::chrono::steady_clock::now() < deadline) {
      io.restart();
      io.run_one_for(std::chrono::milliseconds(20));
    }
    return condition();
  }

  void connect(WebOptions options) { client = std::make_unique<WebClient>(io, std::move(options)); }

  Answer fetch(WebRequest request) {
    std::optional<Answer> answer;
    client->fetch(std::move(request), [&](Answer given) {
      EXPECT_FALSE(answer) << "told twice";
      answer = std::move(given);
    });
    EXPECT_FALSE(answer) << "never from inside the call";
    EXPECT_TRUE(run_until([&] { return answer.has_value(); }));
    return answer.value_or(std::string());
  }
  Answer get(const std::string& url) { return fetch({.url = url}); }
  std::string code(const std::string& url) {
    const Answer answer = get(url);
    return answer ? "text" : answer.error().code;
  }

  asio::io_context io;
  Server server{io};
  std::unique_ptr<WebClient> client = std::make_unique<WebClient>(io, WebOptions{.allow_private = true});
};

TEST_F(WebClientTest, GetsAPage) {
  EXPECT_EQ(get(server.url("/page?q=1")), "hello");
  const auto port = server.url("", "").substr(std::string("http://").size());
  EXPECT_THAT(server.requests,
              ElementsAre(AllOf(HasSubstr("GET /page?q=1 HTTP/1.1\r\n"), HasSubstr("Host: 127.0.0.1" + port + "\r\n"),
                                HasSubstr("User-Agent: sellcompute\r\n"), HasSubstr("Accept: text/plain, text/html"),
                                HasSubstr("Accept-Encoding: identity\r\n"))));
}

TEST_F(WebClientTest, GetsAPageInEveryFraming) {
  for (const std::string said :
       {"HTTP/1.0 200 OK\r\n\r\nhello",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n"}) {
    server.answer = [&](auto&) { return said; };
    EXPECT_EQ(get(server.url()), "hello") << said;
  }
}

TEST_F(WebClientTest, PassesInterimAnswersOver) {
  const std::string hints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
  std::string before = "HTTP/1.1 100 Continue\r\n\r\n" + hints;
  server.answer = [&](auto&) { return before + ok("hello"); };
  EXPECT_EQ(get(server.url()), "hello");
  for (int i = 0; i < 8; ++i) before += hints;
  EXPECT_EQ(code(server.url()), "web.unreachable") << "no endless row of them";
}

TEST_F(WebClientTest, FollowsRedirects) {
  server.answer = [](const std::string& path) {
    return path == "/a" ? moved("b") : ok("<p>bee", "Content-Type: text/html\r\n");
  };
  EXPECT_EQ(get(server.url("/a")), "bee");
}

TEST_F(WebClientTest, AsksForWhatItIsTold) {
  server.answer = [](auto&) { return ok("{}", "Content-Type: application/nostr+json\r\n"); };
  EXPECT_EQ(fetch({.url = server.url(), .accept = "application/nostr+json"}), "{}");
  EXPECT_THAT(server.requests[0], HasSubstr("Accept: application/nostr+json\r\n"));
}

// ---- doors ----------------------------------------------------------------------------------------------------------

TEST_F(WebClientTest, DoesNotConnectToThisMachine) {
  connect({});
  EXPECT_EQ(code(server.url()), "web.private_address");
  EXPECT_EQ(code(server.url("/", "localhost")), "web.private_address");
  EXPECT_EQ(code("http://[::1]:8080/"), "web.private_address");
  EXPECT_TRUE(server.requests.empty());
}

TEST_F(WebClientTest, TheOperatorsOwnUrlMayBeOnThisMachineButARedirectMayNot) {
  connect({});
  EXPECT_EQ(fetch({.url = server.url(), .own = true}), "hello");
  server.answer = [this](auto&) { return moved(server.url("/inside")); };
  const Answer answer = fetch({.url = server.url("/outside"), .own = true});
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "web.private_address");
  EXPECT_EQ(server.requests.size(), 2U);
}

// ---- failures -------------------------------------------------------------------------------------------------------

TEST_F(WebClientTest, TellsWhyThereIsNoText) {
  EXPECT_EQ(code("no url"), "web.url");
  EXPECT_EQ(code("http://host.invalid/"), "web.unreachable");
  const std::map<std::string, std::string> answers = {
      {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", "web.status"},
      {ok("x", "Content-Type: image/png\r\n"), "web.type"},
      {ok(std::string(kMaxBodyBytes + 1, 'x')), "web.too_large"},
      {"HTTP/1.1 200 OK\r\n\r\n" + std::string(kMaxBodyBytes + 1, 'x'), "web.too_large"},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(kMaxHeadBytes, 'x') + "\r\n\r\n", "web.unreachable"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhello", "web.unreachable"},
      {"nonsense\r\n\r\n", "web.unreachable"},
      {moved("/again"), "web.redirects"},
      {ok("K\xe4se"), "web.not_text"}};
  for (const auto& [said, expected] : answers) {
    server.answer = [&, words = said](auto&) { return words; };
    EXPECT_EQ(code(server.url()), expected) << said.substr(0, 100);
  }
}

TEST_F(WebClientTest, ARefusedConnectionIsToldInWords) {
  tcp::acceptor closed(io, {asio::ip::address_v4::loopback(), 0});
  const std::string url = "http://127.0.0.1:" + std::to_string(closed.local_endpoint().port()) + "/";
  closed.close();
  EXPECT_EQ(get(url).error().describe(), "127.0.0.1 gave no proper answer: connection refused (" + url +
                                             "): see whether the page opens elsewhere, or send its text itself as the "
                                             "input");
}

TEST_F(WebClientTest, AServerThatStaysSilentIsLeft) {
  connect({.allow_private = true, .limit_ms = 100});
  server.answer = [](auto&) { return std::string(); };
  EXPECT_EQ(code(server.url()), "web.timeout");
}

// ---- many at a time -------------------------------------------------------------------------------------------------

TEST_F(WebClientTest, AFewAtATimeTheOthersInOrderAndNotTooMany) {
  connect({.allow_private = true, .limit_ms = 300});
  server.answer = [](const std::string& path) { return path == "/silent" ? std::string() : ok(path); };
  std::vector<std::string> answers;
  const auto ask = [&](const std::string& path) {
    client->get(server.url(path),
                [&](const Answer& answer) { answers.push_back(answer ? *answer : answer.error().code); });
  };
  for (std::size_t i = 0; i < kMaxFetchesAtOnce; ++i) ask("/silent");
  for (std::size_t i = 0; i < kMaxFetchesWaiting; ++i) ask("/" + std::to_string(i));
  ask("/one-too-many");
  ASSERT_TRUE(run_until([&] { return !answers.empty(); }));
  EXPECT_EQ(answers[0], "web.busy");
  ASSERT_TRUE(run_until([&] { return answers.size() == kMaxFetchesAtOnce + kMaxFetchesWaiting + 1; }));
  EXPECT_EQ(answers[1], "web.timeout");
  EXPECT_EQ(server.requests.size(), kMaxFetchesAtOnce + kMaxFetchesWaiting);
  for (std::size_t i = 0; i < kMaxFetchesAtOnce; ++i) EXPECT_THAT(server.requests[i], HasSubstr("/silent"));
  std::sort(answers.begin(), answers.end());
  EXPECT_EQ(std::unique(answers.begin(), answers.end()) - answers.begin(), std::ptrdiff_t{kMaxFetchesWaiting} + 2);
}

TEST_F(WebClientTest, AClientThatIsGoneAnswersNobody) {
  server.answer = [](auto&) { return std::string(); };
  int answers = 0;
  for (std::size_t i = 0; i < kMaxFetchesAtOnce + kMaxFetchesWaiting + 1; ++i) {
    client->get(server.url(), [&](auto&&) { ++answers; });
  }
  ASSERT_TRUE(run_until([&] { return server.silent == kMaxFetchesAtOnce; }));
  client->get("no url", [&](auto&&) { ++answers; });
  client.reset();
  io.restart();
  io.run_for(std::chrono::milliseconds(50));
  EXPECT_EQ(answers, 1) << "the one that was refused at once";
}

TEST_F(WebClientTest, AnAnswerMayEndTheClient) {
  bool answered = false;
  client->get(server.url(), [&](auto&&) {
    client.reset();
    answered = true;
  });
  EXPECT_TRUE(run_until([&] { return answered; }));
}

// ---- TLS ------------------------------------------------------------------------------------------------------------

class WebTls : public WebClientTest {
 protected:
  // A server with a certificate of its own making; its file is what has to be trusted.
  Server& secure_server(const std::string& host) {
    const std::string key_file = folder.path() / "key.pem";
    certificate_file = folder.path() / "certificate.pem";
    const auto command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=" + host +
                         " -addext subjectAltName=DNS:" + host + " -keyout " + key_file + " -out " + certificate_file +
                         " 2>/dev/null";
    EXPECT_EQ(std::system(command.c_str()), 0);
    return *(secure = std::make_unique<Server>(io, certificate_file, key_file));
  }

  base::TemporaryFolder folder = base::TemporaryFolder::make("test").value();
  std::string certificate_file;
  std::unique_ptr<Server> secure;
};

TEST_F(WebTls, ATrustedCertificateForTheHostIsAccepted) {
  const std::string url = secure_server("localhost").url("/", "localhost");
  connect({.allow_private = true, .extra_ca_file = certificate_file});
  EXPECT_EQ(get(url), "hello");
  server.answer = [&](auto&) { return moved(url); };
  EXPECT_EQ(get(server.url()), "hello") << "http may lead to https";
  secure->answer = [&](auto&) { return moved(server.url()); };
  EXPECT_EQ(code(url), "web.redirects") << "https to http may not";
}

TEST_F(WebTls, ACertificateThatNobodyVouchesForIsRefused) {
  const Answer answer = get(secure_server("localhost").url("/", "localhost"));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "web.tls");
  EXPECT_THAT(answer.error().message, HasSubstr("no secure connection to localhost: self-signed certificate"));
  EXPECT_TRUE(secure->requests.empty());
}

TEST_F(WebTls, ACertificateForAnotherHostIsRefused) {
  auto& other = secure_server("other.example");
  connect({.allow_private = true, .extra_ca_file = certificate_file});
  for (const char* host : {"localhost", "127.0.0.1"}) {
    const Answer answer = get(other.url("/", host));
    ASSERT_FALSE(answer);
    EXPECT_THAT(answer.error().message, HasSubstr(std::string("certificate is not for ") + host + "; it is for other"));
  }
}

TEST_F(WebTls, AServerThatHangsUpInTheHandshakeIsTold) {
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  acceptor.async_accept([](auto&&, tcp::socket socket) { socket.close(); });
  const Answer answer = get("https://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port()) + "/");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, "web.tls");
}

}  // namespace
}  // namespace web
