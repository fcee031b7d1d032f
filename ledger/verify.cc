#include "ledger/verify.h"

#include <algorithm>
#include <map>

#include "ledger/checkpoint.h"
#include "ledger/reader.h"

namespace ledger {
namespace {

using base::sha256;
using base::to_hex;

// Where two recorded hashes differ from the recomputed ones, the entries below are the place to look.
std::string entries_below(const TileId& id, std::size_t position) {
  const Seq width = Seq{1} << (id.level * kTileHeight);
  const Seq first = (id.index * kTileWidth + position) * width;
  return width == 1 ? entry_position(first)
                    : "entries " + std::to_string(first) + " to " + std::to_string(first + width - 1);
}

class Verifier {
 public:
  explicit Verifier(const KeyValue& store) : store_(store) {}

  Result<Verified> run() {
    auto state = read_state(store_);
    if (!state) return tl::unexpected(state.error());
    out_.size = state->size;
    auto checkpoints = Reader(store_).checkpoints();
    if (!checkpoints) return tl::unexpected(checkpoints.error());
    for (StoredCheckpoint& c : *checkpoints) checkpoints_.emplace(c.size, std::move(c.note));

    if (auto done = check_entries(); !done) return tl::unexpected(done.error());
    if (tree_.size() != state->size) {
      find("meta state", "the ledger says it has " + std::to_string(state->size) + " entries, there are " +
                             std::to_string(tree_.size()));
    } else {
      if (tree_.root() != state->root)
        find(partial_tile(), "the ledger's recorded Merkle root is not that of the headers");
      if (last_time_ != state->time) find("meta state", "the recorded time is not that of the last entry");
    }
    for (const auto& [size, note] : checkpoints_) {
      find("checkpoint " + std::to_string(size), "it covers entries that are not there");
    }
    out_.root = tree_.root();
    return std::move(out_);
  }

 private:
  void find(std::string position, std::string what) {
    if (out_.findings.size() < kFindingLimit) out_.findings.push_back({std::move(position), std::move(what)});
  }

  // Differences before the last full tile have shown there.
  std::string partial_tile() const {
    const Seq first = tree_.size() / kTileWidth * kTileWidth;
    return "entries " + std::to_string(first) + " to " + std::to_string(tree_.size()) + ", or meta state";
  }

  Result<void> check_entries() {
    Result<void> done;
    auto scanned = store_.scan(Family::entries, {}, {}, [&](std::string_view key, std::string_view value) {
      check_position(key);
      check_entry(value);
      done = check_tiles();
      check_checkpoint();
      return done.has_value();
    });
    return done ? scanned : done;
  }

  // Entries that are missing are named once; the tree goes on as if they had never been, and says so at its tiles.
  void check_position(std::string_view key) {
    const auto seq = from_big_endian(key);
    if (!seq) return find("entries", "a key is no position: " + to_hex(key));
    if (*seq > next_) {
      find(entry_position(next_), *seq == next_ + 1 ? "the entry is missing"
                                                    : "the entries up to " + std::to_string(*seq - 1) + " are missing");
    }
    next_ = *seq + 1;
  }

  void check_entry(std::string_view value) {
    const Seq seq = next_ - 1;
    full_tiles_.clear();
    const auto raw = split_entry(seq, value);
    tree_.append(leaf_hash(raw ? raw->header : value), full_tiles_);
    if (!raw) return find(entry_position(seq), raw.error().message);
    const auto entry = decode_entry(*raw);
    if (!entry) return find(entry_position(seq), entry.error().message);
    if (sha256(raw->facts) != entry->header.facts_sha256) {
      find(entry_position(seq), "the facts are not those that the header names");
    }
    if (entry->header.time < last_time_) find(entry_position(seq), "its time is before that of the entry before it");
    last_time_ = entry->header.time;
    if (const auto* configured = std::get_if<ProviderConfigured>(&entry->fact)) provider_ = configured->provider;
  }

  Result<void> check_tiles() {
    for (const Tile& tile : full_tiles_) {
      const std::string position = "tile " + std::to_string(tile.id.level) + "/" + std::to_string(tile.id.index);
      auto stored = store_.get(Family::tiles, tile.id.key());
      if (!stored) return tl::unexpected(stored.error());
      if (!*stored) {
        find(position, "the tile is missing");
      } else if (**stored != tile.hashes) {
        const auto differs =
            std::mismatch(tile.hashes.begin(), tile.hashes.end(), (*stored)->begin(), (*stored)->end());
        const auto hash = static_cast<std::size_t>(differs.first - tile.hashes.begin()) / Hash256::kSize;
        find(position, "its hashes differ from those of the headers, first at " + entries_below(tile.id, hash));
      }
    }
    return {};
  }

  void check_checkpoint() {
    const auto found = checkpoints_.find(tree_.size());
    if (found == checkpoints_.end()) return;
    const std::string position = "checkpoint " + std::to_string(found->first);
    const auto checkpoint = verify_checkpoint(found->second, provider_);
    if (!checkpoint) {
      find(position, checkpoint.error().message);
    } else if (checkpoint->size != found->first || checkpoint->root != tree_.root()) {
      find(position, "its root is not that of the entries before it: one of them was altered, added or removed");
    }
    checkpoints_.erase(found);
  }

  const KeyValue& store_;
  Verified out_;
  MerkleTree tree_;
  std::vector<Tile> full_tiles_;
  std::map<Seq, std::string> checkpoints_;  // those not yet reached
  Seq next_ = 0;
  TimeMs last_time_;
  PublicKey provider_;  // as configured last
};

}  // namespace

Result<Verified> verify_ledger(const KeyValue& store) {
  return Verifier(store).run();
}

}  // namespace ledger
