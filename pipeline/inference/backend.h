// The port to a machine that answers prompts. Adapters live beside it. Calls return at once; callbacks come on the
// thread of the io_context the adapter was made with (simulated backends: from virtual time).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/fact.h"
#include "pipeline/core/chat_message.h"

namespace inference {

using core::ChatMessage;

struct ChatRequest {
  std::string model;
  std::vector<ChatMessage> messages;
  ledger::GenerationParams params;      // max_tokens in here is ignored: the cap below rules
  std::uint64_t max_output_tokens = 0;  // always sent
  std::uint64_t context_tokens = 0;     // pinned, because another value reloads the model; 0: the backend's default
  bool json = false;                    // the answer must be JSON
};

struct Completion {
  std::string text;
  std::uint64_t input_tokens = 0;
  std::uint64_t output_tokens = 0;
  ledger::FinishReason finish = ledger::FinishReason::unspecified;
  std::int64_t first_token_ms = 0;
  std::int64_t total_ms = 0;
};

struct Failure {
  ledger::InferenceFailure kind = ledger::InferenceFailure::unspecified;
  std::string message;  // what the backend said, or what we saw; never a secret
};

// Its destructor ends the generation: the connection is closed, and `done` is not called any more.
class Generation {
 public:
  virtual ~Generation() = default;
};

struct ModelInfo {
  std::string name;
  std::uint64_t context_tokens = 0;  // 0: unknown
  bool loaded = false;
  bool completes = true;  // answers prompts; false: the backend says that it does not (it makes embeddings only)
  std::optional<base::Error> trouble = {};  // it was tried, and does not answer (supervised_backend.h)
};

struct BackendStatus {
  std::string version;
  std::vector<ModelInfo> models;
};

class Backend {
 public:
  virtual ~Backend() = default;
  using OnText = std::function<void(std::string_view chunk)>;
  using OnDone = std::function<void(tl::expected<Completion, Failure>)>;
  // `done` is called exactly once and never inside this call, unless the Generation is destroyed first.
  virtual std::unique_ptr<Generation> chat(const ChatRequest& request, OnText text, OnDone done) = 0;
  virtual void status(std::function<void(base::Result<BackendStatus>)> done) = 0;
};

}  // namespace inference
