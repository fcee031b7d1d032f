#include "pipeline/inference/ollama_stream.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

namespace inference {
namespace {

using ledger::FinishReason;
using ledger::InferenceFailure;
using testing::HasSubstr;

std::string transcript(const std::string& name) {
  std::ifstream file(std::filesystem::path(SOURCE_DIR) / "fixtures/transcripts" / (name + ".ndjson"), std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

// Everything that a stream brought: its text, chunk by chunk and whole, and how it ended.
struct Outcome {
  std::string text;
  std::optional<tl::expected<Completion, Failure>> end;
  int ends = 0;

  void add(const Progress& progress) {
    text += progress.text;
    if (!progress.end) return;
    end = progress.end;
    ++ends;
  }
  const Completion& completion() const { return end->value(); }
  InferenceFailure failure() const { return end->error().kind; }
};

Outcome play(const std::vector<std::string>& parts, unsigned http_status = 200) {
  OllamaStream stream;
  Outcome outcome;
  outcome.add(stream.on_head(http_status));
  for (const std::string& part : parts) outcome.add(stream.on_body(part, 10));
  outcome.add(stream.on_end_of_body(20));
  return outcome;
}

std::string describe(const Outcome& outcome) {
  if (!outcome.end) return "no end";
  if (!*outcome.end)
    return std::string(ledger::name(outcome.failure())) + " " + outcome.end->error().message + outcome.text;
  const Completion& completion = outcome.completion();
  return completion.text + "|" + outcome.text + "|" + std::to_string(completion.input_tokens) + "|" +
         std::to_string(completion.output_tokens) + "|" + std::string(ledger::name(completion.finish));
}

// ---- a completed answer ---------------------------------------------------------------------------------------------

TEST(Stream, GivesTheTextTheCountsAndTheReasonOfACompletedAnswer) {
  const Outcome outcome = play({transcript("stop")});
  const Completion& completion = outcome.completion();
  EXPECT_EQ(completion.text, "A café in <b> &  Zürich: “two\\three”\n\n☃ 😀.");
  EXPECT_EQ(outcome.text, completion.text);
  EXPECT_EQ(completion.input_tokens, 31U);
  EXPECT_EQ(completion.output_tokens, 11U);
  EXPECT_EQ(completion.finish, FinishReason::stop);
}

TEST(Stream, SaysWhenTheCapEndedTheAnswer) {
  EXPECT_EQ(play({transcript("length")}).completion().finish, FinishReason::length);
}

TEST(Stream, CountsThatAreLeftOutAreZero) {
  const Outcome outcome = play({transcript("counts-left-out")});
  EXPECT_EQ(outcome.completion().text, "Hi");
  EXPECT_EQ(outcome.completion().input_tokens, 0U);
  EXPECT_EQ(outcome.completion().output_tokens, 0U);
}

TEST(Stream, WhatAModelThinksIsNoPartOfItsAnswer) {
  EXPECT_EQ(play({transcript("thinking")}).completion().text, "42");
}

TEST(Stream, MeasuresTheFirstTextAndTheWhole) {
  OllamaStream stream;
  stream.on_head(200);
  stream.on_body("{\"message\":{\"role\":\"assistant\",\"content\":\"\"},\"done\":false}\n", 50);
  stream.on_body("{\"message\":{\"role\":\"assistant\",\"content\":\"x\"},\"done\":false}\n", 70);
  stream.on_body("{\"message\":{\"role\":\"assistant\",\"content\":\"y\"},\"done\":false}\n", 90);
  const Progress progress = stream.on_body("{\"done\":true,\"done_reason\":\"stop\"}\n", 120);
  ASSERT_TRUE(progress.end && *progress.end);
  EXPECT_EQ((*progress.end)->first_token_ms, 70);
  EXPECT_EQ((*progress.end)->total_ms, 120);
}

TEST(Stream, ReadsALastLineWithoutItsNewline) {
  std::string body = transcript("stop");
  body.pop_back();
  EXPECT_EQ(describe(play({body})), describe(play({transcript("stop")})));
}

TEST(Stream, TakesCarriageReturnsAndEmptyLines) {
  EXPECT_TRUE(
      *play({"\r\n{\"message\":{\"content\":\"x\"},\"done\":false}\r\n\n{\"done\":true,\"done_reason\":\"stop\"}\r\n"})
           .end);
}

// ---- the same bytes, however they are split -------------------------------------------------------------------------

class EveryTranscript : public testing::TestWithParam<const char*> {};

TEST_P(EveryTranscript, MeansTheSameAtEverySplit) {
  const std::string body = transcript(GetParam());
  const std::string whole = describe(play({body}));
  for (std::size_t at = 0; at <= body.size(); ++at) {
    ASSERT_EQ(describe(play({body.substr(0, at), body.substr(at)})), whole) << "split at " << at;
  }
}

TEST_P(EveryTranscript, MeansTheSameByteByByte) {
  const std::string body = transcript(GetParam());
  std::vector<std::string> bytes;
  for (const char c : body) bytes.emplace_back(1, c);
  EXPECT_EQ(describe(play(bytes)), describe(play({body})));
}

TEST_P(EveryTranscript, CutAnywhereBeforeItsEndIsNoCompletedAnswer) {
  const std::string body = transcript(GetParam());
  const std::size_t last_line = body.rfind('\n', body.size() - 2) + 1;
  for (std::size_t size = 0; size <= last_line; ++size) {
    const Outcome outcome = play({body.substr(0, size)});
    ASSERT_EQ(outcome.ends, 1);
    ASSERT_FALSE(*outcome.end) << "cut at " << size;
  }
}

INSTANTIATE_TEST_SUITE_P(Stream, EveryTranscript,
                         testing::Values("stop", "length", "counts-left-out", "runner-died", "server-stopped",
                                         "server-stopped-in-a-line", "load", "unload", "runner-closed", "thinking",
                                         "not-json"),
                         [](const auto& name_of) {
                           std::string name = name_of.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

// ---- each way to fail -----------------------------------------------------------------------------------------------

TEST(StreamFailure, ARunnerThatDiedIsAServerError) {
  const Outcome outcome = play({transcript("runner-died")});
  EXPECT_EQ(outcome.failure(), InferenceFailure::server_error);
  EXPECT_THAT(outcome.end->error().message, HasSubstr("unexpected EOF"));
  EXPECT_EQ(outcome.text, "One two") << "what came before it was passed on";
}

TEST(StreamFailure, AStreamWithoutItsLastLineIsCutOff) {
  EXPECT_EQ(play({transcript("server-stopped")}).failure(), InferenceFailure::cut_off);
  EXPECT_EQ(play({transcript("server-stopped-in-a-line")}).failure(), InferenceFailure::cut_off);
  EXPECT_EQ(play({}).failure(), InferenceFailure::cut_off);
}

TEST(StreamFailure, AnEndWithoutAReasonIsCutOff) {
  EXPECT_EQ(play({transcript("runner-closed")}).failure(), InferenceFailure::cut_off);
}

TEST(StreamFailure, AModelThatWasLoadedOrUnloadedAnsweredNothing) {
  EXPECT_EQ(play({transcript("load")}).failure(), InferenceFailure::malformed);
  EXPECT_EQ(play({transcript("unload")}).failure(), InferenceFailure::malformed);
  EXPECT_THAT(play({transcript("load")}).end->error().message, HasSubstr("\"load\""));
}

TEST(StreamFailure, WhatOllamaNeverSendsIsMalformed) {
  EXPECT_EQ(play({transcript("not-json")}).failure(), InferenceFailure::malformed);
  for (const char* line :
       {"[]", "1", "{}", R"({"done":"true"})", R"({"message":"x","done":false})",
        R"({"message":{"content":1},"done":false})", R"({"done":true,"done_reason":"stop","eval_count":-1})",
        R"({"done":true,"done_reason":"stop","eval_count":"3"})",
        R"({"done":true,"done_reason":"stop","prompt_eval_count":1.5})",
        "{\"message\":{\"content\":\"\xff\"},\"done\":false}"}) {
    EXPECT_EQ(play({std::string(line) + "\n"}).failure(), InferenceFailure::malformed) << line;
  }
}

TEST(StreamFailure, AnErrorLineWinsOverDone) {
  EXPECT_EQ(play({"{\"done\":true,\"done_reason\":\"stop\",\"error\":{\"odd\":1}}\n"}).failure(),
            InferenceFailure::server_error);
}

TEST(StreamFailure, ARefusalIsReadFromItsStatusAndBodyAtEverySplit) {
  const std::string body = R"({"error":"the input length exceeds the context length"})";
  for (std::size_t at = 0; at <= body.size(); ++at) {
    const Outcome outcome = play({body.substr(0, at), body.substr(at)}, 400);
    ASSERT_EQ(outcome.failure(), InferenceFailure::input_too_long);
    ASSERT_EQ(outcome.text, "");
  }
  EXPECT_EQ(play({R"({"error":"model 'x' not found"})"}, 404).failure(), InferenceFailure::unknown_model);
  EXPECT_EQ(play({R"({"error":"server busy"})"}, 503).failure(), InferenceFailure::busy);
  EXPECT_EQ(play({}, 500).failure(), InferenceFailure::server_error);
}

TEST(StreamFailure, ARefusalWhoseBodyNeverEndsIsStillARefusal) {
  for (const bool times_out : {true, false}) {
    OllamaStream stream;
    stream.on_head(404);
    stream.on_body(R"({"error":"mod)", 1);
    const Progress progress = times_out ? stream.on_timeout(5) : stream.on_connection_error("reset");
    EXPECT_EQ(progress.end->error().kind, InferenceFailure::unknown_model);
  }
}

TEST(StreamFailure, NoConnectionIsUnreachable) {
  const Progress progress = OllamaStream().on_connection_error("connection refused");
  EXPECT_EQ(progress.end->error().kind, InferenceFailure::unreachable);
  EXPECT_EQ(progress.end->error().message, "connection refused");
}

TEST(StreamFailure, AConnectionThatBreaksInMidStreamIsCutOff) {
  OllamaStream stream;
  stream.on_head(200);
  stream.on_body("{\"message\":{\"content\":\"x\"},\"done\":false}\n", 1);
  EXPECT_EQ(stream.on_connection_error("reset by peer").end->error().kind, InferenceFailure::cut_off);
}

TEST(StreamFailure, WaitingTooLongSaysForWhat) {
  OllamaStream silent;
  EXPECT_EQ(silent.on_timeout(300).end->error().message, "no first token within 300 ms");
  OllamaStream headers_only;
  headers_only.on_head(200);
  EXPECT_EQ(headers_only.on_timeout(300).end->error().message, "no first token within 300 ms");
  OllamaStream stalled;
  stalled.on_head(200);
  stalled.on_body("{", 1);
  const Progress progress = stalled.on_timeout(60);
  EXPECT_EQ(progress.end->error().kind, InferenceFailure::timed_out);
  EXPECT_EQ(progress.end->error().message, "the stream stalled for 60 ms");
}

// ---- limits, and the end
// ---------------------------------------------------------------------------------------------

TEST(StreamLimits, ALineIsBounded) {
  OllamaStream stream;
  stream.on_head(200);
  EXPECT_FALSE(stream.on_body(std::string(kMaxLineBytes, ' '), 1).end);
  EXPECT_EQ(stream.on_body(" ", 1).end->error().kind, InferenceFailure::malformed);
}

TEST(StreamLimits, TheTextIsBounded) {
  OllamaStream stream;
  stream.on_head(200);
  const std::string line = R"({"message":{"content":")" + std::string(kMaxLineBytes / 2, 'x') + "\"},\"done\":false}\n";
  for (std::size_t sent = 0; sent + kMaxLineBytes / 2 <= kMaxTextBytes; sent += kMaxLineBytes / 2) {
    ASSERT_FALSE(stream.on_body(line, 1).end);
  }
  EXPECT_EQ(stream.on_body(line, 1).end->error().kind, InferenceFailure::malformed);
}

// Lines that bring no text: they cost no memory, and still are no answer.
std::string blank_lines(std::size_t bytes) {
  std::string out(bytes, ' ');
  for (std::size_t at = 0; at < bytes; at += kMaxLineBytes) out[at] = '\n';
  return out;
}

TEST(StreamLimits, TheBodyIsBoundedAlsoWhereItBringsNoText) {
  OllamaStream stream;
  stream.on_head(200);
  EXPECT_FALSE(stream.on_body(blank_lines(kMaxStreamBytes), 1).end);
  EXPECT_EQ(stream.on_body("\n", 1).end->error().kind, InferenceFailure::malformed);
}

TEST(StreamLimits, AnAnswerThatEndsWithinTheBoundCountsHoweverItIsCut) {
  const std::string end = R"({"message":{"content":"Yes."},"done":true,"done_reason":"stop"})"
                          "\n";
  const Outcome outcome = play({blank_lines(kMaxStreamBytes - end.size()) + end + "beyond"});
  ASSERT_TRUE(outcome.end && *outcome.end);
  EXPECT_EQ(outcome.text, "Yes.");
}

TEST(StreamLimits, TheBodyOfARefusalIsBounded) {
  OllamaStream stream;
  stream.on_head(500);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(stream.on_body(std::string(10'000, 'x'), 1).end);
  EXPECT_EQ(stream.on_end_of_body(1).end->error().kind, InferenceFailure::server_error);
}

TEST(StreamEnd, NothingComesAfterIt) {
  OllamaStream stream;
  stream.on_head(200);
  const Progress last = stream.on_body(transcript("stop") + transcript("stop"), 1);
  ASSERT_TRUE(last.end && *last.end);
  EXPECT_EQ(last.text, (*last.end)->text) << "the second answer is not part of the first";
  for (const Progress& late : {stream.on_body(transcript("length"), 2), stream.on_end_of_body(2), stream.on_timeout(3),
                               stream.on_connection_error("x"), stream.on_head(500)}) {
    EXPECT_FALSE(late.end);
    EXPECT_EQ(late.text, "");
  }
}

}  // namespace
}  // namespace inference
