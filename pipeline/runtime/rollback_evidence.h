// What proves that this ledger lost its end: that something which it does not have was signed with our key. Pure
// judgements; rollback_watch.h gathers what is judged.
#pragma once

#include "ledger/checkpoint.h"
#include "pipeline/core/job.h"
#include "pipeline/nostr/event.h"

namespace runtime {

// Why this checkpoint, signed by us, contradicts a ledger of `size` entries: it covers more than there is, or the tree
// had another root at its size. Nothing if it does not. `root_there` is the ledger's root at the checkpoint's size, if
// that is within the ledger.
std::optional<std::string> contradiction(const ledger::Checkpoint& published, base::Seq size,
                                         const std::optional<base::Hash256>& root_there);

// An event that leaves us only when a NoticeSigned is durable: a result, or a 7000 about how a job stands. What is
// never recorded (parts of an answer, answers to pings) proves nothing.
bool is_recorded_kind(const nostr::Event& event);
// True if the job's recorded facts contain this notice.
bool has_notice(const core::Job& job, const base::EventId& event);

}  // namespace runtime
