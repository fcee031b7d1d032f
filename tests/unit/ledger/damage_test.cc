// Damage on a real disk. Whatever byte is wrong, whatever is gone: either nothing of the ledger's contents changes, or
// opening or reading says "ledger.damaged", where, and what to do. Never a shorter ledger that looks whole.
#include "ledger/verify.h"
#include "tests/unit/ledger/damaged_ledger.h"

namespace ledger {
namespace {

class Damage : public DamagedLedger {
 protected:
  void expect_no_silent_change(const std::string& outcome, const std::string& where) const {
    EXPECT_TRUE(outcome == whole_ || says_damage(outcome)) << where << ": " << outcome;
  }

  void flip_bytes_of(const fs::path& file, std::size_t stride) const {
    const std::string bytes = read_file(folder() / file);
    ASSERT_FALSE(bytes.empty());
    for (std::size_t at = 0; at < bytes.size(); at += stride) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(~flipped[at]);
      const fs::path copy = damaged_copy(file, flipped);
      expect_no_silent_change(opened_for_reading(copy), file.string() + " flipped at " + std::to_string(at));
      expect_no_silent_change(opened_for_writing(copy), file.string() + " flipped at " + std::to_string(at));
    }
  }

  void cut(const fs::path& file, std::size_t stride) const {
    const std::string bytes = read_file(folder() / file);
    for (std::size_t at = 0; at < bytes.size(); at += stride) {
      const fs::path copy = damaged_copy(file, std::string_view(bytes).substr(0, at));
      expect_no_silent_change(opened_for_reading(copy), file.string() + " cut at " + std::to_string(at));
      expect_no_silent_change(opened_for_writing(copy), file.string() + " cut at " + std::to_string(at));
    }
  }
};

TEST_F(Damage, AFlippedByteInTheLogIsNamedByEntryAndFile) {
  const fs::path log = newest(".log");
  std::string bytes = read_file(folder() / log);
  bytes[bytes.size() / 2] ^= 1;
  const fs::path copy = damaged_copy(log, bytes);
  for (const std::string& outcome : {opened_for_writing(copy), opened_for_reading(copy)}) {
    EXPECT_TRUE(outcome.starts_with("ledger.damaged: ")) << outcome;
    EXPECT_NE(outcome.find("(entry 70, " + (copy / log).string() + ")"), std::string::npos) << outcome;
  }
  EXPECT_EQ(read_file(copy / log), bytes) << "the evidence is still there";
}

TEST_F(Damage, AFlippedLengthInTheLogIsNoTornTail) {
  const fs::path log = newest(".log");
  std::string bytes = read_file(folder() / log);
  bytes[5] = static_cast<char>(bytes[5] ^ 0x40);  // the first record seems to reach past the end of the file
  const fs::path copy = damaged_copy(log, bytes);
  for (const std::string& outcome : {opened_for_writing(copy), opened_for_reading(copy)}) {
    EXPECT_TRUE(outcome.starts_with("ledger.damaged: ")) << outcome;
    EXPECT_NE(outcome.find("entry 50"), std::string::npos) << outcome;
  }
  EXPECT_EQ(read_file(copy / log), bytes) << "the evidence is still there";
}

TEST_F(Damage, AnyFlippedByteInTheLog) {
  flip_bytes_of(newest(".log"), 211);
}
TEST_F(Damage, AnyFlippedByteInTheManifest) {
  flip_bytes_of(newest("MANIFEST"), 29);
}
TEST_F(Damage, AnyFlippedByteInATable) {
  flip_bytes_of(newest(".sst"), 61);
}
TEST_F(Damage, ALogThatWasCutOff) {
  cut(newest(".log"), 997);
}
TEST_F(Damage, AManifestThatWasCutOff) {
  cut(newest("MANIFEST"), 61);
}
TEST_F(Damage, ATableThatWasCutOff) {
  cut(newest(".sst"), 301);
}

TEST_F(Damage, AnyFileThatIsGone) {
  for (const auto& file : fs::directory_iterator(folder())) {
    const std::string name = file.path().filename().string();
    if (name == "LOCK" || name == "IDENTITY" || name == "DURABLE" || name.starts_with("OPTIONS")) continue;
    if (file.file_size() == 0) continue;
    const fs::path copy = damaged_copy(name, "");
    fs::remove(copy / name);
    EXPECT_TRUE(says_damage(opened_for_reading(copy))) << name << ": " << opened_for_reading(copy);
    EXPECT_TRUE(says_damage(opened_for_writing(copy))) << name << ": " << opened_for_writing(copy);
  }
}

TEST_F(Damage, AnUnreadableMarkIsSaidToBeThat) {
  const std::string outcome = opened_for_writing(damaged_copy("DURABLE", "nonsense"));
  EXPECT_TRUE(outcome.starts_with("ledger.damaged: the mark of how far the ledger was durable is unreadable"))
      << outcome;
}

TEST_F(Damage, ATornTailThatWasNeverAcknowledgedIsDropped) {
  const fs::path log = newest(".log");
  std::string bytes = read_file(folder() / log);
  const std::string header("\x12\x34\x56\x78\xff\x01\x01", 7);  // a record of 511 bytes, of which 3 were written
  const fs::path copy = damaged_copy(log, bytes + header + "abc");
  EXPECT_EQ(opened_for_writing(copy), whole_);
}

// What a power failure leaves of a write whose bytes did not all arrive: its size, and zeros instead.
TEST_F(Damage, ATornTailWithZerosInItIsDroppedToo) {
  const fs::path log = newest(".log");
  const std::string bytes = read_file(folder() / log);
  for (const std::string_view arrived : {"", "\x12\x34\x56\x78\xff\x01\x01", "\x12\x34\x56\x78\xff\x01\x01half"}) {
    const fs::path copy = damaged_copy(log, bytes + std::string(arrived) + std::string(600, '\0'));
    EXPECT_EQ(opened_for_reading(copy), whole_) << arrived.size();
    EXPECT_EQ(opened_for_writing(copy), whole_) << arrived.size();
    EXPECT_EQ(opened_for_reading(copy), whole_) << arrived.size();
  }
}

TEST_F(Damage, ABadWriteWithAnotherBehindItIsNoTornTail) {
  const fs::path log = newest(".log");
  std::string bytes = read_file(folder() / log);
  std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(bytes.size()) / 2, 20, '\0');
  const fs::path copy = damaged_copy(log, bytes);
  fs::remove(copy / "DURABLE");  // as if it had never reached the disk
  const std::string outcome = opened_for_writing(copy);
  EXPECT_TRUE(outcome.starts_with("ledger.damaged: ")) << outcome;
}

TEST_F(Damage, WhatWasChangedThroughTheStoreIsForTheAuditor) {
  const auto store = std::move(open_writer(folder()).value());
  const std::string one = store->get(Family::entries, entry_key(20)).value().value();
  const std::string other = store->get(Family::entries, entry_key(40)).value().value();
  Batch batch;
  batch.put(Family::entries, entry_key(20), other);
  batch.put(Family::entries, entry_key(40), one);
  batch.erase(Family::entries, entry_key(30));
  ASSERT_TRUE(store->commit(batch));
  const auto verified = verify_ledger(*store);
  ASSERT_TRUE(verified);
  ASSERT_GE(verified->findings.size(), 3U);
  EXPECT_EQ(verified->findings[0].position, "entry 21") << "earlier than the entry before it";
  EXPECT_EQ(verified->findings[1].position, "entry 30");
}

}  // namespace
}  // namespace ledger
