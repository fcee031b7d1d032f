// The frames of a websocket's server, as RFC 6455 lays them out, and what a hostile one makes of them.
#include "pipeline/net/websocket_messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace net {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::StartsWith;

constexpr std::size_t kMax = 1'000;

std::string frame(unsigned first, const std::string& payload) {
  std::string out{static_cast<char>(first)};
  const std::size_t size = payload.size();
  const unsigned width = size < 126 ? 0 : size <= 0xffff ? 2 : 8;
  out.push_back(static_cast<char>(width == 0 ? size : width == 2 ? 126 : 127));
  for (unsigned i = width; i > 0; --i) out.push_back(static_cast<char>(size >> (8 * (i - 1)) & 0xff));
  return out + payload;
}
std::string text(const std::string& payload) {
  return frame(0x81, payload);
}

// All parts in words, of bytes that come in pieces of this size.
std::vector<std::string> read(const std::string& bytes, std::size_t piece = 1'000'000) {
  using Kind = WebsocketMessages::Kind;
  WebsocketMessages messages(kMax);
  std::vector<std::string> out;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    messages.append(std::string_view(bytes).substr(at, piece));
    while (const auto part = messages.next()) {
      const char* name = part->kind == Kind::text       ? "text "
                         : part->kind == Kind::too_long ? "too long"
                         : part->kind == Kind::not_utf8 ? "not UTF-8"
                         : part->kind == Kind::binary   ? "binary"
                         : part->kind == Kind::ping     ? "ping "
                         : part->kind == Kind::control  ? "control "
                                                        : "broken: ";
      out.push_back(name + part->bytes);
      if (part->kind == Kind::broken) return out;
    }
  }
  return out;
}

TEST(WebsocketMessages, AreTakenOutOfTheBytesHoweverTheyCome) {
  const std::string bytes = text("one") + text("") + text(std::string(300, 'x')) + text("ü");
  for (const std::size_t piece : {1U, 2U, 3U, 7U, 1'000U}) {
    EXPECT_THAT(read(bytes, piece), ElementsAre("text one", "text ", "text " + std::string(300, 'x'), "text ü"));
  }
}

TEST(WebsocketMessages, MayComeInSeveralFramesWithControlFramesBetweenThem) {
  const std::string ping = frame(0x89, "are you there?");
  EXPECT_THAT(read(frame(0x01, "\xc3") + ping + frame(0x00, "\xbc") + frame(0x80, "!")),
              ElementsAre("ping " + ping, "text ü!"))
      << "a character may be divided";
}

TEST(WebsocketMessages, ThatAreTooLongAreSkippedAndThoseAfterThemAreRead) {
  for (const std::size_t size : {kMax + 1, std::size_t{70'000}, std::size_t{5'000'000}}) {
    EXPECT_THAT(read(text(std::string(size, 'x')) + text("next"), 4'096), ElementsAre("too long", "text next"));
  }
  const std::string half(kMax - 1, 'x');
  EXPECT_THAT(read(frame(0x01, half) + frame(0x00, half) + frame(0x80, "x") + text("next")),
              ElementsAre("too long", "text next"));
  EXPECT_THAT(read(text(std::string(kMax, 'x'))), ElementsAre("text " + std::string(kMax, 'x')));
}

TEST(WebsocketMessages, ThatAreNoUtf8AreSkippedAndThoseAfterThemAreRead) {
  EXPECT_THAT(read(text("\xff\xfe") + text("\xc3") + text("next")), ElementsAre("not UTF-8", "not UTF-8", "text next"));
}

TEST(WebsocketMessages, ThatAreBinaryArePassedOver) {
  EXPECT_THAT(read(frame(0x82, "\xff") + text("next")), ElementsAre("binary", "text next"));
}

TEST(WebsocketMessages, APongOrACloseIsNoPing) {
  EXPECT_THAT(read(frame(0x8a, "") + frame(0x88, "")),
              ElementsAre("control " + frame(0x8a, ""), "control " + frame(0x88, "")));
}

TEST(WebsocketMessages, AFrameThatIsNotWholeIsWaitedFor) {
  const std::string bytes = text("one");
  EXPECT_THAT(read(bytes.substr(0, bytes.size() - 1)), IsEmpty());
  EXPECT_THAT(read(bytes.substr(0, 1)), IsEmpty());
}

TEST(WebsocketMessages, WhatIsNoFrameOfAServerBreaksTheConnection) {
  EXPECT_THAT(read(frame(0xc1, "compressed")), ElementsAre(StartsWith("broken: a frame has a reserved bit")));
  EXPECT_THAT(read(std::string("\x81\x83"
                               "abcdxyz",
                               9)),
              ElementsAre(StartsWith("broken: a frame of the server")));
  EXPECT_THAT(read(frame(0x83, "x")), ElementsAre(StartsWith("broken: a frame of an unknown kind")));
  EXPECT_THAT(read(frame(0x8b, "x")), ElementsAre(StartsWith("broken: a frame of an unknown kind")));
  EXPECT_THAT(read(frame(0x80, "x")), ElementsAre(StartsWith("broken: a frame belongs to no message")));
  EXPECT_THAT(read(frame(0x01, "x") + text("y")), ElementsAre(StartsWith("broken: a frame belongs to no message")));
  EXPECT_THAT(read(frame(0x89, std::string(126, 'x'))), ElementsAre(StartsWith("broken: a control frame")));
  EXPECT_THAT(read(frame(0x09, "x")), ElementsAre(StartsWith("broken: a control frame")));
}

}  // namespace
}  // namespace net
