#include "ledger/merkle.h"

#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace ledger {
namespace {

using base::Error;
using base::ErrorKind;
using base::fail;
using base::sha256;

constexpr std::size_t kHashSize = Hash256::kSize;
constexpr std::size_t kTileBytes = kTileWidth * kHashSize;

Hash256 hash_at(std::string_view hashes, std::size_t position) {
  Hash256 out;
  std::memcpy(out.bytes.data(), hashes.data() + position * kHashSize, kHashSize);
  return out;
}

// The root over 2^n neighbouring hashes.
Hash256 fold(std::string_view hashes) {
  CHECK(std::has_single_bit(hashes.size() / kHashSize) && hashes.size() % kHashSize == 0, hashes.size());
  if (hashes.size() == kHashSize) return hash_at(hashes, 0);
  const std::size_t half = hashes.size() / 2;
  return node_hash(fold(hashes.substr(0, half)), fold(hashes.substr(half)));
}

// How many hashes a tree of `size` leaves has in tiles of this level.
Seq hashes_at(std::size_t level, Seq size) {
  return size >> (level * kTileHeight);
}

TileId tile_id(std::size_t level, std::uint64_t index) {
  return {static_cast<std::uint8_t>(level), index};
}

Result<std::string> read_full(const TileId& id, const TileReader& stored) {
  auto hashes = stored(id);
  if (hashes && hashes->size() != kTileBytes) {
    return fail(ErrorKind::invocation, "merkle.tile",
                "a tile has " + std::to_string(hashes->size()) + " bytes instead of " + std::to_string(kTileBytes),
                "level " + std::to_string(id.level) + ", index " + std::to_string(id.index));
  }
  return hashes;
}

tl::unexpected<Error> out_of_range(const std::string& question) {
  return fail(ErrorKind::invocation, "merkle.range", "the tree has no " + question);
}

// Both verifiers walk from the edge of the tree to its root with two counters: `node`, the position of the hash in
// hand, and `last`, that of the rightmost node of its level. An odd node, or the last one, has its sibling on the left;
// a last node without a sibling is passed up unchanged.
struct Climb {
  Seq node;
  Seq last;

  bool sibling_is_left() const { return (node & 1) != 0 || node == last; }
  void skip_lonely_levels() {
    while ((node & 1) == 0 && node != 0) up();
  }
  void up() {
    node >>= 1;
    last >>= 1;
  }
};

}  // namespace

// A run of leaves that is one node of the tree at some size: perfect, or at the right edge.
struct MerkleTree::Range {
  Seq begin;
  Seq end;

  Seq leaves() const { return end - begin; }
  // Left: the largest power of two below leaves(); right: the rest (RFC 6962, section 2.1).
  std::pair<Range, Range> halves() const {
    CHECK(leaves() > 1, begin, end);
    const Seq middle = begin + std::bit_floor(leaves() - 1);
    return {{begin, middle}, {middle, end}};
  }
};

Hash256 leaf_hash(std::string_view data) {
  return sha256(std::string_view("\0", 1), data);
}

Hash256 node_hash(const Hash256& left, const Hash256& right) {
  std::array<char, 1 + 2 * kHashSize> input;
  input[0] = 1;
  std::memcpy(&input[1], left.bytes.data(), kHashSize);
  std::memcpy(&input[1 + kHashSize], right.bytes.data(), kHashSize);
  return sha256({input.data(), input.size()});
}

Hash256 empty_root() {
  return sha256({});
}

std::string TileId::key() const {
  std::string out(1, static_cast<char>(level));
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(index >> shift));
  return out;
}

Result<MerkleTree> MerkleTree::load(Seq size, const TileReader& stored, const LeafReader& leaf) {
  MerkleTree tree;
  std::vector<Tile> full;
  for (std::size_t level = 0; level < kTileLevels; ++level) {
    const Seq count = hashes_at(level, size);
    for (Seq position = count - count % kTileWidth; position < count; ++position) {
      const auto hash = level == 0 ? leaf(position) : read_full(tile_id(level - 1, position), stored).map(fold);
      if (!hash) return tl::unexpected(hash.error());
      tree.add(level, *hash, full);
    }
  }
  CHECK(full.empty(), full.size(), size);  // what is loaded never fills a tile
  tree.size_ = size;
  return tree;
}

void MerkleTree::append(const Hash256& leaf, std::vector<Tile>& full) {
  add(0, leaf, full);
  ++size_;
}

// Puts a hash to the right of its level, and merges it with the peaks that it makes perfect. The root over a tile that
// is full is the next hash one level up.
void MerkleTree::add(std::size_t level, Hash256 hash, std::vector<Tile>& full) {
  CHECK(level < kTileLevels, level, size_);
  std::string& tile = partial_tiles_[level];
  std::size_t position = tile.size() / kHashSize;
  CHECK(position < kTileWidth, position, level);
  tile.append(hash.view());
  std::size_t height = level * kTileHeight;
  for (; position & 1; position >>= 1) hash = node_hash(peaks_[height++], hash);
  if (tile.size() < kTileBytes) {
    peaks_[height] = hash;
    return;
  }
  full.push_back({tile_id(level, hashes_at(level + 1, size_)), std::move(tile)});
  tile.clear();
  add(level + 1, hash, full);
}

Hash256 MerkleTree::root() const {
  if (size_ == 0) return empty_root();
  auto height = static_cast<std::size_t>(std::countr_zero(size_));
  Hash256 hash = peaks_[height];
  while (++height < peaks_.size()) {
    if (size_ >> height & 1) hash = node_hash(peaks_[height], hash);
  }
  return hash;
}

Result<Hash256> MerkleTree::root_at(Seq size, const TileReader& stored) const {
  if (size > size_) return out_of_range("root at size " + std::to_string(size));
  if (size == size_) return root();
  return size == 0 ? empty_root() : subtree({0, size}, stored);
}

Result<Proof> MerkleTree::inclusion_proof(Seq index, Seq size, const TileReader& stored) const {
  if (size > size_ || index >= size) {
    return out_of_range("leaf " + std::to_string(index) + " of " + std::to_string(size));
  }
  std::vector<Range> siblings;  // from the root down
  for (Range range{0, size}; range.leaves() > 1;) {
    const auto [left, right] = range.halves();
    siblings.push_back(index < left.end ? right : left);
    range = index < left.end ? left : right;
  }
  return proof_of(siblings, stored);
}

Result<Proof> MerkleTree::consistency_proof(Seq old_size, Seq size, const TileReader& stored) const {
  if (size > size_ || old_size > size) {
    return out_of_range("size " + std::to_string(old_size) + " before " + std::to_string(size));
  }
  if (old_size == 0) return Proof{};
  std::vector<Range> siblings;  // from the root down, to the subtree that both trees share on the old one's right edge
  Range range{0, size};
  while (range.end != old_size) {
    const auto [left, right] = range.halves();
    siblings.push_back(old_size <= left.end ? right : left);
    range = old_size <= left.end ? left : right;
  }
  if (range.begin != 0) siblings.push_back(range);  // else it is the old tree, whose root the verifier has
  return proof_of(siblings, stored);
}

Result<Proof> MerkleTree::proof_of(const std::vector<Range>& siblings, const TileReader& stored) const {
  Proof proof;
  for (auto range = siblings.rbegin(); range != siblings.rend(); ++range) {
    const auto hash = subtree(*range, stored);
    if (!hash) return tl::unexpected(hash.error());
    proof.push_back(*hash);
  }
  return proof;
}

Result<Hash256> MerkleTree::subtree(const Range& range, const TileReader& stored) const {
  if (std::has_single_bit(range.leaves())) return perfect_subtree(range, stored);
  const auto [left, right] = range.halves();
  auto left_root = perfect_subtree(left, stored);
  if (!left_root) return left_root;
  return subtree(right, stored).map([&](const Hash256& right_root) { return node_hash(*left_root, right_root); });
}

Result<Hash256> MerkleTree::perfect_subtree(const Range& range, const TileReader& stored) const {
  CHECK(std::has_single_bit(range.leaves()) && range.begin % range.leaves() == 0, range.begin, range.end);
  CHECK(range.end <= size_, range.end, size_);
  const auto height = static_cast<std::size_t>(std::countr_zero(range.leaves()));
  const std::size_t level = height / kTileHeight;
  const Seq first = hashes_at(level, range.begin);
  const Seq tile = first / kTileWidth;
  const auto root_in = [&](std::string_view hashes) {
    const std::size_t begin = first % kTileWidth * kHashSize;
    const std::size_t bytes = hashes_at(level, range.leaves()) * kHashSize;
    CHECK(begin + bytes <= hashes.size(), begin, bytes, hashes.size());
    return fold(hashes.substr(begin, bytes));
  };
  if (tile == hashes_at(level, size_) / kTileWidth) return root_in(partial_tiles_[level]);
  return read_full(tile_id(level, tile), stored).map(root_in);
}

bool verify_inclusion(const Hash256& leaf, Seq index, Seq size, const Proof& proof, const Hash256& root) {
  if (index >= size) return false;
  Climb climb{index, size - 1};
  Hash256 hash = leaf;
  for (const Hash256& sibling : proof) {
    if (climb.last == 0) return false;
    if (climb.sibling_is_left()) {
      hash = node_hash(sibling, hash);
      climb.skip_lonely_levels();
    } else {
      hash = node_hash(hash, sibling);
    }
    climb.up();
  }
  return climb.last == 0 && hash == root;
}

bool verify_consistency(Seq old_size, const Hash256& old_root, Seq size, const Hash256& root, const Proof& proof) {
  if (old_size > size) return false;
  if (old_size == size) return proof.empty() && old_root == root;
  if (old_size == 0) return proof.empty() && old_root == empty_root();
  Climb climb{old_size - 1, size - 1};
  while ((climb.node & 1) != 0) climb.up();
  // A perfect old tree is itself the first hash; it is then left out of the proof.
  const bool perfect = std::has_single_bit(old_size);
  if (!perfect && proof.empty()) return false;
  Hash256 old_hash = perfect ? old_root : proof.front();
  Hash256 hash = old_hash;
  for (auto sibling = proof.begin() + (perfect ? 0 : 1); sibling != proof.end(); ++sibling) {
    if (climb.last == 0) return false;
    if (climb.sibling_is_left()) {
      old_hash = node_hash(*sibling, old_hash);
      hash = node_hash(*sibling, hash);
      climb.skip_lonely_levels();
    } else {
      hash = node_hash(hash, *sibling);
    }
    climb.up();
  }
  return climb.last == 0 && old_hash == old_root && hash == root;
}

}  // namespace ledger
