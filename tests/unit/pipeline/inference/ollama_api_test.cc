#include "pipeline/inference/ollama_api.h"

#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

namespace inference {
namespace {

using ledger::InferenceFailure;
using nlohmann::json;
using testing::ElementsAre;
using testing::Field;

json body_of(const ChatRequest& request) {
  return json::parse(make_chat_body(request));
}

// ---- what we send ---------------------------------------------------------------------------------------------------

TEST(ChatBody, NamesTheModelAndTheMessagesInOrder) {
  const json body = body_of({.model = "llama3.2", .messages = {{"system", "Be brief."}, {"user", "Why?"}}});
  EXPECT_EQ(body["model"], "llama3.2");
  EXPECT_EQ(body["messages"],
            json::parse(R"([{"role":"system","content":"Be brief."},{"role":"user","content":"Why?"}])"));
}

TEST(ChatBody, AlwaysStreamsAndNeverLetsOllamaTruncateThePrompt) {
  const json body = body_of({.model = "m"});
  EXPECT_EQ(body["stream"], true);
  EXPECT_EQ(body["truncate"], false);
}

TEST(ChatBody, LeavesOutWhatWasNotAskedFor) {
  const json body = body_of({.model = "m", .max_output_tokens = 7});
  EXPECT_EQ(body["options"], json({{"num_predict", 7}}));
  EXPECT_FALSE(body.contains("format"));
}

TEST(ChatBody, SendsEachParameterUnderOllamasName) {
  ChatRequest request{.model = "m", .max_output_tokens = 7, .context_tokens = 8192};
  request.params.temperature = 0.25;
  request.params.top_k = 40;
  request.params.top_p = 0.5;
  request.params.frequency_penalty = -1.5;
  request.params.presence_penalty = 1.25;
  request.params.seed = -42;
  request.params.stop = {"END", "\n\n"};
  EXPECT_EQ(body_of(request)["options"], json({{"num_predict", 7},
                                               {"temperature", 0.25},
                                               {"top_k", 40},
                                               {"top_p", 0.5},
                                               {"frequency_penalty", -1.5},
                                               {"presence_penalty", 1.25},
                                               {"seed", -42},
                                               {"stop", {"END", "\n\n"}},
                                               {"num_ctx", 8192}}));
}

TEST(ChatBody, SendsAZeroThatWasAskedFor) {
  ChatRequest request{.model = "m", .max_output_tokens = 1};
  request.params.temperature = 0.0;
  request.params.seed = 0;
  const json options = body_of(request)["options"];
  EXPECT_EQ(options["temperature"], 0.0);
  EXPECT_EQ(options["seed"], 0);
}

TEST(ChatBody, TheCapRulesAndNotTheCustomersWish) {
  ChatRequest request{.model = "m", .max_output_tokens = 7};
  request.params.max_tokens = 1'000'000;
  EXPECT_EQ(body_of(request)["options"]["num_predict"], 7);
}

TEST(ChatBody, NeverSendsACapThatOllamaTakesForNoLimit) {
  EXPECT_EQ(body_of({.model = "m", .max_output_tokens = 0})["options"]["num_predict"], 1);
  EXPECT_EQ(body_of({.model = "m", .max_output_tokens = ~std::uint64_t{0}})["options"]["num_predict"], 2147483647);
}

TEST(ChatBody, AsksForJson) {
  EXPECT_EQ(body_of({.model = "m", .json = true})["format"], "json");
}

TEST(ChatBody, ReplacesBytesThatAreNoUtf8) {
  EXPECT_EQ(body_of({.model = "m", .messages = {{"user", "a\xff!"}}})["messages"][0]["content"], "a\xef\xbf\xbd!");
}

// ---- what it answers ------------------------------------------------------------------------------------------------

TEST(Answers, Version) {
  EXPECT_EQ(parse_version(R"({"version":"0.24.0"})"), "0.24.0");
  EXPECT_EQ(parse_version("Ollama is running").error().code, "inference.malformed");
  EXPECT_EQ(parse_version(R"({"version":24})").error().code, "inference.malformed");
}

TEST(Answers, Tags) {
  const auto models = parse_tags(
      R"({"models":[{"name":"llama3.2:1b","model":"llama3.2:1b","digest":"baf6","size":1321098329,
          "details":{"family":"llama","parameter_size":"1.2B","quantization_level":"Q8_0"}},{"name":"qwen3:8b"}]})");
  ASSERT_TRUE(models);
  EXPECT_THAT(*models, ElementsAre(Field(&ListedModel::name, "llama3.2:1b"), Field(&ListedModel::name, "qwen3:8b")));
  EXPECT_EQ(models->front().digest, "baf6");
}

TEST(Answers, AServerWithoutModelsSaysNullOrNothing) {
  EXPECT_TRUE(parse_tags(R"({"models":null})")->empty());
  EXPECT_TRUE(parse_ps(R"({"models":[]})")->empty());
}

TEST(Answers, ModelsOfAnotherFormAreMalformed) {
  for (const char* body : {"", "[]", "{}", R"({"models":{}})", R"({"models":[1]})", R"({"models":[{"digest":"x"}]})"}) {
    EXPECT_FALSE(parse_tags(body)) << body;
  }
}

TEST(Answers, ReadsNoMoreModelsThanTheLimit) {
  json models = json::array();
  for (std::size_t i = 0; i < kMaxModels + 5; ++i) models.push_back({{"name", std::to_string(i)}});
  EXPECT_EQ(parse_tags(json({{"models", models}}).dump())->size(), kMaxModels);
}

TEST(Answers, TheContextLengthStandsUnderTheArchitecturesName) {
  const auto tokens_of = [](std::string_view body) { return parse_show(body)->context_tokens; };
  EXPECT_EQ(tokens_of(R"({"model_info":{"general.architecture":"llama","llama.context_length":131072}})"), 131072U);
  EXPECT_EQ(tokens_of(R"({"model_info":{"general.architecture":"bert","llama.context_length":131072}})"), 0U);
  EXPECT_EQ(tokens_of(R"({"model_info":{"general.architecture":"llama","llama.context_length":"much"}})"), 0U);
  EXPECT_EQ(tokens_of(R"({"details":{}})"), 0U);
  EXPECT_FALSE(parse_show("nonsense"));
}

TEST(Answers, AModelCompletesUnlessItsCapabilitiesLackIt) {
  for (const char* body : {R"({"capabilities":["completion"]})", R"({"capabilities":["tools","completion","vision"]})",
                           R"({"details":{}})", R"({"capabilities":null})", R"({"capabilities":"completion"})"}) {
    EXPECT_TRUE(parse_show(body)->completes) << body;
  }
  for (const char* body : {R"({"capabilities":["embedding"]})", R"({"capabilities":[]})", R"({"capabilities":[1]})"}) {
    EXPECT_FALSE(parse_show(body)->completes) << body;
  }
}

// ---- what it refuses ------------------------------------------------------------------------------------------------

struct Refusal {
  unsigned status;
  const char* body;
  InferenceFailure kind;
};

TEST(Refusals, EachIsToldApart) {
  using enum InferenceFailure;
  for (const Refusal& refusal : std::initializer_list<Refusal>{
           {404, R"({"error":"model 'nope' not found"})", unknown_model},
           {400, R"({"error":"invalid character 'x' looking for beginning of value"})", rejected},
           {400, R"({"error":"model is required"})", rejected},
           {400, R"({"error":"the input length exceeds the context length"})", input_too_long},
           {400, R"_({"error":"request (5000 tokens) exceeds the available context size (4096 tokens)"})_",
            input_too_long},
           {413, "", input_too_long},
           {503, R"({"error":"server busy, please try again.  maximum pending requests exceeded"})", busy},
           {429, R"({"error":"too many requests"})", busy},
           {500, R"({"error":"option \"temperature\" must be of type float32"})", rejected},
           {500, R"({"error":"llama runner process has terminated: exit status 2"})", server_error},
           {502, "<html>Bad Gateway</html>", server_error},
           {401, R"({"error":"unauthorized"})", rejected},
           {302, "", malformed},
       }) {
    EXPECT_EQ(failure_of_status(refusal.status, refusal.body).kind, refusal.kind) << refusal.status << refusal.body;
  }
}

TEST(Refusals, SayWhatTheBackendSaid) {
  EXPECT_EQ(failure_of_status(404, R"({"error":"model 'x' not found"})").message, "HTTP 404: model 'x' not found");
  EXPECT_EQ(failure_of_status(502, "<html>").message, "HTTP 502: <html>");
  EXPECT_EQ(failure_of_status(500, "").message, "HTTP 500");
}

TEST(Refusals, ABackendsWordsAreCutToOneShortLineOfUtf8) {
  EXPECT_EQ(quoted_from_backend("a\nb\x01\xff \n"), "a b \xef\xbf\xbd");
  EXPECT_LE(quoted_from_backend(std::string(100'000, 'x')).size(), kMaxSaidBytes + 3);
  EXPECT_LE(quoted_from_backend(std::string(400, '\xff')).size(), kMaxSaidBytes + 3) << "replaced bytes count too";
  EXPECT_NO_THROW(static_cast<void>(json(quoted_from_backend(std::string(499, 'x') + "€€")).dump()));
}

}  // namespace
}  // namespace inference
