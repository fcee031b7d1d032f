#include "pipeline/inference/ollama_stream.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "pipeline/inference/ollama_api.h"

namespace inference {
namespace {

using ledger::InferenceFailure;
using nlohmann::json;

constexpr unsigned kHttpOk = 200;

// The token count at `key`: absent means 0, anything but a whole number is nothing.
std::optional<std::uint64_t> count_at(const json& line, const char* key) {
  const auto found = line.find(key);
  if (found == line.end()) return 0;
  if (!found->is_number_unsigned()) return std::nullopt;
  return found->get<std::uint64_t>();
}

// The new text of a line: nothing if it is not of the API's form, empty where it only says "done" or "thinking".
std::optional<std::string> text_of(const json& line) {
  const auto message = line.find("message");
  if (message == line.end()) return std::string();
  if (!message->is_object()) return std::nullopt;
  const auto content = message->find("content");
  if (content == message->end()) return std::string();
  return content->is_string() ? std::optional(content->get<std::string>()) : std::nullopt;
}

}  // namespace

Progress OllamaStream::on_head(unsigned http_status) {
  if (state_ != State::waiting_for_head) return {};
  http_status_ = http_status;
  state_ = http_status == kHttpOk ? State::streaming : State::refused;
  return {};
}

Progress OllamaStream::on_body(std::string_view bytes, std::int64_t elapsed_ms) {
  Progress progress;
  if (state_ == State::streaming) {
    answering_ = answering_ || !bytes.empty();
    const std::string_view within = bytes.substr(0, kMaxStreamBytes - received_bytes_);
    received_bytes_ += within.size();
    read_lines(within, elapsed_ms, progress);
    if (within.size() < bytes.size()) {
      fail(progress, InferenceFailure::malformed, "the stream is longer than that of any answer");
    }
  } else if (state_ == State::refused) {
    pending_.append(bytes.substr(0, kMaxErrorBodyBytes - pending_.size()));
  }
  return progress;
}

Progress OllamaStream::on_end_of_body(std::int64_t elapsed_ms) {
  Progress progress;
  if (state_ == State::refused) {
    end(progress, tl::unexpected(failure_of_status(http_status_, pending_)));
  } else if (state_ == State::streaming) {
    // A last line without its newline counts if it is whole; half a line is a cut stream, not a malformed one.
    const std::string rest = std::exchange(pending_, {});
    if (json::accept(rest)) read_line(rest, elapsed_ms, progress);
    fail(progress, InferenceFailure::cut_off, "the stream ended without its last line");
  }
  return progress;
}

Progress OllamaStream::on_connection_error(std::string_view why) {
  Progress progress;
  if (state_ == State::refused) {
    end(progress, tl::unexpected(failure_of_status(http_status_, pending_)));
  } else if (state_ == State::streaming) {
    fail(progress, InferenceFailure::cut_off, "the connection broke in mid-stream: " + std::string(why));
  } else {
    fail(progress, InferenceFailure::unreachable, std::string(why));
  }
  return progress;
}

Progress OllamaStream::on_timeout(std::int64_t waited_ms) {
  Progress progress;
  const std::string waited = std::to_string(waited_ms) + " ms";
  if (state_ == State::refused) {
    end(progress, tl::unexpected(failure_of_status(http_status_, pending_)));
  } else {
    fail(progress, InferenceFailure::timed_out,
         answering_ ? "the stream stalled for " + waited : "no first token within " + waited);
  }
  return progress;
}

void OllamaStream::read_lines(std::string_view bytes, std::int64_t elapsed_ms, Progress& progress) {
  while (state_ == State::streaming) {
    const std::size_t newline = bytes.find('\n');
    const std::string_view part = bytes.substr(0, newline);
    if (pending_.size() + part.size() > kMaxLineBytes) {
      return fail(progress, InferenceFailure::malformed, "a line of the stream is longer than any of Ollama's");
    }
    pending_.append(part);
    if (newline == std::string_view::npos) return;
    bytes.remove_prefix(newline + 1);
    read_line(std::exchange(pending_, {}), elapsed_ms, progress);
  }
}

void OllamaStream::read_line(std::string_view line, std::int64_t elapsed_ms, Progress& progress) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return;
  const json value = json::parse(line, nullptr, false);
  if (!value.is_object()) return fail(progress, InferenceFailure::malformed, "a line of the stream is no JSON object");
  if (const auto error = value.find("error"); error != value.end()) {
    const std::string said = error->is_string() ? error->get<std::string>() : std::string(line);
    return fail(progress, InferenceFailure::server_error, quoted_from_backend(said));
  }
  const auto done = value.find("done");
  const auto text = text_of(value);
  const auto input_tokens = count_at(value, "prompt_eval_count");
  const auto output_tokens = count_at(value, "eval_count");
  if (done == value.end() || !done->is_boolean() || !text || !input_tokens || !output_tokens) {
    return fail(progress, InferenceFailure::malformed, "a line of the stream is not of Ollama's form");
  }
  add_text(*text, elapsed_ms, progress);
  if (state_ != State::streaming || !done->get<bool>()) return;
  completion_.input_tokens = *input_tokens;
  completion_.output_tokens = *output_tokens;
  const auto reason = value.find("done_reason");
  read_last_line(reason != value.end() && reason->is_string() ? reason->get<std::string>() : std::string(), elapsed_ms,
                 progress);
}

// Ollama leaves the reason out when the connection to its own runner closed: that is no completed answer.
void OllamaStream::read_last_line(std::string_view done_reason, std::int64_t elapsed_ms, Progress& progress) {
  if (done_reason.empty()) return fail(progress, InferenceFailure::cut_off, "the answer ended without a reason");
  if (done_reason == "stop") {
    completion_.finish = ledger::FinishReason::stop;
  } else if (done_reason == "length") {
    completion_.finish = ledger::FinishReason::length;
  } else {
    return fail(progress, InferenceFailure::malformed,
                "the backend ended with \"" + quoted_from_backend(done_reason) + "\" where an answer was due");
  }
  completion_.total_ms = elapsed_ms;
  end(progress, std::move(completion_));
}

void OllamaStream::add_text(const std::string& text, std::int64_t elapsed_ms, Progress& progress) {
  if (text.empty()) return;
  if (completion_.text.size() + text.size() > kMaxTextBytes) {
    return fail(progress, InferenceFailure::malformed, "the answer is longer than any that we asked for");
  }
  if (completion_.text.empty()) completion_.first_token_ms = elapsed_ms;
  completion_.text += text;
  progress.text += text;
}

void OllamaStream::fail(Progress& progress, InferenceFailure kind, std::string message) {
  end(progress, tl::unexpected(Failure{.kind = kind, .message = std::move(message)}));
}

void OllamaStream::end(Progress& progress, tl::expected<Completion, Failure> outcome) {
  if (state_ == State::ended) return;
  state_ = State::ended;
  progress.end = std::move(outcome);
}

}  // namespace inference
