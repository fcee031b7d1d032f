#include "ledger/rocksdb_files.h"

#include <algorithm>
#include <bit>
#include <boost/crc.hpp>
#include <charconv>
#include <fstream>
#include <optional>

#include "ledger/keys.h"

namespace ledger {
namespace {

namespace fs = std::filesystem;

// RocksDB's log format (its wiki: "Write Ahead Log File Format"): blocks of 32 KiB, in them records of checksum (4
// bytes), length (2, little-endian), type (1) and payload. What is left at the end of a block is too short for a
// header.
constexpr std::size_t kBlockBytes = 32 * 1024;
constexpr std::size_t kHeaderBytes = 7;
enum class Record : std::uint8_t { whole = 1, first = 2, middle = 3, last = 4 };  // of one write

// What of it can be read.
std::string read_file(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

std::uint8_t byte_at(std::string_view file, std::size_t at) {
  return static_cast<std::uint8_t>(file[at]);
}

// CRC-32C (RFC 3720, appendix B.4), which RocksDB stores rotated and shifted.
std::uint32_t stored_checksum(std::string_view bytes) {
  boost::crc_optimal<32, 0x1edc6f41, 0xffffffff, 0xffffffff, true, true> crc;
  crc.process_bytes(bytes.data(), bytes.size());
  return std::rotr(crc.checksum(), 15) + 0xa282ead8;
}

// The size of the good record at this offset, header included; nothing if there is none.
std::optional<std::size_t> record_bytes_at(std::string_view file, std::size_t at) {
  if (at + kHeaderBytes > file.size()) return std::nullopt;
  const std::size_t size = kHeaderBytes + byte_at(file, at + 4) + (std::size_t{byte_at(file, at + 5)} << 8);
  if (size > kBlockBytes - at % kBlockBytes || size > file.size() - at) return std::nullopt;
  if (byte_at(file, at + 6) < 1 || byte_at(file, at + 6) > 4) return std::nullopt;
  std::uint32_t stored = 0;
  for (std::size_t i = 4; i-- > 0;) stored = stored << 8 | byte_at(file, at + i);
  if (stored != stored_checksum(file.substr(at + 6, size - 6))) return std::nullopt;
  return size;
}

bool write_begins_at(std::string_view file, std::size_t at) {
  const auto type = static_cast<Record>(byte_at(file, std::min(at + 6, file.size() - 1)));
  return (type == Record::whole || type == Record::first) && record_bytes_at(file, at);
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
    const std::size_t record_bytes = kHeaderBytes + byte_at(file, at + 4) + (std::size_t{byte_at(file, at + 5)} << 8);
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

bool ends_torn(const fs::path& folder) {
  const fs::path log = newest_log(folder);
  const std::string file = log == folder ? std::string() : read_file(log);
  std::size_t at = 0;
  while (at < file.size()) {
    const std::size_t left_in_block = kBlockBytes - at % kBlockBytes;
    const auto size = left_in_block < kHeaderBytes ? std::optional(left_in_block) : record_bytes_at(file, at);
    if (!size) break;
    at += *size;
  }
  if (at >= file.size()) return false;
  for (++at; at < file.size(); ++at) {
    if (write_begins_at(file, at)) return false;
  }
  return true;
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
