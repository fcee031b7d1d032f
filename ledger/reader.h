// What is in the ledger, read from its store: entries, texts, view rows, cursors, checkpoints. A reader belongs to one
// thread; each call sees the store's current state. (A store from open_reader() does not change after it was opened.)
#pragma once

#include <functional>

#include "ledger/entry_bytes.h"
#include "ledger/key_value.h"
#include "ledger/keys.h"
#include "ledger/merkle.h"

namespace ledger {

// A signed note over the tree's first `size` entries.
struct StoredCheckpoint {
  Seq size = 0;
  std::string note;
};

// Errors of every call: the store's own, and "ledger.damaged" with the position of what is missing or unreadable.
class Reader {
 public:
  explicit Reader(const KeyValue& store) : store_(&store) {}

  Result<State> state() const { return read_state(*store_); }
  Result<Seq> size() const;

  // Also "ledger.no_entry" when the ledger is not that long.
  Result<Entry> entry(Seq seq) const;

  // The leaf hash and the time of the first entry, which distinguish this ledger from others. Also "ledger.no_entry"
  // when the ledger is empty.
  struct Beginning {
    Hash256 leaf;
    TimeMs time;
  };
  Result<Beginning> beginning() const;

  // Visits the entries [from, min(until, size)) in order until the visitor returns false. Stops with an error at the
  // first entry that is missing or unreadable.
  using Visitor = std::function<bool(const Entry&)>;
  Result<void> for_each(Seq from, Seq until, const Visitor& visit) const;

  // The same as bytes; only the position is checked. The string_views in a RawEntry are valid during the visitor's
  // call.
  using RawVisitor = std::function<bool(const RawEntry&)>;
  Result<void> for_each_raw(Seq from, Seq until, const RawVisitor& visit) const;

  // Nothing when the text was pruned, or never kept. "ledger.damaged" when it is missing but no fact says that it was
  // pruned, or when it is not the text that the reference names.
  Result<std::optional<std::string>> text(const TextRef& ref) const;

  // Rows of one projection; keys are the projection's own, ranges as in KeyValue::scan.
  Result<std::optional<std::string>> row(std::string_view projection, std::string_view key) const;
  Result<void> rows(std::string_view projection, std::string_view from, std::string_view until,
                    const KeyValue::Visitor& visit) const;
  Result<void> rows_back(std::string_view projection, std::string_view from, std::string_view until,
                         const KeyValue::Visitor& visit) const;

  // The time, by our clock, at which everything that this relay had sent was durable; nothing for a relay that is new.
  Result<std::optional<TimeMs>> cursor(std::string_view relay) const;

  // Ascending by size.
  Result<std::vector<StoredCheckpoint>> checkpoints() const;
  Result<std::optional<StoredCheckpoint>> last_checkpoint() const;

  // The Merkle tree at the current size; "ledger.damaged" when its root is not the recorded one. The tile reader is for
  // the tree's proofs and older roots.
  Result<MerkleTree> tree() const;
  TileReader tile_reader() const;

 private:
  const KeyValue* store_;
};

}  // namespace ledger
