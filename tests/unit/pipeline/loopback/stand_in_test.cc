#include "pipeline/loopback/stand_in.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "pipeline/inference/ollama_api.h"

namespace loopback {
namespace {

using inference::ChatRequest;
using inference::failure_of_status;
using inference::make_chat_body;

using nlohmann::json;
using testing::EndsWith;
using testing::HasSubstr;

const std::vector<StandInModel> kModels = {{"small", 4096}, {"large", 100'000}};

ChatRequest ask(const std::string& question) {
  return {.model = "small", .messages = {{"user", question}}, .max_output_tokens = 1000};
}

StandInAnswer answer(const ChatRequest& request) {
  return stand_in_answer(kModels, make_chat_body(request));
}

std::string text_of(const StandInAnswer& answer) {
  return std::accumulate(answer.tokens.begin(), answer.tokens.end(), std::string());
}

TEST(StandIn, SaysThatItIsOneAndRepeatsTheQuestion) {
  const std::string text = text_of(answer(ask("Why is the sky blue?")));
  EXPECT_THAT(text, HasSubstr("stand-in, not a language model"));
  EXPECT_THAT(text, HasSubstr("Why is the sky blue?"));
}

TEST(StandIn, TheSameSeedGivesTheSameTextAndAnotherSeedMayNot) {
  std::set<std::string> texts;
  for (std::int64_t seed = 0; seed < 30; ++seed) {
    ChatRequest request = ask("Why?");
    request.params.seed = seed;
    EXPECT_EQ(text_of(answer(request)), text_of(answer(request)));
    texts.insert(text_of(answer(request)));
  }
  EXPECT_GT(texts.size(), 1U);
}

TEST(StandIn, EndsAtTheCap) {
  ChatRequest request = ask("Why?");
  request.max_output_tokens = 5;
  EXPECT_EQ(answer(request).tokens.size(), 5U);
  EXPECT_EQ(answer(request).done_reason, "length");
  EXPECT_EQ(answer(ask("Why?")).done_reason, "stop");
}

TEST(StandIn, EndsBeforeAStopSequence) {
  ChatRequest request = ask("Why?");
  request.params.stop = {"never there", " language"};
  EXPECT_THAT(text_of(answer(request)), EndsWith("not a"));
  EXPECT_EQ(answer(request).done_reason, "stop");
}

TEST(StandIn, AnswersInJson) {
  ChatRequest request = ask("Why \"this\"?");
  request.json = true;
  EXPECT_EQ(json::parse(text_of(answer(request)))["question"], "Why \"this\"?");
}

TEST(StandIn, RefusesWhatOllamaRefuses) {
  EXPECT_EQ(stand_in_answer(kModels, "{").http_status, 400U);
  EXPECT_EQ(stand_in_answer(kModels, "{}").error, "model is required");
  EXPECT_EQ(stand_in_answer(kModels, R"({"model":"none"})").http_status, 404U);
  EXPECT_EQ(stand_in_answer(kModels, R"({"model":"small","messages":[1]})").http_status, 400U);
  for (const char* options : {R"({"temperature":"hot"})", R"({"seed":1.5})", R"({"stop":"END"})", R"({"top_k":"1"})"}) {
    const StandInAnswer wrong = stand_in_answer(kModels, R"({"model":"small","options":)" + std::string(options) + "}");
    EXPECT_EQ(wrong.http_status, 500U) << options;
    EXPECT_EQ(failure_of_status(wrong.http_status, json{{"error", wrong.error}}.dump()).kind,
              ledger::InferenceFailure::rejected);
  }
}

TEST(StandIn, RefusesToChatWithAModelThatMakesEmbeddings) {
  const StandInModel models[] = {{"embed", 2'048, {"embedding"}}, {"old", 2'048, {}}};
  const StandInAnswer refused = stand_in_answer(models, R"({"model":"embed","messages":[]})");
  EXPECT_EQ(refused.http_status, 400U);
  EXPECT_EQ(refused.error, R"("embed" does not support chat)");
  EXPECT_EQ(stand_in_answer(models, R"({"model":"old","messages":[]})").http_status, 200U);
}

TEST(StandIn, RefusesAnInputThatExceedsTheContextUnlessItMayTruncate) {
  ChatRequest request = ask(std::string(20'000, 'x'));
  EXPECT_EQ(answer(request).http_status, 400U);
  json body = json::parse(make_chat_body(request));
  body.erase("truncate");
  EXPECT_EQ(stand_in_answer(kModels, body.dump()).input_tokens, 4096U) << "Ollama's silent truncation";
  request.model = "large";
  request.context_tokens = 50'000;
  EXPECT_EQ(answer(request).http_status, 200U);
}

TEST(StandIn, WithoutMessagesItOnlyLoadsTheModel) {
  const StandInAnswer loaded = answer({.model = "small"});
  EXPECT_EQ(loaded.done_reason, "load");
  EXPECT_TRUE(loaded.tokens.empty());
}

}  // namespace
}  // namespace loopback
