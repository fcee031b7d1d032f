// The single writer of the ledger: groups of entries go in, and when append() returns they are durable together with
// their texts, their place in the Merkle tree, their view rows and their cursors, all or nothing. Not thread-safe: one
// owner (ledger/group_commit.h gives it to a thread).
#pragma once

#include <memory>
#include <span>

#include "ledger/entry.h"
#include "ledger/key_value.h"
#include "ledger/keys.h"
#include "ledger/merkle.h"
#include "ledger/views.h"

namespace ledger {

// What a checkpoint signs.
struct TreeHead {
  Seq size = 0;
  Hash256 root;
};

class Ledger {
 public:
  // Opens the ledger in this store, or begins one if the store is empty. The store and the projections must outlive it.
  // Errors: "ledger.damaged", "ledger.newer_format", "ledger.views_stale" (names `sellcompute replay --rebuild-views`).
  static Result<std::unique_ptr<Ledger>> open(KeyValue& store, std::vector<Projection*> projections);

  // Appends the groups in order and makes them durable in one commit. Errors: "ledger.time_order" when an entry is
  // earlier than the one before it (nothing happened; the ledger can still be used); any other failure is final,
  // because what is on disk is then unknown: every later call fails with "ledger.failed", and only a restart helps.
  Result<void> append(std::span<const Group> groups);

  // Keeps a signed checkpoint of the tree's first `size` entries, durably.
  Result<void> put_checkpoint(Seq size, std::string_view note);

  Seq size() const { return state_.size; }
  TimeMs last_time() const { return state_.time; }  // zero while empty
  Hash256 root() const { return state_.root; }
  TreeHead head() const { return {state_.size, state_.root}; }

 private:
  Ledger(KeyValue& store, std::vector<Projection*> projections, State state, MerkleTree tree);
  Result<void> check_times(std::span<const Group> groups) const;
  Result<void> add(const NewEntry& entry, Batch& batch);
  Result<void> commit(const Batch& batch);

  KeyValue* store_;
  State state_;
  MerkleTree tree_;
  ViewWriter views_;
  bool failed_ = false;
};

}  // namespace ledger
