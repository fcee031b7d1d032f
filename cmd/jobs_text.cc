#include "cmd/jobs_text.h"

#include <ostream>

#include "base/check.h"
#include "cmd/cli/passphrase.h"
#include "cmd/text/humanize.h"
#include "pipeline/nostr/encryption.h"
#include "pipeline/runtime/job_texts.h"

namespace cmd {
namespace {

using base::Result;
using core::Job;
using nlohmann::ordered_json;

// The ledger as the runtime reads its texts.
class ReadJournal final : public runtime::Journal {
 public:
  explicit ReadJournal(const ledger::Reader& reader) : reader_(reader) {}
  void append(ledger::Group, std::function<void(Result<void>)>) override { CHECK(false); }  // only texts are read
  Result<std::optional<std::string>> text(const base::TextRef& ref) override { return reader_.text(ref); }
  Result<std::optional<Job>> job(const base::JobId&) override { return std::nullopt; }

 private:
  const ledger::Reader& reader_;
};

Result<nostr::SecretKey> key_for(const Job& job, const Context& context) {
  if (job.request->encryption == ledger::Encryption::none) return nostr::generate_key();  // nothing is opened with it
  const auto config = context.config();
  if (!config) return tl::unexpected(config.error());
  return nostr::read_key_file(config->identity.key_file, passphrase_source(config->identity));
}

// What a failed reading means for one text; an error where it is none of that text's.
Result<TextState> state_of(const base::Error& error) {
  if (runtime::is_pruned(error)) return TextState{"pruned", "it was pruned"};
  if (error.code == "ledger.damaged") return TextState{"lost", error.message};
  return tl::unexpected(error);
}

TextState unreadable(const base::Error& error) {
  return {"unreadable", error.message};
}

Result<void> fill_question(JobWords& out, const runtime::JobTexts& texts, const Job& job) {
  if (job.declined && job.declined->text_dropped) {
    out.question_state = {"not_kept", "it was not kept, as the job was declined"};
    return {};
  }
  const auto question = texts.question(job);
  if (!question) return state_of(question.error()).map([&](TextState state) { out.question_state = std::move(state); });
  auto conversation = texts.conversation(job, *question);
  if (conversation) {
    out.question = std::move(*conversation);
  } else {
    out.question_state = unreadable(conversation.error());
  }
  return {};
}

Result<void> fill_answer(JobWords& out, const runtime::JobTexts& texts, const Job& job, const nostr::SecretKey& key) {
  if (!job.completion) {
    out.answer_state = {"none", "there is none"};
    return {};
  }
  auto text = texts.read(job.completion->result);
  if (!text) return state_of(text.error()).map([&](TextState state) { out.answer_state = std::move(state); });
  out.answer = std::move(*text);
  if (job.request->encryption == ledger::Encryption::none) return {};
  auto open = nostr::decrypt(out.answer, key, job.request->customer);
  out.answer = open ? std::move(open->plaintext) : std::string();
  if (!open) out.answer_state = unreadable(open.error());
  return {};
}

void print_text(std::ostream& out, const Terminal& terminal, const std::string& text) {
  const std::string harmless = printable_lines(text);
  out << (terminal.is_terminal ? wrapped_lines(harmless, terminal.width) : harmless)
      << (text.ends_with('\n') ? "" : "\n");
}

}  // namespace

Result<JobWords> read_words(const Context& context, const ledger::Reader& reader, const Job& job) {
  if (!job.request)
    return JobWords{.question_state = {"none", "there is none"}, .answer_state = {"none", "there is none"}};
  const auto key = key_for(job, context);
  if (!key) return tl::unexpected(key.error());
  ReadJournal journal(reader);
  const runtime::JobTexts texts(journal, *key, [] { return base::Salt{}; });
  JobWords out;
  if (const auto read = fill_question(out, texts, job); !read) return tl::unexpected(read.error());
  if (const auto read = fill_answer(out, texts, job, *key); !read) return tl::unexpected(read.error());
  return out;
}

void print_words(std::ostream& out, const Terminal& terminal, const JobWords& words) {
  const auto title = [&](const std::string& what, const std::string& why) {
    out << terminal.paint(Colour::bold, what) << (why.empty() ? "" : ": " + printable(why)) << '\n';
  };
  if (!words.question_state.why.empty()) title("question", words.question_state.why);
  for (const auto& message : words.question) {
    title(message.role == "user" ? "question" : "question (" + message.role + ")", {});
    print_text(out, terminal, message.content);
  }
  out << '\n';
  title("answer", words.answer_state.why);
  if (words.answer_state.why.empty()) print_text(out, terminal, words.answer);
}

void add_words(ordered_json& object, const JobWords& words) {
  const bool asked = words.question_state.why.empty();
  object["question"] = asked ? ordered_json::array() : ordered_json(nullptr);
  for (const auto& message : words.question) {
    object["question"].push_back({{"role", message.role}, {"content", message.content}});
  }
  object["question_state"] = words.question_state.name;
  object["answer"] = words.answer_state.why.empty() ? ordered_json(words.answer) : ordered_json(nullptr);
  object["answer_state"] = words.answer_state.name;
}

}  // namespace cmd
