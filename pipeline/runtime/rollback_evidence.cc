#include "pipeline/runtime/rollback_evidence.h"

#include <algorithm>
#include <array>

#include "pipeline/nostr/nip90_answer.h"

namespace runtime {
std::optional<std::string> contradiction(const ledger::Checkpoint& published, base::Seq size,
                                         const std::optional<base::Hash256>& root_there) {
  const std::string what = "a checkpoint of " + std::to_string(published.size) + " entries, signed with this key";
  if (published.size > size) return what + ", while this ledger has " + std::to_string(size);
  if (root_there && *root_there != published.root) {
    return what + ", in which other facts stand than in the first " + std::to_string(published.size) + " of the " +
           std::to_string(size) + " that this ledger has";
  }
  return std::nullopt;
}

bool is_recorded_kind(const nostr::Event& event) {
  if (nostr::is_result_kind(event.kind)) return true;
  if (event.kind != nostr::kFeedbackKind) return false;
  using enum nostr::Status;
  return std::ranges::any_of(std::array{payment_required, processing, error, success}, [&](nostr::Status recorded) {
    return event.tag_value("status") == nostr::wire_name(recorded);
  });
}

bool has_notice(const core::Job& job, const base::EventId& event) {
  return std::ranges::any_of(job.notices, [&](const core::Notice& one) { return one.notice.event == event; });
}

}  // namespace runtime
