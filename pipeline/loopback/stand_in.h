// What Ollama's stand-in answers: a deterministic "model" for `sellcompute demo` and for tests. Pure; loopback_ollama
// serves it over HTTP. It follows Ollama's own checks of a chat request, so that a client that is wrong about them is
// found out.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace loopback {

struct StandInModel {
  std::string name;
  std::uint64_t context_tokens = 0;
  std::vector<std::string> capabilities = {
      "completion"};  // what /api/show lists; empty: an older server, which lists none
};

// The answer to one `POST /api/chat`: a refusal, or text in pieces as they are streamed.
struct StandInAnswer {
  unsigned http_status = 200;
  std::string error;  // what is wrong, in Ollama's words, where http_status is not 200
  std::string model;
  std::vector<std::string> tokens;
  std::uint64_t input_tokens = 0;
  std::string done_reason;  // stop, length or load
};

// The same model, messages and options (the seed among them) give the same answer; another seed may give another. The
// text says that it is a stand-in's and repeats the question. num_predict, stop, num_ctx, truncate and format are
// honoured.
StandInAnswer stand_in_answer(std::span<const StandInModel> models, std::string_view chat_body);

}  // namespace loopback
