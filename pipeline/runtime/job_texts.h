// The texts of a job: read from the ledger, and put into the form in which the ledger keeps them.
#pragma once

#include <span>

#include "base/random.h"
#include "pipeline/core/chat_message.h"
#include "pipeline/core/job.h"
#include "pipeline/nostr/keys.h"
#include "pipeline/runtime/journal.h"

namespace runtime {

class JobTexts {
 public:
  // `journal` and `key` outlive it.
  JobTexts(Journal& journal, const nostr::SecretKey& key, base::Random random)
      : journal_(journal), key_(key), random_(std::move(random)) {}

  // Fails with an error for which is_pruned() holds when the text is gone; with any other, the ledger cannot be read.
  base::Result<std::string> read(const base::TextRef& ref) const;
  // The texts that the job's prompt is made of, as the ledger keeps them: the request, then what was gathered for it.
  // Fails as read() does.
  base::Result<std::vector<std::string>> question(const core::Job& job) const;
  // The conversation that a question stands for, decrypted where the job is encrypted.
  base::Result<std::vector<core::ChatMessage>> conversation(const core::Job& job,
                                                            std::span<const std::string> question) const;
  // An answer or an input as the ledger keeps it. For an encrypted job it is stored only in the encrypted form that
  // crosses the wire.
  base::Result<ledger::Text> keep(const core::Job& job, std::string text) const;

 private:
  Journal& journal_;
  const nostr::SecretKey& key_;
  const base::Random random_;
};

// A text that is still needed was pruned: that job cannot go on, the others can.
bool is_pruned(const base::Error& error);

}  // namespace runtime
