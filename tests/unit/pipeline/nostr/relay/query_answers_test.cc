#include "pipeline/nostr/relay/query_answers.h"

#include <gtest/gtest.h>

namespace nostr {
namespace {

const QueryAnswers::Done kNobody = [](const QueryAnswers::Answer&) {};

Event event_of(std::uint8_t number, std::int64_t created_at_s) {
  Event event;
  event.id.bytes[0] = number;
  event.created_at = created_at_s;
  return event;
}

TEST(QueryAnswersTest, EveryQueryHasAnIdOfItsOwn) {
  QueryAnswers answers;
  const auto first = answers.begin("wss://relay.one", 10, kNobody);
  const auto second = answers.begin("wss://relay.one", 10, kNobody);
  EXPECT_NE(first, second);
  EXPECT_EQ(answers.size(), 2u);
  EXPECT_TRUE(answers.contains(first));
  EXPECT_FALSE(answers.contains("in"));
}

TEST(QueryAnswersTest, AnAnswerIsCompleteWhenItEndedAndEveryEventIsVerified) {
  QueryAnswers answers;
  const auto id = answers.begin("wss://relay.one", 10, kNobody);
  ASSERT_TRUE(answers.expect(id, 100));
  answers.end({.id = id});
  EXPECT_FALSE(answers.take(id));
  answers.verified(id, event_of(1, 1000));
  const auto complete = answers.take(id);
  ASSERT_TRUE(complete);
  ASSERT_TRUE(complete->answer);
  EXPECT_EQ(complete->answer->size(), 1u);
  EXPECT_FALSE(answers.contains(id));
}

TEST(QueryAnswersTest, TheNewestComesFirstForgedOnesAreLeftOutAndDoublesKeptOnce) {
  QueryAnswers answers;
  const auto id = answers.begin("wss://relay.one", 10, kNobody);
  for (int i = 0; i < 4; ++i) ASSERT_TRUE(answers.expect(id, 100));
  answers.verified(id, event_of(1, 1000));
  answers.verified(id, std::nullopt);
  answers.verified(id, event_of(2, 2000));
  answers.verified(id, event_of(2, 2000));
  answers.end({.id = id});
  const auto complete = answers.take(id);
  ASSERT_TRUE(complete && complete->answer);
  ASSERT_EQ(complete->answer->size(), 2u);
  EXPECT_EQ(complete->answer->front().created_at, 2000);
}

TEST(QueryAnswersTest, AnAnswerHasTheNewestOfMoreThanWasAskedFor) {
  QueryAnswers answers;
  const auto id = answers.begin("wss://relay.one", 2, kNobody);
  for (const std::uint8_t number : {1, 3, 2}) {
    ASSERT_TRUE(answers.expect(id, 100));
    answers.verified(id, event_of(number, 1000 * number));
  }
  answers.end({.id = id});
  const auto complete = answers.take(id);
  ASSERT_TRUE(complete && complete->answer);
  ASSERT_EQ(complete->answer->size(), 2u);
  EXPECT_EQ(complete->answer->front().created_at, 3000);
  EXPECT_EQ(complete->answer->back().created_at, 2000);
}

TEST(QueryAnswersTest, TheRelaysErrorIsTheAnswer) {
  QueryAnswers answers;
  const auto id = answers.begin("wss://relay.one", 10, kNobody);
  answers.end({.id = id, .error = "closed by the relay"});
  const auto complete = answers.take(id);
  ASSERT_TRUE(complete);
  ASSERT_FALSE(complete->answer);
  EXPECT_EQ(complete->answer.error().code, "relay.query");
  EXPECT_EQ(complete->answer.error().message, "closed by the relay");
  EXPECT_EQ(complete->answer.error().context, "wss://relay.one");
}

TEST(QueryAnswersTest, AnAnswerThatIsTooLongIsNoAnswer) {
  QueryAnswers answers;
  const auto id = answers.begin("wss://relay.one", 10, kNobody);
  EXPECT_FALSE(answers.expect(id, kMaxQueryBytes + 1));
  answers.end({.id = id});
  const auto complete = answers.take(id);
  ASSERT_TRUE(complete);
  ASSERT_FALSE(complete->answer);
  EXPECT_EQ(complete->answer.error().message, "sent more than 2097152 bytes");
}

}  // namespace
}  // namespace nostr
