// The auditor's look at the bytes: every alteration is found, and the first bad position is named.
#include "ledger/verify.h"

#include <gtest/gtest.h>
#include <secp256k1_schnorrsig.h>

#include "ledger/checkpoint.h"
#include "ledger/ledger.h"
#include "ledger/reader.h"
#include "tests/support/sample_ledger.h"
#include "tests/support/sim_disk.h"

namespace ledger {
namespace {

using sim::SimDisk;

constexpr std::size_t kEntries = 600;

SimDisk whole_ledger() {
  SimDisk disk;
  sim::SampleView view;
  auto ledger = Ledger::open(disk, {&view});
  const Group group = sim::sample_group(0, kEntries);
  EXPECT_TRUE((*ledger)->append({&group, 1}));
  return disk;
}

std::string value_of(const SimDisk& disk, Seq seq) {
  return disk.get(Family::entries, entry_key(seq)).value().value();
}

void change(SimDisk& disk, Family family, std::string key, std::optional<std::string> value) {
  Batch batch;
  batch.writes.push_back({family, std::move(key), std::move(value)});
  ASSERT_TRUE(disk.commit(batch));
}

std::vector<Finding> findings(const SimDisk& disk) {
  auto verified = verify_ledger(disk);
  EXPECT_TRUE(verified);
  return verified->findings;
}

std::string first(const SimDisk& disk) {
  const auto all = findings(disk);
  return all.empty() ? "whole" : all.front().position + ": " + all.front().what;
}

TEST(Verify, AWholeLedgerHasNoFindings) {
  const SimDisk disk = whole_ledger();
  const auto verified = verify_ledger(disk);
  ASSERT_TRUE(verified);
  EXPECT_TRUE(verified->findings.empty()) << first(disk);
  EXPECT_EQ(verified->size, kEntries);
  EXPECT_EQ(verified->root, Reader(disk).state()->root);
  EXPECT_EQ(first(SimDisk()), "whole");
}

TEST(Verify, EveryFlippedBitOfAnEntryIsFoundAtItsPosition) {
  const SimDisk whole = whole_ledger();
  for (const Seq seq : {Seq{0}, Seq{300}, Seq{599}}) {
    for (std::size_t bit = 0; bit < value_of(whole, seq).size() * 8; bit += 7) {
      SimDisk disk = whole;
      ASSERT_TRUE(disk.flip_bit(Family::entries, entry_key(seq), bit));
      const auto found = findings(disk);
      ASSERT_FALSE(found.empty()) << "entry " << seq << " bit " << bit;
      // A header that stays readable (its time, its job) shows only in the tree: by leaf in full tiles.
      const std::string& what = found.front().what;
      const bool by_position =
          found.front().position == entry_position(seq) || found.front().position == entry_position(seq + 1);
      const bool by_tree = what.find("first at " + entry_position(seq)) != std::string::npos ||
                           found.front().position.starts_with("entries 512 to 600");
      EXPECT_TRUE(by_position || by_tree)
          << "entry " << seq << " bit " << bit << ": " << found.front().position << what;
    }
  }
}

TEST(Verify, ARemovedEntryIsMissedAtItsPosition) {
  SimDisk disk = whole_ledger();
  change(disk, Family::entries, entry_key(300), std::nullopt);
  EXPECT_EQ(first(disk), "entry 300: the entry is missing");
}

TEST(Verify, ARemovedEndIsMissed) {
  SimDisk disk = whole_ledger();
  change(disk, Family::entries, entry_key(599), std::nullopt);
  EXPECT_EQ(first(disk), "meta state: the ledger says it has 600 entries, there are 599");
}

TEST(Verify, TwoSwappedEntriesAreFound) {
  SimDisk disk = whole_ledger();
  const std::string one = value_of(disk, 100);
  const std::string other = value_of(disk, 101);
  change(disk, Family::entries, entry_key(100), other);
  change(disk, Family::entries, entry_key(101), one);
  EXPECT_EQ(first(disk), "entry 101: its time is before that of the entry before it");
  EXPECT_EQ(findings(disk).at(1).position, "tile 0/0");
  EXPECT_EQ(findings(disk).at(1).what, "its hashes differ from those of the headers, first at entry 100");
}

TEST(Verify, AFactRewrittenWithItsHashIsFoundByTheTree) {
  SimDisk disk = whole_ledger();
  NewEntry forged = sim::sample_entry(9);
  std::get<InvoiceSettled>(forged.fact).received = Msat{1};
  change(disk, Family::entries, entry_key(9), encode_entry(forged).value);
  EXPECT_EQ(first(disk), "tile 0/0: its hashes differ from those of the headers, first at entry 9");
}

TEST(Verify, AWrongOrMissingTileIsNamed) {
  SimDisk disk = whole_ledger();
  ASSERT_TRUE(disk.flip_bit(Family::tiles, TileId{0, 1}.key(), 7 * 256 + 5));
  EXPECT_EQ(first(disk), "tile 0/1: its hashes differ from those of the headers, first at entry 263");
  change(disk, Family::tiles, TileId{0, 1}.key(), std::nullopt);
  EXPECT_EQ(first(disk), "tile 0/1: the tile is missing");
}

TEST(Verify, ACheckpointThatNobodySignedOrThatCoversTooMuchIsNamed) {
  SimDisk disk = whole_ledger();
  change(disk, Family::meta, checkpoint_key(300), "no note");
  change(disk, Family::meta, checkpoint_key(601), "no note");
  const auto found = findings(disk);
  ASSERT_EQ(found.size(), 2U);
  EXPECT_EQ(found[0].position, "checkpoint 300");
  EXPECT_EQ(found[1].position, "checkpoint 601");
  EXPECT_EQ(found[1].what, "it covers entries that are not there");
}

TEST(Verify, ASignedCheckpointHoldsUntilAnEntryBeforeItIsAltered) {
  secp256k1_context* const context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
  const std::string secret(32, '\x07');
  secp256k1_keypair pair;
  secp256k1_xonly_pubkey key;
  PublicKey provider;
  ASSERT_EQ(secp256k1_keypair_create(context, &pair, reinterpret_cast<const unsigned char*>(secret.data())), 1);
  ASSERT_EQ(secp256k1_keypair_xonly_pub(context, &key, nullptr, &pair), 1);
  secp256k1_xonly_pubkey_serialize(context, provider.bytes.data(), &key);
  const DigestSigner sign = [&](const Hash256& digest) -> Result<Signature> {
    Signature out;
    EXPECT_EQ(secp256k1_schnorrsig_sign32(context, out.bytes.data(), digest.bytes.data(), &pair, nullptr), 1);
    return out;
  };

  SimDisk disk;
  auto ledger = std::move(Ledger::open(disk, {}).value());
  const Group group{.entries = {{.fact = ProviderConfigured{.provider = provider}}, {.fact = WentOnline{"1.0"}}}};
  ASSERT_TRUE(ledger->append({&group, 1}));
  const auto note = sign_checkpoint({.size = 2, .root = ledger->root()}, provider, sign);
  ASSERT_TRUE(note && ledger->put_checkpoint(2, *note));
  EXPECT_EQ(first(disk), "whole");
  secp256k1_context_destroy(context);

  // Rewritten with everything that the writer could recompute, but for the signature.
  const Group forged{.entries = {group.entries[0], {.fact = WentOnline{"1.1"}}}};
  SimDisk other;
  ASSERT_TRUE(Ledger::open(other, {}).value()->append({&forged, 1}));
  change(other, Family::meta, checkpoint_key(2), *note);
  EXPECT_EQ(first(other),
            "checkpoint 2: its root is not that of the entries before it: one of them was altered, added or removed");
}

TEST(Verify, AReaderStopsAtTheEntryThatIsDamaged) {
  SimDisk disk = whole_ledger();
  change(disk, Family::entries, entry_key(7), std::nullopt);
  int seen = 0;
  const auto read = Reader(disk).for_each(0, kEntries, [&](const Entry&) { return ++seen > 0; });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, "ledger.damaged");
  EXPECT_EQ(read.error().context, "entry 7");
  EXPECT_EQ(seen, 7);
}

TEST(Verify, ATextThatWasAlteredIsRefused) {
  SimDisk disk = whole_ledger();
  const TextRef request = ref(sim::sample_entry(0).texts.at(0));
  ASSERT_TRUE(disk.flip_bit(Family::texts, request.view(), 300));
  EXPECT_EQ(Reader(disk).text(request).error().context, "text " + request.hex());
}

}  // namespace
}  // namespace ledger
