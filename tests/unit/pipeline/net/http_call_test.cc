// One HTTP call against a server that says what it is told to, byte for byte. Chats and their time-outs are in
// ollama_client_test.cc.
#include "pipeline/net/http_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/write.hpp>
#include <chrono>
#include <thread>

namespace net {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;

const std::string kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
const std::string kHints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
const std::string kHello = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

// The status and the body of an answer in these bytes, or what is wrong with it.
std::string answer_to(const std::string& bytes) {
  asio::io_context io;
  tcp::acceptor acceptor(io, {asio::ip::address_v4::loopback(), 0});
  std::thread server([&acceptor, bytes] {
    tcp::socket socket = acceptor.accept();
    std::string request;
    asio::read_until(socket, asio::dynamic_buffer(request), "\r\n\r\n");
    boost::system::error_code ignored;
    asio::write(socket, asio::buffer(bytes), ignored);
  });
  const auto origin = parse_origin("http://127.0.0.1:" + std::to_string(acceptor.local_endpoint().port())).value();
  std::string said;
  const HttpCall call(io, origin, {.path = "/"}, {.connect_ms = 5'000, .first_byte_ms = 5'000, .stall_ms = 5'000},
                      {.head = [&](unsigned status) { said += std::to_string(status) + " "; },
                       .body = [&](std::string_view body) { said += body; },
                       .end = [&] { said += "."; },
                       .failed = [&](const HttpFailure& failure) { said += "failed: " + failure.message; }});
  io.run_for(std::chrono::seconds(20));
  server.join();
  return said;
}

TEST(HttpCall, HandsOverTheAnswer) {
  EXPECT_EQ(answer_to(kHello), "200 hello.");
}

TEST(HttpCall, PassesInterimAnswersOver) {
  EXPECT_EQ(answer_to(kHints + kHello), "200 hello.");
  EXPECT_EQ(answer_to(kContinue + "HTTP/1.1 102 Processing\r\n\r\n" + kHints + kHello), "200 hello.");
}

TEST(HttpCall, TakesNoEndlessRowOfThem) {
  std::string many;
  for (unsigned i = 0; i < 8; ++i) many += kContinue;
  EXPECT_EQ(answer_to(many + kHello), "200 hello.");
  EXPECT_THAT(answer_to(many + kContinue + kHello), testing::StartsWith("failed: "));
  EXPECT_THAT(answer_to("HTTP/1.1 103 Early Hints\r\nLink: " + std::string(20'000, 'x') + "\r\n\r\n" + kHello),
              testing::StartsWith("failed: "));
}

TEST(HttpCall, AChangeOfProtocolThatNobodyAskedForIsTheAnswer) {
  EXPECT_THAT(answer_to("HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n"), testing::StartsWith("101 "));
}

TEST(HttpCall, AnAnswerThatNeverComesIsAFailure) {
  EXPECT_EQ(answer_to(kContinue), "failed: the server hung up");
}

}  // namespace
}  // namespace net
