// The input is the body of an answer of Ollama's. However it is cut, it must mean the same.
#include "pipeline/inference/ollama_stream.h"

#include <nlohmann/json.hpp>

#include "base/utf8.h"
#include "pipeline/inference/ollama_api.h"
#include "pipeline/inference/ollama_stream.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace base;
using namespace inference;

constexpr unsigned kOk = 200;
constexpr std::int64_t kElapsedMs = 7;

struct Outcome {
  std::string text;
  std::optional<tl::expected<Completion, Failure>> end;

  void add(const Progress& progress) {
    require(!end || (progress.text.empty() && !progress.end), "nothing comes after the end");
    text += progress.text;
    if (progress.end) end = progress.end;
  }
  // All of it in words, to be compared.
  std::string words() const {
    if (!*end) return text + "|" + std::string(ledger::name(end->error().kind)) + "|" + end->error().message;
    const Completion& c = **end;
    return text + "|" + c.text + "|" + std::to_string(c.input_tokens) + "|" + std::to_string(c.output_tokens) + "|" +
           std::string(ledger::name(c.finish)) + "|" + std::to_string(c.first_token_ms) + "|" +
           std::to_string(c.total_ms);
  }
};

enum class Ending { end_of_body, connection_error, timeout };

void end(OllamaStream& stream, Ending how, Outcome& outcome) {
  switch (how) {
    case Ending::end_of_body:
      return outcome.add(stream.on_end_of_body(kElapsedMs));
    case Ending::connection_error:
      return outcome.add(stream.on_connection_error("reset"));
    case Ending::timeout:
      return outcome.add(stream.on_timeout(1000));
  }
}

bool is_utf8(const std::string& text) {
  return !nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::ignore).empty() &&
         nlohmann::json::accept(nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::strict));
}

void check(const Outcome& outcome) {
  require(outcome.end.has_value(), "every stream ends");
  require(outcome.text.size() <= kMaxTextBytes && is_utf8(outcome.text), "the text is UTF-8 within its limit");
  if (*outcome.end) {
    const Completion& completion = **outcome.end;
    require(completion.text == outcome.text, "what came piece by piece is the whole text");
    require(completion.finish != ledger::FinishReason::unspecified, "a completed answer has its reason");
  } else {
    const Failure& failure = outcome.end->error();
    require(failure.kind != ledger::InferenceFailure::unspecified, "a failure has its kind");
    require(is_utf8(failure.message) && failure.message.find('\n') == std::string::npos,
            "a failure says in one line of UTF-8 what it is");
    require(failure.message.size() <= 2 * kMaxSaidBytes, "a backend's words are cut");
  }
}

// In pieces of one to `longest` bytes.
Outcome play(std::string_view body, std::size_t longest, unsigned http_status, Ending ending) {
  OllamaStream stream;
  Outcome outcome;
  outcome.add(stream.on_head(http_status));
  std::size_t chance = body.size();
  while (!body.empty()) {
    chance = chance * 1103515245 + 12345;
    const std::size_t size = 1 + chance / 65536 % longest;
    outcome.add(stream.on_body(body.substr(0, size), kElapsedMs));
    body.remove_prefix(std::min(size, body.size()));
  }
  end(stream, ending, outcome);
  check(outcome);
  end(stream, Ending::end_of_body, outcome);
  outcome.add(stream.on_body("{\"done\":true,\"done_reason\":\"stop\"}\n", kElapsedMs));
  return outcome;
}

void check_readers(std::string_view body) {
  const auto tags = parse_tags(body);
  require(!tags || tags->size() <= kMaxModels, "models beyond the limit are left out");
  const auto running = parse_ps(body);
  require(!running || running->size() <= kMaxModels, "models beyond the limit are left out");
  for (const auto& failed : {tags.has_value() ? "" : tags.error().code, running ? "" : running.error().code}) {
    require(failed.empty() || failed == "inference.malformed", "every refusal has its code");
  }
  (void)parse_version(body);
  (void)parse_show(body);
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view body = fuzz::text_of(data, size);
  for (const Ending ending : {Ending::end_of_body, Ending::connection_error, Ending::timeout}) {
    const std::string whole = play(body, body.size() + 1, kOk, ending).words();
    require(play(body, 40, kOk, ending).words() == whole, "cut anywhere it means the same");
    if (ending != Ending::end_of_body) continue;
    require(play(body, 1, kOk, ending).words() == whole, "byte by byte it means the same");
  }
  for (const unsigned refusal : {404U, 500U}) {
    const std::string whole = play(body, body.size() + 1, refusal, Ending::end_of_body).words();
    require(play(body, 40, refusal, Ending::connection_error).words() == whole, "a refusal is one however it ends");
  }
  check_readers(body);
  return 0;
}
