// A ledger on a real disk whose files are damaged one at a time, and what reading and writing then say.
#pragma once

#include <gtest/gtest.h>

#include <fstream>

#include "base/temporary_folder.h"
#include "ledger/ledger.h"
#include "ledger/reader.h"
#include "ledger/rocksdb_store.h"
#include "tests/support/sample_ledger.h"

namespace ledger {

namespace fs = std::filesystem;

inline std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

inline void write_file(const fs::path& file, std::string_view bytes) {
  std::ofstream(file, std::ios::binary) << bytes;
}

inline std::string told(const base::Error& error) {
  return error.code + ": " + error.describe();
}

// All that the store holds, scanned and asked for key by key; or what it says about its damage.
inline std::string contents(const KeyValue& store) {
  std::string all;
  for (const Family family : {Family::entries, Family::texts, Family::tiles, Family::views, Family::meta}) {
    Result<void> found;
    const auto scanned = store.scan(family, {}, {}, [&](auto k, auto v) {
      all.append(k).append(v);
      const auto value = store.get(family, k);
      if (!value) found = tl::unexpected(value.error());
      if (value && *value != v) all += "not found";
      return found.has_value();
    });
    if (!scanned || !found) return told(scanned ? found.error() : scanned.error());
  }
  return base::sha256(all).hex();
}

inline std::string opened_for_writing(const fs::path& folder) {
  const auto store = open_writer(folder);
  return store ? contents(**store) : told(store.error());
}

inline std::string opened_for_reading(const fs::path& folder) {
  const auto store = open_reader(folder);
  return store ? contents(**store) : told(store.error());
}

class DamagedLedger : public testing::Test {
 protected:
  // Twice opened: entries 0-49 are in table files, 50-99 in the log, five commits each.
  DamagedLedger() {
    for (int round = 0; round < 2; ++round) {
      const auto store = std::move(open_writer(folder()).value());
      const auto ledger = std::move(Ledger::open(*store, {&view_}).value());
      for (int i = 0; i < 5; ++i) {
        const Group group = sim::sample_group(ledger->size(), 10);
        EXPECT_TRUE(ledger->append({&group, 1}));
      }
    }
    whole_ = opened_for_reading(folder());
    EXPECT_EQ(whole_.size(), 64U) << whole_;
  }

  fs::path folder() const { return original_.path() / "ledger"; }

  fs::path newest(std::string_view part_of_name) const {
    fs::path found;
    for (const auto& file : fs::directory_iterator(folder())) {
      const bool fits = file.path().filename().string().find(part_of_name) != std::string::npos;
      if (fits && file.file_size() > 0) found = std::max(found, file.path());
    }
    return found.filename();
  }

  // A fresh copy of the ledger with these bytes in one of its files.
  fs::path damaged_copy(const fs::path& file, std::string_view bytes) const {
    const fs::path copy = original_.path() / "copy";
    fs::remove_all(copy);
    fs::copy(folder(), copy);
    write_file(copy / file, bytes);
    return copy;
  }

  // Whether the store says that it is damaged, and what to do.
  static bool says_damage(const std::string& outcome) {
    const auto has = [&](const char* words) { return outcome.find(words) != std::string::npos; };
    if (outcome.starts_with("ledger.views_damaged: ")) return has("--rebuild-views");
    return outcome.starts_with("ledger.damaged: ") && (has("restore a backup") || has("delete this file"));
  }

  sim::SampleView view_;
  base::TemporaryFolder original_ = base::TemporaryFolder::make("test").value();
  std::string whole_;
};

}  // namespace ledger
