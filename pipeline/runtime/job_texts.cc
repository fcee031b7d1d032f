#include "pipeline/runtime/job_texts.h"

#include <algorithm>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_request.h"

namespace runtime {

using base::Result;
using core::Job;

namespace {

constexpr char kPruned[] = "ledger.pruned";

}  // namespace

bool is_pruned(const base::Error& error) {
  return error.code == kPruned;
}

Result<std::string> JobTexts::read(const base::TextRef& ref) const {
  auto text = journal_.text(ref);
  if (!text) return tl::unexpected(text.error());
  if (!*text) {
    return base::fail(base::ErrorKind::job_processing, kPruned, "a text that is still needed was pruned", ref.hex());
  }
  return std::move(**text);
}

Result<std::vector<std::string>> JobTexts::question(const Job& job) const {
  std::vector<base::TextRef> refs{job.request->request};
  if (job.inputs) std::ranges::copy(job.inputs->texts, std::back_inserter(refs));
  std::vector<std::string> out;
  for (const base::TextRef& ref : refs) {
    auto text = read(ref);
    if (!text) return tl::unexpected(text.error());
    out.push_back(std::move(*text));
  }
  return out;
}

Result<std::vector<core::ChatMessage>> JobTexts::conversation(const Job& job,
                                                              std::span<const std::string> question) const {
  const auto open = nostr::parse_event(question.front()).and_then([&](const nostr::Event& event) {
    return nostr::open_request(event, key_);
  });
  if (!open) return tl::unexpected(open.error());
  std::vector<std::string> inputs;
  for (const std::string& kept : question.subspan(1)) {
    if (open->form == ledger::Encryption::none) {
      inputs.push_back(kept);
      continue;
    }
    auto text = nostr::decrypt(kept, key_, open->event.pubkey);
    if (!text) return tl::unexpected(text.error());
    inputs.push_back(std::move(text->plaintext));
  }
  return nostr::messages_of(open->event, inputs, job.request->instruction);
}

Result<ledger::Text> JobTexts::keep(const Job& job, std::string text) const {
  const ledger::JobRequested& request = *job.request;
  if (text.empty() && request.encryption == ledger::Encryption::nip44) text = "\n";  // NIP-44 encrypts no empty text
  auto bytes = nostr::encrypt(request.encryption, text, key_, request.customer, {random_().bytes});
  if (!bytes) return tl::unexpected(bytes.error());
  return ledger::Text{.salt = random_(), .bytes = std::move(*bytes)};
}

}  // namespace runtime
