#include "ledger/ledger.h"

#include "base/check.h"
#include "ledger/entry_bytes.h"
#include "ledger/reader.h"

namespace ledger {
namespace {

using base::sha256;

Error failed_error() {
  return {ErrorKind::invocation,
          "ledger.failed",
          "an earlier write to the ledger failed, so what is on disk is unknown",
          {},
          "stop; see to the disk, then start again: what was acknowledged is safe"};
}

// Puts a text that the fact refers to into the batch.
void put_text(const Text& text, const Fact& fact, Batch& batch) {
  std::string value;
  value.reserve(Salt::kSize + text.bytes.size());
  value.append(text.salt.view()).append(text.bytes);
  const TextRef ref{sha256(value).bytes};
  CHECK(text.bytes.empty() || refers_to(fact, ref), type_name(type_of(fact)),
        text.bytes.size());  // else nobody would find it again
  batch.put(Family::texts, std::string(ref.view()), std::move(value));
}

bool is_whole(const Tile& tile) {
  return tile.hashes.size() == kTileWidth * Hash256::kSize;
}

Seq last_leaf_of(const TileId& id) {
  return ((id.index + 1) << ((id.level + 1) * kTileHeight)) - 1;
}

}  // namespace

Result<std::unique_ptr<Ledger>> Ledger::open(KeyValue& store, std::vector<Projection*> projections) {
  auto state = read_state(store);
  if (!state) return tl::unexpected(state.error());
  if (auto current = check_views(*state, projections); !current) return tl::unexpected(current.error());
  auto tree = Reader(store).tree();
  if (!tree) return tl::unexpected(tree.error());

  const bool is_new = state->size == 0;
  if (is_new) state->views = view_versions(projections);
  std::unique_ptr<Ledger> out(new Ledger(store, std::move(projections), std::move(*state), std::move(*tree)));
  if (is_new) {
    Batch batch;
    put_state(batch, out->state_);
    if (auto done = out->commit(batch); !done) return tl::unexpected(done.error());
  }
  return out;
}

Ledger::Ledger(KeyValue& store, std::vector<Projection*> projections, State state, MerkleTree tree)
    : store_(&store), state_(std::move(state)), tree_(std::move(tree)), views_(store, std::move(projections)) {}

Result<void> Ledger::append(std::span<const Group> groups) {
  if (failed_) return tl::unexpected(failed_error());
  if (auto ordered = check_times(groups); !ordered) return ordered;
  failed_ = true;  // until the commit has succeeded
  Batch batch;
  for (const Group& group : groups) {
    for (const NewEntry& entry : group.entries) {
      if (auto added = add(entry, batch); !added) return added;
    }
    for (const auto& [relay, time] : group.cursors) {
      batch.put(Family::meta, cursor_key(relay), big_endian(static_cast<std::uint64_t>(time.ms)));
    }
  }
  CHECK(state_.size == tree_.size(), state_.size, tree_.size());
  views_.flush(batch);
  state_.root = tree_.root();
  state_.views_size = state_.size;
  put_state(batch, state_);
  return commit(batch);
}

Result<void> Ledger::put_checkpoint(Seq size, std::string_view note) {
  if (failed_) return tl::unexpected(failed_error());
  Batch batch;
  batch.put(Family::meta, checkpoint_key(size), std::string(note));
  return commit(batch);
}

Result<void> Ledger::check_times(std::span<const Group> groups) const {
  TimeMs last = state_.time;
  Seq seq = state_.size;
  for (const Group& group : groups) {
    for (const NewEntry& entry : group.entries) {
      if (entry.time < last) {
        return fail(ErrorKind::invocation, "ledger.time_order",
                    "the entry's time " + std::to_string(entry.time.ms) + " is before " + std::to_string(last.ms),
                    entry_position(seq), "an entry's time is max(previous, now)");
      }
      last = entry.time;
      ++seq;
    }
  }
  return {};
}

Result<void> Ledger::add(const NewEntry& entry, Batch& batch) {
  CHECK(entry.time >= state_.time, entry.time, state_.time);  // check_times() has seen all of them
  EncodedEntry encoded = encode_entry(entry);
  std::vector<Tile> full;
  tree_.append(leaf_hash(encoded.header_bytes), full);
  const Seq seq = state_.size;
  CHECK(tree_.size() == seq + 1, tree_.size(), seq);  // an entry's number is its place in the tree
  for (Tile& tile : full) {
    CHECK(is_whole(tile) && last_leaf_of(tile.id) == seq, tile.id.level, tile.id.index, tile.hashes.size(), seq);
    batch.put(Family::tiles, tile.id.key(), std::move(tile.hashes));
  }
  batch.put(Family::entries, entry_key(seq), std::move(encoded.value));
  for (const Text& text : entry.texts) put_text(text, entry.fact, batch);
  for (const TextRef& ref : entry.gone) batch.put(Family::texts, std::string(ref.view()), {});
  state_.size = seq + 1;
  state_.time = entry.time;
  if (views_.projections().empty()) return {};
  return views_.apply({seq, std::move(encoded.header), entry.fact});
}

Result<void> Ledger::commit(const Batch& batch) {
  auto done = store_->commit(batch);
  failed_ = !done;
  return done;
}

}  // namespace ledger
