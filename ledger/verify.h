// The check of the whole ledger, from its bytes alone: what damage there is, and where. Needs no trust in the writer.
#pragma once

#include <string>
#include <vector>

#include "base/types.h"
#include "ledger/key_value.h"

namespace ledger {

using base::Hash256;
using base::Seq;

// One thing that is wrong.
struct Finding {
  std::string position;  // "entry 812", "tile 0/3", "checkpoint 4000", "meta state"
  std::string what;      // what is wrong there
};

struct Verified {
  Seq size = 0;                   // entries that the ledger says it has
  Hash256 root;                   // recomputed over the headers that are there
  std::vector<Finding> findings;  // in the order of positions; empty: the ledger is whole. At most kFindingLimit.
};

inline constexpr std::size_t kFindingLimit = 100;

// Reads every entry and checks: positions follow each other up to the recorded size; headers and facts are readable;
// times do not go back; SHA-256(facts) is the header's; every full tile of the Merkle tree, the root and the last time
// match the headers; every stored checkpoint has the root that the headers give and is signed by the provider
// configured at that entry. Texts are checked when they are read (Reader::text), views by rebuilding them. Only a
// checkpoint that somebody else holds can show that the ledger's end was not cut off. Fails as read_state() does, and
// when the store cannot be read.
Result<Verified> verify_ledger(const KeyValue& store);

}  // namespace ledger
