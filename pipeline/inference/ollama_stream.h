// One streaming chat with Ollama as a state machine without I/O: the caller tells what came over the connection, and is
// told which text is new and how it ended. The same bytes give the same text and end, however they were split.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "pipeline/inference/backend.h"

namespace inference {

inline constexpr std::size_t kMaxLineBytes = 1024 * 1024;      // one line of the stream
inline constexpr std::size_t kMaxTextBytes = 4 * 1024 * 1024;  // the whole text of one answer
// Of the whole body, with the lines that bring no text (thinking, tool calls, signs of life): several times what the
// longest answer takes.
inline constexpr std::size_t kMaxStreamBytes = 32 * 1024 * 1024;
inline constexpr std::size_t kMaxErrorBodyBytes = 64 * 1024;  // read of the body of a refusal

// What one input brought. Once `end` is set, every further input brings nothing.
struct Progress {
  std::string text;
  std::optional<tl::expected<Completion, Failure>> end;
};

class OllamaStream {
 public:
  // The status line and headers arrived.
  Progress on_head(unsigned http_status);
  // Bytes of the body; `elapsed_ms` since the request was sent, for the completion's times.
  Progress on_body(std::string_view bytes, std::int64_t elapsed_ms);
  // The body ended as HTTP says it should.
  Progress on_end_of_body(std::int64_t elapsed_ms);
  // The connection could not be made, or broke. `why` is for a person.
  Progress on_connection_error(std::string_view why);
  // The caller waited this long for the next byte and gives up.
  Progress on_timeout(std::int64_t waited_ms);

  // True once a byte of the answer has come, so that a time-out is no longer one of waiting for the first token.
  bool answering() const { return answering_; }

 private:
  enum class State { waiting_for_head, streaming, refused, ended };

  void read_lines(std::string_view bytes, std::int64_t elapsed_ms, Progress& progress);
  void read_line(std::string_view line, std::int64_t elapsed_ms, Progress& progress);
  void read_last_line(std::string_view done_reason, std::int64_t elapsed_ms, Progress& progress);
  void add_text(const std::string& text, std::int64_t elapsed_ms, Progress& progress);
  void fail(Progress& progress, ledger::InferenceFailure kind, std::string message);
  void end(Progress& progress, tl::expected<Completion, Failure> outcome);

  State state_ = State::waiting_for_head;
  unsigned http_status_ = 0;
  bool answering_ = false;
  std::size_t received_bytes_ = 0;  // of the body of an answer
  std::string pending_;             // the unfinished line, or the body of a refusal
  Completion completion_;
};

}  // namespace inference
