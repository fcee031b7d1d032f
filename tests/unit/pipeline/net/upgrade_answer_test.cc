// The answers with which servers open a websocket, as they come in.
#include "pipeline/net/upgrade_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace net {
namespace {

const std::string kFields = "Upgrade: websocket\r\nConnection: Upgrade\r\n\r\n";
const std::string kFinal = "HTTP/1.1 101 Switching Protocols\r\n" + kFields;
const std::string kHints = "HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n";
const std::string kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// The answer in these bytes, which come in pieces of this size, and what came after it.
std::pair<std::string, std::string> take(const std::string& bytes, std::size_t piece) {
  UpgradeAnswer answer;
  std::string rest;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    const auto part = std::string_view(bytes).substr(at, piece);
    rest += answer.is_complete() ? part : answer.append(part);
  }
  EXPECT_TRUE(answer.is_complete());
  return {answer.text(), rest};
}

std::string fault_of(const std::string& bytes) {
  UpgradeAnswer answer;
  answer.append(bytes);
  EXPECT_FALSE(answer.is_complete());
  return answer.fault();
}

TEST(UpgradeAnswer, EndsWithItsEmptyLineInWhateverPiecesItComes) {
  for (std::size_t piece = 1; piece < 200; ++piece) {
    EXPECT_EQ(take(kFinal + "\x81\x02hi", piece), std::pair(kFinal, std::string("\x81\x02hi"))) << piece;
  }
}

TEST(UpgradeAnswer, InterimAnswersArePassedOver) {
  for (std::size_t piece = 1; piece < 200; ++piece) {
    EXPECT_EQ(take(kHints + kContinue + kFinal + "frame", piece), std::pair(kFinal, std::string("frame"))) << piece;
  }
}

TEST(UpgradeAnswer, NeedsNoReasonPhrase) {
  EXPECT_EQ(take("HTTP/1.1 101\r\n" + kFields, 7).first, "HTTP/1.1 101 \r\n" + kFields);
  EXPECT_EQ(take("HTTP/1.1 101 \r\n" + kFields, 7).first, "HTTP/1.1 101 \r\n" + kFields);
  EXPECT_EQ(take("HTTP/1.1 403\r\n\r\n", 7).first, "HTTP/1.1 403 \r\n\r\n");
}

TEST(UpgradeAnswer, AnythingElseIsTheAnswerAsItStands) {
  for (const std::string other : {"HTTP/1.1 200 OK\r\n\r\n", "\r\n\r\n", "HTTP/1.1 1\r\n\r\n", "hello \r\n\r\n"}) {
    UpgradeAnswer answer;
    EXPECT_EQ(answer.append(other), "");
    EXPECT_TRUE(answer.is_complete()) << other;
  }
}

TEST(UpgradeAnswer, InterimAnswersAreBounded) {
  std::string many;
  for (unsigned i = 0; i < kMaxInterimAnswers; ++i) many += kContinue;
  EXPECT_EQ(fault_of(many), "");
  EXPECT_EQ(fault_of(many + kContinue), "it sent more than 8 interim answers");
}

TEST(UpgradeAnswer, HeadersAreBounded) {
  const std::string line = "HTTP/1.1 101 Switching Protocols\r\n";
  EXPECT_EQ(fault_of(line + std::string(UpgradeAnswer::kMaxHeadBytes, 'x')),
            "its answer has more than 16000 bytes of headers");
  EXPECT_EQ(fault_of(kHints + line + std::string(UpgradeAnswer::kMaxHeadBytes, 'x') + "\r\n\r\n"),
            "its answer has more than 16000 bytes of headers");
}

}  // namespace
}  // namespace net
