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

// The tables whose properties claim to be a block with a hash index. RocksDB 7.8 reads that block before it compares its
// checksum, and meets the claim with an assertion that ends the process; every other wrong bit it finds itself. Passes
// over files that are not tables, or not yet.
std::vector<DamagedTable> tables_that_end_rocksdb(const std::filesystem::path& folder);

}  // namespace ledger
