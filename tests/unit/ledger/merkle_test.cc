// The Merkle tree: RFC 6962's numbers, the same roots and proofs as the RFC's own recursive definitions, and tiles that
// bring everything back.
#include "ledger/merkle.h"

#include <gtest/gtest.h>

#include <bit>
#include <map>
#include <span>

namespace ledger {
namespace {

using base::ErrorKind;
using base::fail;
using base::from_hex;
using base::to_hex;

// ---- the definitions of RFC 6962, section 2.1, word for word ----

using Leaves = std::span<const Hash256>;

std::size_t split(Leaves leaves) {
  return std::bit_floor(leaves.size() - 1);
}

Hash256 naive_root(Leaves leaves) {
  if (leaves.empty()) return empty_root();
  if (leaves.size() == 1) return leaves[0];
  const std::size_t k = split(leaves);
  return node_hash(naive_root(leaves.first(k)), naive_root(leaves.subspan(k)));
}

Proof naive_path(std::size_t m, Leaves leaves) {
  if (leaves.size() == 1) return {};
  const std::size_t k = split(leaves);
  Proof path = m < k ? naive_path(m, leaves.first(k)) : naive_path(m - k, leaves.subspan(k));
  path.push_back(m < k ? naive_root(leaves.subspan(k)) : naive_root(leaves.first(k)));
  return path;
}

Proof naive_subproof(std::size_t m, Leaves leaves, bool whole) {
  if (m == leaves.size()) return whole ? Proof{} : Proof{naive_root(leaves)};
  const std::size_t k = split(leaves);
  Proof proof = m <= k ? naive_subproof(m, leaves.first(k), whole) : naive_subproof(m - k, leaves.subspan(k), false);
  proof.push_back(m <= k ? naive_root(leaves.subspan(k)) : naive_root(leaves.first(k)));
  return proof;
}

// ---- a tree whose tiles are kept as the ledger keeps them ----

struct StoredTree {
  MerkleTree tree;
  std::vector<Hash256> leaves;
  std::map<std::string, std::string> tiles;

  explicit StoredTree(std::size_t size = 0) {
    while (leaves.size() < size) append(leaf_hash(std::to_string(leaves.size())));
  }

  void append(const Hash256& leaf) {
    std::vector<Tile> full;
    tree.append(leaf, full);
    leaves.push_back(leaf);
    for (const Tile& tile : full) EXPECT_TRUE(tiles.emplace(tile.id.key(), tile.hashes).second) << "written twice";
  }

  TileReader stored() const {
    return [this](const TileId& id) -> Result<std::string> {
      const auto found = tiles.find(id.key());
      if (found == tiles.end()) return fail(ErrorKind::invocation, "test.absent", "no such tile");
      return found->second;
    };
  }

  Result<MerkleTree> reopened() const {
    return MerkleTree::load(leaves.size(), stored(), [this](Seq seq) -> Result<Hash256> {
      EXPECT_GE(seq, leaves.size() / kTileWidth * kTileWidth) << "only the partial tile's leaves are needed";
      return leaves.at(seq);
    });
  }

  Leaves first(std::size_t size) const { return Leaves(leaves).first(size); }
};

std::vector<std::string> hex_of(const Proof& proof) {
  std::vector<std::string> out;
  for (const Hash256& hash : proof) out.push_back(hash.hex());
  return out;
}

// ---- Certificate Transparency's reference data: eight leaves, their roots and proofs ----

constexpr std::string_view kReferenceLeaves[] = {
    "", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"};

constexpr std::string_view kReferenceRoots[] = {"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
                                                "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
                                                "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
                                                "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
                                                "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
                                                "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
                                                "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
                                                "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
                                                "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};

StoredTree reference_tree() {
  StoredTree out;
  for (const std::string_view leaf : kReferenceLeaves) out.append(leaf_hash(*from_hex(leaf)));
  return out;
}

TEST(Merkle, GivesTheRootsOfTheReferenceData) {
  StoredTree tree;
  EXPECT_EQ(tree.tree.root().hex(), kReferenceRoots[0]);
  for (std::size_t i = 0; i < std::size(kReferenceLeaves); ++i) {
    tree.append(leaf_hash(*from_hex(kReferenceLeaves[i])));
    EXPECT_EQ(tree.tree.root().hex(), kReferenceRoots[i + 1]) << "size " << i + 1;
  }
}

TEST(Merkle, GivesTheProofsOfTheReferenceData) {
  const StoredTree tree = reference_tree();
  EXPECT_EQ(hex_of(*tree.tree.inclusion_proof(0, 8, tree.stored())),
            (std::vector<std::string>{"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
                                      "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
                                      "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}));
  EXPECT_EQ(hex_of(*tree.tree.consistency_proof(6, 8, tree.stored())),
            (std::vector<std::string>{"0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
                                      "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
                                      "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}));
}

// ---- every size up to 600: one full tile, two, and what is between ----

constexpr std::size_t kManyLeaves = 600;

TEST(Merkle, RootIsThatOfTheDefinitionAtEverySize) {
  StoredTree tree;
  for (std::size_t size = 0; size <= kManyLeaves; ++size) {
    ASSERT_EQ(tree.tree.root(), naive_root(tree.leaves)) << "size " << size;
    tree.append(leaf_hash(std::to_string(size)));
  }
}

TEST(Merkle, RemembersItsRootAtEverySmallerSize) {
  const StoredTree tree(kManyLeaves);
  for (std::size_t size = 0; size <= kManyLeaves; ++size) {
    ASSERT_EQ(tree.tree.root_at(size, tree.stored()), naive_root(tree.first(size))) << "size " << size;
  }
}

TEST(Merkle, ProvesInclusionAsDefined) {
  const StoredTree tree(kManyLeaves);
  for (const std::size_t size : {1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 600}) {
    const Hash256 root = naive_root(tree.first(size));
    for (std::size_t index = 0; index < size; index += index % 11 + 1) {
      const auto proof = tree.tree.inclusion_proof(index, size, tree.stored());
      ASSERT_TRUE(proof) << proof.error().describe();
      ASSERT_EQ(*proof, naive_path(index, tree.first(size))) << index << " of " << size;
      ASSERT_TRUE(verify_inclusion(tree.leaves[index], index, size, *proof, root)) << index << " of " << size;
    }
  }
}

TEST(Merkle, ProvesConsistencyAsDefined) {
  const StoredTree tree(kManyLeaves);
  for (const std::size_t size : {1, 2, 3, 7, 8, 255, 256, 257, 511, 512, 513, 600}) {
    const Hash256 root = naive_root(tree.first(size));
    for (std::size_t old_size = 1; old_size <= size; old_size += old_size % 7 + 1) {
      const auto proof = tree.tree.consistency_proof(old_size, size, tree.stored());
      ASSERT_TRUE(proof) << proof.error().describe();
      ASSERT_EQ(*proof, naive_subproof(old_size, tree.first(size), true)) << old_size << " to " << size;
      ASSERT_TRUE(verify_consistency(old_size, naive_root(tree.first(old_size)), size, root, *proof))
          << old_size << " to " << size;
    }
  }
}

// ---- verifiers believe nothing else ----

Hash256 flipped(Hash256 hash) {
  hash.bytes[31] ^= 1;
  return hash;
}

TEST(Merkle, RefusesAnInclusionProofThatIsAlteredInAnyPart) {
  const StoredTree tree(300);
  const Hash256 root = tree.tree.root();
  for (const Seq index : {Seq{0}, Seq{255}, Seq{256}, Seq{299}}) {
    const Proof proof = *tree.tree.inclusion_proof(index, 300, tree.stored());
    const Hash256 leaf = tree.leaves[index];
    EXPECT_FALSE(verify_inclusion(flipped(leaf), index, 300, proof, root));
    EXPECT_FALSE(verify_inclusion(leaf, index, 300, proof, flipped(root)));
    EXPECT_FALSE(verify_inclusion(leaf, index ^ 1, 300, proof, root));
    EXPECT_FALSE(verify_inclusion(leaf, 300, 300, proof, root));
    EXPECT_FALSE(verify_inclusion(leaf, 0, 0, {}, leaf));
    for (std::size_t i = 0; i < proof.size(); ++i) {
      Proof altered = proof;
      altered[i] = flipped(altered[i]);
      EXPECT_FALSE(verify_inclusion(leaf, index, 300, altered, root));
      altered.erase(altered.begin() + static_cast<std::ptrdiff_t>(i));
      EXPECT_FALSE(verify_inclusion(leaf, index, 300, altered, root));
    }
    Proof longer = proof;
    longer.push_back(root);
    EXPECT_FALSE(verify_inclusion(leaf, index, 300, longer, root));
  }
}

TEST(Merkle, RefusesAConsistencyProofThatIsAlteredInAnyPart) {
  const StoredTree tree(300);
  const Hash256 root = tree.tree.root();
  for (const Seq old_size : {Seq{1}, Seq{128}, Seq{255}, Seq{256}, Seq{299}}) {
    const Proof proof = *tree.tree.consistency_proof(old_size, 300, tree.stored());
    const Hash256 old_root = *tree.tree.root_at(old_size, tree.stored());
    EXPECT_TRUE(verify_consistency(old_size, old_root, 300, root, proof));
    EXPECT_FALSE(verify_consistency(old_size, flipped(old_root), 300, root, proof));
    EXPECT_FALSE(verify_consistency(old_size, old_root, 300, flipped(root), proof));
    EXPECT_FALSE(verify_consistency(old_size, old_root, 300, root, {}));
    EXPECT_FALSE(verify_consistency(300, root, old_size, old_root, proof)) << "a tree does not shrink";
    for (std::size_t i = 0; i < proof.size(); ++i) {
      Proof altered = proof;
      altered[i] = flipped(altered[i]);
      EXPECT_FALSE(verify_consistency(old_size, old_root, 300, root, altered));
      altered.erase(altered.begin() + static_cast<std::ptrdiff_t>(i));
      EXPECT_FALSE(verify_consistency(old_size, old_root, 300, root, altered));
    }
    Proof longer = proof;
    longer.push_back(root);
    EXPECT_FALSE(verify_consistency(old_size, old_root, 300, root, longer));
  }
}

TEST(Merkle, RefusesAnInclusionProofForAnotherSizeOfTheTree) {
  const StoredTree tree(300);
  const Hash256 root = *tree.tree.root_at(256, tree.stored());
  const Proof proof = *tree.tree.inclusion_proof(5, 256, tree.stored());
  for (const Seq size : {Seq{6}, Seq{128}, Seq{257}, Seq{300}, Seq{512}}) {
    EXPECT_FALSE(verify_inclusion(tree.leaves[5], 5, size, proof, root)) << size;
  }
  const Hash256 leaf = tree.leaves[0];
  EXPECT_FALSE(verify_inclusion(leaf, 1, 1, {}, leaf)) << "there is one leaf, and it has index 0";
  EXPECT_FALSE(verify_inclusion(leaf, 0, 1, {tree.leaves[1]}, node_hash(tree.leaves[1], leaf)))
      << "one leaf is the root";
}

TEST(Merkle, RefusesAConsistencyProofForOtherSizes) {
  const StoredTree tree(300);
  const Hash256 old_root = *tree.tree.root_at(128, tree.stored());
  const Hash256 root = *tree.tree.root_at(256, tree.stored());
  const Proof proof = *tree.tree.consistency_proof(128, 256, tree.stored());
  // (129 to 255 have the proof's shape too: it is the signed checkpoint that ties a root to its size.)
  for (const Seq size : {Seq{127}, Seq{257}, Seq{300}, Seq{512}}) {
    EXPECT_FALSE(verify_consistency(128, old_root, size, root, proof)) << size;
  }
  EXPECT_FALSE(verify_consistency(2, root, 1, root, {})) << "a tree does not shrink";
  EXPECT_TRUE(verify_consistency(256, root, 256, root, {}));
  EXPECT_FALSE(verify_consistency(256, root, 256, root, proof)) << "nothing to prove";
}

TEST(Merkle, AnEmptyTreeIsAPrefixOfEveryTree) {
  const StoredTree tree(5);
  EXPECT_EQ(tree.tree.consistency_proof(0, 5, tree.stored()), Proof{});
  EXPECT_TRUE(verify_consistency(0, empty_root(), 5, tree.tree.root(), {}));
  EXPECT_FALSE(verify_consistency(0, tree.tree.root(), 5, tree.tree.root(), {}));
  EXPECT_FALSE(verify_consistency(0, empty_root(), 5, tree.tree.root(), {tree.tree.root()}));
}

// ---- tiles ----

TEST(Merkle, GivesOutATileWhenItIsFull) {
  StoredTree tree(255);
  EXPECT_TRUE(tree.tiles.empty());
  tree.append(leaf_hash("256th"));
  ASSERT_EQ(tree.tiles.size(), 1u);
  const auto& [key, hashes] = *tree.tiles.begin();
  EXPECT_EQ(to_hex(key), "000000000000000000");
  ASSERT_EQ(hashes.size(), kTileWidth * 32);
  EXPECT_EQ(hashes.substr(255 * 32), leaf_hash("256th").view());
}

TEST(Merkle, ATilesKeyIsItsLevelAndItsIndexBigEndian) {
  EXPECT_EQ(to_hex(TileId{2, 0x0102030405}.key()), "020000000102030405");
}

TEST(Merkle, IsTheSameTreeWhenLoadedFromItsTiles) {
  for (const std::size_t size : {0, 1, 2, 255, 256, 257, 600, 1000}) {
    StoredTree tree(size);
    auto again = tree.reopened();
    ASSERT_TRUE(again) << again.error().describe();
    EXPECT_EQ(again->size(), size);
    EXPECT_EQ(again->root(), tree.tree.root()) << "size " << size;
    tree.tree = std::move(*again);
    while (tree.leaves.size() < size + 300) tree.append(leaf_hash(std::to_string(tree.leaves.size())));
    EXPECT_EQ(tree.tree.root(), naive_root(tree.leaves)) << "grown from size " << size;
  }
}

TEST(Merkle, CrossesTheBordersOfAllLevels) {
  constexpr std::size_t kTwoLevels = kTileWidth * kTileWidth;
  StoredTree tree(kTwoLevels - 1);
  for (std::size_t size = kTwoLevels - 1; size <= kTwoLevels + 1; ++size) {
    ASSERT_EQ(tree.tree.root(), naive_root(tree.leaves)) << "size " << size;
    const auto again = tree.reopened();
    ASSERT_TRUE(again) << again.error().describe();
    ASSERT_EQ(again->root(), tree.tree.root()) << "size " << size;
    for (const Seq index : {Seq{0}, Seq{255}, Seq{256}, Seq{32768}, Seq{size - 1}}) {
      const auto proof = again->inclusion_proof(index, size, tree.stored());
      ASSERT_TRUE(proof) << proof.error().describe();
      ASSERT_TRUE(verify_inclusion(tree.leaves[index], index, size, *proof, tree.tree.root()));
    }
    tree.append(leaf_hash("more"));
  }
  EXPECT_EQ(tree.tiles.size(), kTileWidth + 1) << "256 tiles of leaves and one above them";
}

TEST(Merkle, SaysWhatIsWrong) {
  StoredTree tree(300);
  EXPECT_EQ(tree.tree.root_at(301, tree.stored()).error().code, "merkle.range");
  EXPECT_EQ(tree.tree.inclusion_proof(300, 300, tree.stored()).error().code, "merkle.range");
  EXPECT_EQ(tree.tree.inclusion_proof(0, 301, tree.stored()).error().code, "merkle.range");
  EXPECT_EQ(tree.tree.consistency_proof(5, 4, tree.stored()).error().code, "merkle.range");
  tree.tiles.begin()->second.pop_back();
  EXPECT_EQ(tree.tree.inclusion_proof(0, 300, tree.stored()).error().describe(),
            "a tile has 8191 bytes instead of 8192 (level 0, index 0)");
  tree.tiles.clear();
  EXPECT_EQ(tree.tree.inclusion_proof(0, 300, tree.stored()).error().code, "test.absent");
  EXPECT_EQ(tree.reopened().error().code, "test.absent");
}

}  // namespace
}  // namespace ledger
