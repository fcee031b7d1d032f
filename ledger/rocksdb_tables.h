// What can be told about RocksDB's table files from their bytes alone.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace ledger {

struct DamagedTable {
  std::filesystem::path file;
  std::string family;  // that it belongs to
};

// The tables whose properties block claims to have a hash index. RocksDB 7.8 reads that block before it compares
// its checksum, and then an assertion ends the process. RocksDB detects every other wrong bit itself. Passes over files
// that are not tables, or not yet.
std::vector<DamagedTable> tables_that_end_rocksdb(const std::filesystem::path& folder);

}  // namespace ledger
