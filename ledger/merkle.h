// The RFC 6962 Merkle tree over the ledger's headers, kept as C2SP tlog-tiles (https://c2sp.org/tlog-tiles). Pure: full
// tiles go out as values to write and come back through a callback. At most 64 hashes, plus 256 per level, stay in
// memory.
#pragma once

#include <array>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/types.h"

namespace ledger {

using base::Hash256;
using base::Result;
using base::Seq;

// SHA-256(0x00 || data) and SHA-256(0x01 || left || right): RFC 6962, section 2.1.
Hash256 leaf_hash(std::string_view data);
Hash256 node_hash(const Hash256& left, const Hash256& right);

// The root of a tree without leaves: SHA-256 of nothing.
Hash256 empty_root();

// A tile holds `kTileWidth` neighbouring hashes of one level. Level 0 are leaf hashes; a hash of level L + 1 is the
// root over one full tile of level L.
inline constexpr int kTileHeight = 8;
inline constexpr std::size_t kTileWidth = std::size_t{1} << kTileHeight;
inline constexpr int kTileLevels = 64 / kTileHeight;

struct TileId {
  std::uint8_t level = 0;
  std::uint64_t index = 0;  // from the left, counted in tiles
  auto operator<=>(const TileId&) const = default;

  // Its key on disk: the level as one byte, the index as eight, big-endian.
  std::string key() const;
};

struct Tile {
  TileId id;
  std::string hashes;  // kTileWidth * 32 bytes
};

// The hashes of a full tile that was written earlier.
using TileReader = std::function<Result<std::string>(const TileId&)>;
// The leaf hash of an entry in the partial tile.
using LeafReader = std::function<Result<Hash256>(Seq)>;

// The sibling hashes of an inclusion or consistency proof, in the order of RFC 6962, sections 2.1.1 and 2.1.2.
using Proof = std::vector<Hash256>;

// The tree at its current size. Its answers about a smaller size are the same as when the tree had that size. Errors:
// "merkle.range" for a question about what is not in the tree; "merkle.tile" when a tile has the wrong size; and
// whatever the readers say.
class MerkleTree {
 public:
  // The tree of `size` leaves, from its full tiles and the leaf hashes of the partial one. Hashes at most 65,000 nodes
  // per level (about 10 ms).
  static Result<MerkleTree> load(Seq size, const TileReader& stored, const LeafReader& leaf);

  // Adds a leaf at the right edge. Tiles that it fills are appended to `full`; each tile comes out once.
  void append(const Hash256& leaf, std::vector<Tile>& full);

  Seq size() const { return size_; }

  // The root at the current size: at most 64 hashes.
  Hash256 root() const;

  // The root when the tree had `size` leaves.
  Result<Hash256> root_at(Seq size, const TileReader& stored) const;

  // That leaf `index` is in the tree of the first `size` leaves.
  Result<Proof> inclusion_proof(Seq index, Seq size, const TileReader& stored) const;

  // That the tree of the first `old_size` leaves is a prefix of the tree of the first `size`.
  Result<Proof> consistency_proof(Seq old_size, Seq size, const TileReader& stored) const;

 private:
  struct Range;

  void add(std::size_t level, Hash256 hash, std::vector<Tile>& full);
  Result<Proof> proof_of(const std::vector<Range>& siblings, const TileReader& stored) const;
  Result<Hash256> subtree(const Range& range, const TileReader& stored) const;
  Result<Hash256> perfect_subtree(const Range& range, const TileReader& stored) const;

  Seq size_ = 0;
  std::array<Hash256, 64> peaks_{};                     // by height; those of the set bits of size_ are alive
  std::array<std::string, kTileLevels> partial_tiles_;  // by level: the hashes right of the last full tile
};

// RFC 9162, section 2.1.3.2: `leaf` (a leaf hash) is at `index` in the tree of `size` leaves with this root.
[[nodiscard]] bool verify_inclusion(const Hash256& leaf, Seq index, Seq size, const Proof& proof, const Hash256& root);

// RFC 9162, section 2.1.4.2: the tree of `old_size` leaves with `old_root` is a prefix of the tree of `size` with
// `root`. An empty tree is a prefix of every tree and needs no proof.
[[nodiscard]] bool verify_consistency(Seq old_size, const Hash256& old_root, Seq size, const Hash256& root,
                                      const Proof& proof);

}  // namespace ledger
