// One flipped bit in every kind of block of every kind of file, for readers and for the writer: it is seen, or what can
// be read is the same as before. The table of what happened is printed.
#include <algorithm>
#include <cstdio>
#include <map>

#include "tests/unit/ledger/damaged_ledger.h"

namespace ledger {
namespace {

// A part of a file, by what it is for.
struct Part {
  std::string kind;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// Reads protobuf-like varints, of which RocksDB's block-based tables are made.
class Varints {
 public:
  Varints(std::string_view bytes, std::size_t at) : bytes_(bytes), at_(at) {}
  std::size_t next() {
    std::size_t value = 0;
    for (int shift = 0;; shift += 7) {
      const auto byte = static_cast<std::uint8_t>(bytes_.at(at_++));
      value |= std::size_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
  }
  std::string_view bytes(std::size_t size) {
    at_ += size;
    return bytes_.substr(at_ - size, size);
  }
  std::size_t at() const { return at_; }

 private:
  std::string_view bytes_;
  std::size_t at_;
};

constexpr std::size_t kFooterBytes = 53;  // checksum type, two handles padded to 40 bytes, version, magic number
constexpr std::size_t kTrailerBytes = 5;  // of each block: compression type and checksum

// A block with its trailer, as a handle names it: offset and size.
Part block(std::string kind, Varints& handle) {
  const std::size_t begin = handle.next();
  return {std::move(kind), begin, begin + handle.next() + kTrailerBytes};
}

// Where the entries of a block end, and its restart points begin: four bytes each, and their number.
std::size_t entries_end(std::string_view file, const Part& part) {
  const std::size_t number = part.end - kTrailerBytes - 4;
  return number - 4 * static_cast<std::uint8_t>(file.at(number));
}

// The parts of a table file (RocksDB's wiki: "Rocksdb BlockBasedTable Format").
std::vector<Part> parts_of_table(std::string_view file) {
  const std::size_t footer = file.size() - kFooterBytes;
  Varints handles(file, footer + 1);
  std::vector<Part> out = {block("metaindex", handles)};
  out.push_back(block("index", handles));
  const Part meta = out.front();
  std::size_t data_end = out.back().begin;
  Varints entries(file, meta.begin);
  std::string key;
  const std::size_t end = entries_end(file, meta);
  while (entries.at() < end) {
    const std::size_t shared = entries.next();
    const std::size_t unshared = entries.next();
    entries.next();
    key = key.substr(0, shared) + std::string(entries.bytes(unshared));
    out.push_back(block(key.substr(0, key.find('.', key.find('.') + 1)), entries));
    data_end = std::min(data_end, out.back().begin);
  }
  out.push_back({"data", 0, data_end});
  out.push_back({"footer", footer, file.size()});
  return out;
}

class BlockDamage : public DamagedLedger {
 protected:
  struct Outcomes {
    int seen = 0;
    int without_effect = 0;
    int silent = 0;
  };

  void note(const std::string& row, const std::string& outcome) {
    Outcomes& outcomes = table_[row];
    if (says_damage(outcome)) {
      ++outcomes.seen;
    } else if (outcome == whole_) {
      ++outcomes.without_effect;
    } else {
      ++outcomes.silent;
      ADD_FAILURE() << row << ": " << outcome;
    }
  }

  // At most so many bits, evenly over the part, each in another place of its byte.
  void flip(const fs::path& file, const Part& part, const std::string& row, std::size_t at_most = 6) {
    const std::string whole = read_file(folder() / file);
    const std::size_t stride = std::max<std::size_t>(1, (part.end - part.begin) / at_most);
    for (std::size_t at = part.begin; at < part.end; at += stride) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ (1 << at % 8));
      const fs::path copy = damaged_copy(file, bytes);
      note(row + " | reader", opened_for_reading(copy));
      note(row + " | writer", opened_for_writing(copy));
    }
  }

  void print_table() const {
    std::printf("%-36s %5s %15s %7s\n", "what | who", "seen", "without effect", "silent");
    for (const auto& [row, outcomes] : table_)
      std::printf("%-36s %5d %15d %7d\n", row.c_str(), outcomes.seen, outcomes.without_effect, outcomes.silent);
  }

  std::map<std::string, Outcomes> table_;
};

TEST_F(BlockDamage, AFlippedBitInATableIsSeenOrWithoutEffect) {
  for (const auto& file : fs::directory_iterator(folder())) {
    if (file.path().extension() != ".sst") continue;
    for (const Part& part : parts_of_table(read_file(file.path())))
      flip(file.path().filename(), part, "table: " + part.kind);
  }
  print_table();
  for (const char* kind : {"data", "index", "rocksdb.properties", "metaindex", "footer"}) {
    for (const char* who : {" | reader", " | writer"}) {
      const auto row = table_.find(std::string("table: ") + kind + who);
      ASSERT_TRUE(row != table_.end()) << kind;
      EXPECT_GT(row->second.seen, 0) << kind << who;
    }
  }
  EXPECT_TRUE(std::ranges::any_of(table_, [](const auto& row) {
    return row.first.find("filter") != std::string::npos;
  })) << "there is a filter";
}

// RocksDB itself would end the process here.
TEST_F(BlockDamage, PropertiesThatClaimAHashIndexAreNamed) {
  int views = 0;
  for (const auto& file : fs::directory_iterator(folder())) {
    if (file.path().extension() != ".sst") continue;
    std::string bytes = read_file(file.path());
    for (const Part& part : parts_of_table(bytes)) {
      if (part.kind == "rocksdb.properties") bytes[part.end - kTrailerBytes - 1] ^= '\x80';
    }
    const fs::path copy = damaged_copy(file.path().filename(), bytes);
    const std::string outcome = opened_for_reading(copy);
    EXPECT_TRUE(says_damage(outcome)) << outcome;
    EXPECT_TRUE(says_damage(opened_for_writing(copy)));
    if (!outcome.starts_with("ledger.views_damaged")) continue;
    ++views;
    ASSERT_TRUE(discard_views(copy));
    const auto store = open_writer(copy);
    ASSERT_TRUE(store) << store.error().describe();
    ASSERT_TRUE(rebuild_views(**store, {&view_}));
    EXPECT_EQ(contents(**store), whole_);
  }
  EXPECT_EQ(views, 1);
}

TEST_F(BlockDamage, AFlippedBitInAnyOtherFileIsSeenOrWithoutEffect) {
  for (const auto& file : fs::directory_iterator(folder())) {
    const fs::path name = file.path().filename();
    if (file.path().extension() == ".sst" || file.file_size() == 0) continue;
    const std::string kind =
        file.path().extension() == ".log" ? "log" : name.string().substr(0, name.string().find('-'));
    flip(name, {kind, 0, file.file_size()}, kind, 20);
  }
  print_table();
  for (const char* kind : {"log", "MANIFEST", "CURRENT", "DURABLE"}) {
    EXPECT_GT(table_[std::string(kind) + " | reader"].seen, 0) << kind;
    EXPECT_GT(table_[std::string(kind) + " | writer"].seen, 0) << kind;
  }
  EXPECT_EQ(table_["IDENTITY | reader"].seen, 0) << "says which database it is, and decides nothing";
  EXPECT_EQ(table_["OPTIONS | reader"].seen, 0) << "our options are in the program";
}

TEST_F(BlockDamage, WhatNobodyReadsIsSeenByTheAudit) {
  const fs::path table = newest(".sst");
  std::string bytes = read_file(folder() / table);
  bytes[1] ^= 1;  // in a data block
  const fs::path copy = damaged_copy(table, bytes);
  const auto store = open_reader(copy);
  ASSERT_TRUE(store) << store.error().describe();
  const auto verified = (*store)->verify_files();
  ASSERT_FALSE(verified);
  EXPECT_NE(verified.error().message.find(table.string()), std::string::npos) << verified.error().describe();
}

TEST_F(BlockDamage, DamagedViewsAreGivenUpAndMadeAgain) {
  int rebuilt = 0;
  for (const auto& file : fs::directory_iterator(folder())) {
    if (file.path().extension() != ".sst") continue;
    for (const Part& part : parts_of_table(read_file(file.path()))) {
      std::string bytes = read_file(file.path());
      bytes[part.begin + (part.end - part.begin) / 2] ^= 1;
      const fs::path copy = damaged_copy(file.path().filename(), bytes);
      const std::string before = opened_for_reading(copy);
      if (!before.starts_with("ledger.views_damaged")) continue;
      const auto discarded = discard_views(copy);
      ASSERT_TRUE(discarded) << part.kind << ": " << discarded.error().describe();
      const auto store = open_writer(copy);
      ASSERT_TRUE(store) << part.kind << ": " << store.error().describe();
      EXPECT_EQ(Ledger::open(**store, {&view_}).error().code, "ledger.views_stale");
      ASSERT_TRUE(rebuild_views(**store, {&view_}));
      EXPECT_EQ(contents(**store), whole_) << part.kind;
      ++rebuilt;
    }
  }
  EXPECT_GE(rebuilt, 4) << "data, index, properties and metaindex of the views' file";
}

TEST_F(BlockDamage, NothingButTheViewsIsEverGivenUp) {
  const fs::path log = newest(".log");
  std::string bytes = read_file(folder() / log);
  bytes[bytes.size() / 2] ^= 1;
  const fs::path copy = damaged_copy(log, bytes);
  ASSERT_FALSE(discard_views(copy));
  EXPECT_EQ(discard_views(copy).error().code, "ledger.damaged");
  EXPECT_EQ(read_file(copy / log), bytes) << "the evidence is still there";
}

}  // namespace
}  // namespace ledger
