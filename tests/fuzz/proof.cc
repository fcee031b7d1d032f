// The input chooses a tree, a question about it, and what becomes of the proof before it is verified. The verifiers are
// compared with the definitions of RFC 6962, section 2.1, which build the roots top down.
#include <bit>
#include <map>
#include <optional>
#include <span>

#include "ledger/merkle.h"
#include "tests/fuzz/fuzz.h"

namespace {

using fuzz::require;
using namespace base;
using namespace ledger;

constexpr Seq kLeaves = 700;  // two full tiles and a partial one
constexpr Seq kMaxSize = std::uint64_t{1} << 63;

// ---- the model ------------------------------------------------------------------------------------------------------

using Hashes = std::span<const Hash256>;

Seq left_leaves(Seq size) {
  return std::bit_floor(size - 1);
}

Hash256 model_root(Hashes leaves) {
  if (leaves.empty()) return empty_root();
  if (leaves.size() == 1) return leaves[0];
  const std::size_t left = left_leaves(leaves.size());
  return node_hash(model_root(leaves.first(left)), model_root(leaves.subspan(left)));
}

// The root that an inclusion proof stands for; nothing when it has the wrong length.
std::optional<Hash256> model_inclusion(const Hash256& leaf, Seq index, Seq size, Hashes proof) {
  if (size == 1) return proof.empty() ? std::optional(leaf) : std::nullopt;
  if (proof.empty()) return std::nullopt;
  const Seq left = left_leaves(size);
  const Hashes rest = proof.first(proof.size() - 1);
  if (index < left) {
    const auto below = model_inclusion(leaf, index, left, rest);
    return below ? std::optional(node_hash(*below, proof.back())) : std::nullopt;
  }
  const auto below = model_inclusion(leaf, index - left, size - left, rest);
  return below ? std::optional(node_hash(proof.back(), *below)) : std::nullopt;
}

struct Roots {
  Hash256 before;
  Hash256 after;
};

// `whole`: the old tree is all of this subtree's left edge, so its root is known (RFC 6962, SUBPROOF's b).
std::optional<Roots> model_consistency(Seq old_size, Seq size, Hashes proof, bool whole, const Hash256& old_root) {
  if (old_size == size) {
    if (proof.size() != (whole ? 0 : 1)) return std::nullopt;
    const Hash256& hash = whole ? old_root : proof[0];
    return Roots{hash, hash};
  }
  if (proof.empty()) return std::nullopt;
  const Seq left = left_leaves(size);
  const Hashes rest = proof.first(proof.size() - 1);
  if (old_size <= left) {
    const auto below = model_consistency(old_size, left, rest, whole, old_root);
    return below ? std::optional(Roots{below->before, node_hash(below->after, proof.back())}) : std::nullopt;
  }
  const auto below = model_consistency(old_size - left, size - left, rest, false, old_root);
  if (!below) return std::nullopt;
  return Roots{node_hash(proof.back(), below->before), node_hash(proof.back(), below->after)};
}

// ---- the real tree --------------------------------------------------------------------------------------------------

struct Forest {
  std::vector<Hash256> leaves;
  MerkleTree tree;
  std::map<TileId, std::string> tiles;

  Forest() {
    for (Seq i = 0; i < kLeaves; ++i) {
      std::vector<Tile> full;
      leaves.push_back(leaf_hash(std::to_string(i)));
      tree.append(leaves.back(), full);
      for (Tile& tile : full) tiles.emplace(tile.id, std::move(tile.hashes));
    }
  }
  TileReader reader() const {
    return [this](const TileId& id) -> Result<std::string> { return tiles.at(id); };
  }
  Hash256 root_at(Seq size) const {
    const auto root = tree.root_at(size, reader());
    require(root && *root == model_root(Hashes(leaves).first(size)), "the root is that of RFC 6962");
    return *root;
  }
};

const Forest& forest() {
  static const Forest instance;
  return instance;
}

// ---- altering proofs ------------------------------------------------------------------------------------------------

// Turns over one bit of a hash.
void flip(Hash256& hash, std::uint8_t bit) {
  hash.bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << bit % 8);
}

// One alteration of the proof; false when nothing was left to alter.
bool alter(Proof& proof, fuzz::Choices& choices) {
  const std::uint8_t how = choices.byte();
  const auto at = static_cast<std::ptrdiff_t>(choices.below(proof.size()));
  if (how % 5 == 4) {
    proof.insert(proof.begin() + at, forest().leaves[choices.below(256)]);
    return true;
  }
  if (proof.empty()) return false;
  switch (how % 5) {
    case 0:
      flip(proof[static_cast<std::size_t>(at)], choices.byte());
      return true;
    case 1:
      proof.erase(proof.begin() + at);
      return true;
    case 2:
      proof.push_back(proof[static_cast<std::size_t>(at)]);
      return true;
    default:
      std::swap(proof[static_cast<std::size_t>(at)], proof.back());
      return static_cast<std::size_t>(at) + 1 != proof.size();
  }
}

// A size near that of the tree, or any at all.
Seq any_size(fuzz::Choices& choices) {
  return choices.byte() % 2 == 0 ? choices.below(256) : choices.below(kMaxSize);
}

void check_inclusion(fuzz::Choices& choices) {
  Seq size = 1 + choices.below(kLeaves);
  Seq index = choices.below(size);
  Hash256 leaf = forest().leaves[index];
  const Hash256 root = forest().root_at(size);
  auto proof = forest().tree.inclusion_proof(index, size, forest().reader());
  require(proof.has_value(), "every leaf has a proof");
  require(verify_inclusion(leaf, index, size, *proof, root), "every leaf is shown to be in its tree");

  const auto agree = [&] {
    const bool verdict = verify_inclusion(leaf, index, size, *proof, root);
    require(verdict == (index < size && model_inclusion(leaf, index, size, *proof) == root),
            "the verdict on inclusion is that of RFC 6962");
    return verdict;
  };
  const Seq other = choices.below(size);
  require(other == index || !verify_inclusion(leaf, other, size, *proof, root), "a leaf is nowhere else");
  require(other == index || !verify_inclusion(forest().leaves[other], index, size, *proof, root),
          "another leaf is not there");
  if (alter(*proof, choices)) require(!agree(), "an altered proof proves nothing");
  while (!choices.empty()) {
    alter(*proof, choices);
    if (choices.byte() % 2 == 0) size = any_size(choices);
    if (choices.byte() % 2 == 0) index = any_size(choices);
    if (choices.byte() % 2 == 0) leaf = forest().leaves[choices.below(256)];
    agree();
  }
}

void check_consistency(fuzz::Choices& choices) {
  Seq size = choices.below(kLeaves + 1);
  Seq old_size = choices.below(size + 1);
  const Hash256 root = forest().root_at(size);
  Hash256 old_root = forest().root_at(old_size);
  auto proof = forest().tree.consistency_proof(old_size, size, forest().reader());
  require(proof.has_value(), "every older tree has a proof");
  require(verify_consistency(old_size, old_root, size, root, *proof), "every older tree is shown to be a prefix");

  const auto agree = [&] {
    const bool verdict = verify_consistency(old_size, old_root, size, root, *proof);
    bool expected = old_size == 0 && size != 0 && proof->empty() && old_root == empty_root();
    if (old_size == 0 && size == 0) expected = proof->empty() && old_root == root;
    if (old_size > 0 && old_size <= size) {
      const auto roots = model_consistency(old_size, size, *proof, true, old_root);
      expected = roots && roots->before == old_root && roots->after == root;
    }
    require(verdict == expected, "the verdict on consistency is that of RFC 6962");
    return verdict;
  };
  Hash256 wrong = old_root;
  flip(wrong, choices.byte());
  require(!verify_consistency(old_size, wrong, size, root, *proof), "another old root is no prefix");
  if (alter(*proof, choices)) require(!agree(), "an altered proof proves nothing");
  while (!choices.empty()) {
    alter(*proof, choices);
    if (choices.byte() % 2 == 0) size = any_size(choices);
    if (choices.byte() % 2 == 0) old_size = any_size(choices);
    if (choices.byte() % 2 == 0) old_root = forest().root_at(choices.below(256));
    agree();
  }
}

}  // namespace

int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kEnough = 512;  // alterations cost
  fuzz::Choices choices(fuzz::text_of(data, std::min(size, kEnough)));
  if (choices.byte() % 2 == 0) {
    check_inclusion(choices);
  } else {
    check_consistency(choices);
  }
  return 0;
}
