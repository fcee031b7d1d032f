// An open RocksDB database with the ledger's families: its options, its handles, and what its errors mean.
#pragma once

#include <rocksdb/db.h>

#include <array>
#include <filesystem>
#include <memory>
#include <string>

#include "ledger/key_value.h"
#include "ledger/rocksdb_store.h"

namespace ledger {

inline rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
inline std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

// "ledger.damaged" for a status that says that a file is gone or is not what the other files say it is, and
// "ledger.io" for any other failure.
tl::unexpected<base::Error> error_of(const rocksdb::Status& status, std::string position);
// The same for what was read from one family: for the views "ledger.views_damaged", which names the way to mend them.
tl::unexpected<base::Error> error_of(const rocksdb::Status& status, Family family);
tl::unexpected<base::Error> views_damaged(const std::string& what, std::string position);

using Recovery = rocksdb::WALRecoveryMode;
// kWholeLog reads the whole log except a last record that is cut off. kUpToDamage reads up to the first damage.
inline constexpr Recovery kWholeLog = Recovery::kTolerateCorruptedTailRecords;
inline constexpr Recovery kUpToDamage = Recovery::kPointInTimeRecovery;

class Database {
 public:
  // Opens every table file of the families, so each one is known to be readable. Writes nothing.
  static Result<std::unique_ptr<Database>> open_read_only(const std::filesystem::path& folder, Recovery recovery,
                                                          Views views);
  // Makes what is missing.
  static Result<std::unique_ptr<Database>> open_for_writing(const std::filesystem::path& folder, Recovery recovery,
                                                            std::shared_ptr<rocksdb::EventListener> listener);
  // Skips table files that cannot be opened. Use it only to discard the family that they belong to.
  static Result<std::unique_ptr<Database>> open_damaged(const std::filesystem::path& folder, Recovery recovery);

  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  rocksdb::DB& operator*() const { return *db_; }
  rocksdb::DB* operator->() const { return db_.get(); }
  // Null for the views of a database that was opened without them.
  rocksdb::ColumnFamilyHandle* of(Family family) const { return families_[static_cast<std::size_t>(family)]; }

  // Writes that a family holds: those in its table files, by their own count, and those in memory.
  Result<std::uint64_t> writes_in(Family family) const;
  // Reads a family's table files whole and compares every block with its checksum.
  Result<void> verify_files(Family family) const;
  // Throws all rows of a family away without reading them.
  Result<void> empty(Family family);

 private:
  using Handles = std::vector<rocksdb::ColumnFamilyHandle*>;
  Database(rocksdb::DB* db, Handles handles);
  template <class Open>
  static Result<std::unique_ptr<Database>> open(const std::filesystem::path& folder, const Open& open);

  std::unique_ptr<rocksdb::DB> db_;
  Handles handles_;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilyCount> families_{};
};

}  // namespace ledger
