// Views are rows that projections derive from entries; they can always be made again.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "ledger/key_value.h"
#include "ledger/keys.h"
#include "ledger/projection.h"

namespace ledger {

// Which views these projections make.
std::vector<ViewVersion> view_versions(const std::vector<Projection*>& projections);

// Fails with "ledger.views_stale" unless the store's rows come from exactly these projections and all entries.
Result<void> check_views(const State& state, const std::vector<Projection*>& projections);

// Erases every view row and applies all entries again, in bounded batches. Gives the rows that live appends would have
// given, byte for byte. A crash in the middle leaves the views stale, to be rebuilt. Only for the single writer, and
// while no Ledger is open on the store.
Result<void> rebuild_views(KeyValue& store, const std::vector<Projection*>& projections);

// Runs projections over entries and collects the rows that change, so that a batch writes each row once.
class ViewWriter {
 public:
  ViewWriter(const KeyValue& store, std::vector<Projection*> projections);

  Result<void> apply(const Entry& entry);
  // Puts the changed rows into the batch, in key order. Some rows are remembered: the next facts are mostly about the
  // same jobs.
  void flush(Batch& batch);
  std::size_t changed_rows() const { return changed_.size(); }
  const std::vector<Projection*>& projections() const { return projections_; }

 private:
  friend class CachedRows;
  struct Row {
    std::optional<std::string> value;
    bool changed = false;
  };

  const KeyValue* store_;
  std::vector<Projection*> projections_;
  using Cache = std::map<std::string, Row>;  // by key in the store
  Cache rows_;
  std::vector<Cache::iterator> changed_;
};

}  // namespace ledger
