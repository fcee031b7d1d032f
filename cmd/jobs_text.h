// What was asked in a job and what was answered, as far as the ledger still has it.
#pragma once

#include "cmd/cli/command.h"
#include "ledger/reader.h"
#include "pipeline/core/chat_message.h"
#include "pipeline/core/job.h"

namespace cmd {

// Whether a text is available: "kept"; "none" (not written yet); "not_kept" (the job was declined); "pruned"; "lost"
// (damage: the ledger should have it); or "unreadable" (our key cannot decrypt it).
struct TextState {
  std::string_view name = "kept";
  std::string why;  // why it is not available, for people; empty if it is
};

struct JobWords {
  std::vector<core::ChatMessage> question;  // as the model reads it
  TextState question_state;
  std::string answer;
  TextState answer_state;
};

// Decrypts what is encrypted with our key. Fails where the key is needed and cannot be read, as read_key_file() does,
// and where the ledger cannot be read.
base::Result<JobWords> read_words(const Context& context, const ledger::Reader& reader, const core::Job& job);

// Whole, for people: strangers' control characters are made harmless.
void print_words(std::ostream& out, const Terminal& terminal, const JobWords& words);
// The members "question", "question_state", "answer" and "answer_state" of a job's object, texts as they are.
void add_words(nlohmann::ordered_json& object, const JobWords& words);

}  // namespace cmd
