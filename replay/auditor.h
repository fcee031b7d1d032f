// The auditor: whether everything that the ledger says can be believed, as far as the ledger alone can show it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "ledger/key_value.h"

namespace replay {

// In the order of the audit.
enum class Check {
  bytes,            // positions, headers, facts, the Merkle tree, own checkpoints (ledger/verify.h)
  held_checkpoint,  // the tree against a checkpoint that somebody kept
  views,            // every view row is what the entries give
  money,            // the rules that a job's facts must keep (replay/job_audit.h)
  signatures,       // requests and answers: their texts give the signed ids, and the signatures are right
};
std::string_view name(Check check);
// What to do about findings of this check.
std::string_view remedy(Check check);

struct AuditFinding {
  Check check = Check::bytes;
  std::string position;  // "entry 812", "view jobs"
  std::string what;
};

struct Audit {
  base::Seq size = 0;  // entries
  base::Hash256 root;
  std::size_t checkpoints = 0;  // own ones, stored
  base::Seq checkpointed = 0;   // entries that the last of them covers
  std::uint64_t jobs = 0;
  std::uint64_t invoices = 0;
  std::uint64_t notices = 0;
  std::uint64_t pruned_texts =
      0;  // texts that are gone: of those notices only the signature of the id could be checked
  std::vector<AuditFinding> findings;  // by check, then by position; at most ledger::kFindingLimit per check
  bool whole = true;  // false: the bytes are damaged, so what they mean (views, money, signatures) was not checked
};

// Reads everything. The views are made again in `scratch`, an empty store. `held` is the text of a checkpoint that
// somebody else kept; if it is not this provider's or not signed, the audit fails with an error ("checkpoint.…") and
// reports no finding. Errors else: what the stores say, and "ledger.views_stale".
//
// Without `held`, the audit cannot detect that the end of the ledger was cut off, because anyone with the key can sign
// a shorter history.
base::Result<Audit> audit(const ledger::KeyValue& store, ledger::KeyValue& scratch,
                          const std::optional<std::string>& held = std::nullopt);

}  // namespace replay
