#include "ledger/rocksdb_files.h"

#include <charconv>
#include <fstream>

#include "ledger/keys.h"

namespace ledger {
namespace {

namespace fs = std::filesystem;

// RocksDB's log format (its wiki: "Write Ahead Log File Format"): blocks of 32 KiB, in them records of checksum (4
// bytes), length (2, little-endian), type (1) and payload. What is left at the end of a block is too short for a
// header.
constexpr std::size_t kBlockBytes = 32 * 1024;
constexpr std::size_t kHeaderBytes = 7;

std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

// Whether one of the records ends at this offset.
bool record_ends_at(std::string_view file, std::size_t offset) {
  std::size_t at = 0;
  while (at < offset && at + kHeaderBytes <= file.size()) {
    const std::size_t left_in_block = kBlockBytes - at % kBlockBytes;
    if (left_in_block < kHeaderBytes) {
      at += left_in_block;
      continue;
    }
    const auto byte = [&](std::size_t i) { return static_cast<std::uint8_t>(file[at + i]); };
    const std::size_t record_bytes = kHeaderBytes + byte(4) + (std::size_t{byte(5)} << 8);
    if (record_bytes > left_in_block) return false;
    at += record_bytes;
  }
  return at == offset && at <= file.size();
}

}  // namespace

Result<void> check_manifest(const fs::path& folder, const Durable& durable) {
  constexpr std::string_view kPrefix = "MANIFEST-";
  const std::string current = read_file(folder / "CURRENT");
  std::uint64_t number = 0;
  const char* const end = current.data() + current.size();
  if (!current.starts_with(kPrefix) ||
      std::from_chars(current.data() + kPrefix.size(), end, number).ec != std::errc{}) {
    return damaged("the file that names the store's MANIFEST is missing or unreadable", (folder / "CURRENT").string());
  }
  const fs::path manifest = folder / current.substr(0, current.find('\n'));
  if (number < durable.manifest_number) return damaged("the store's MANIFEST is an old one", manifest.string());
  if (number > durable.manifest_number || record_ends_at(read_file(manifest), durable.manifest_bytes)) return {};
  return damaged("the store's MANIFEST was cut off or damaged before offset " + std::to_string(durable.manifest_bytes),
                 manifest.string());
}

std::string newest_log(const fs::path& folder) {
  std::string newest;
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(folder, ignored)) {
    if (file.path().extension() == ".log" && file.file_size(ignored) > 0)
      newest = std::max(newest, file.path().string());
  }
  return newest.empty() ? folder.string() : newest;
}

}  // namespace ledger
