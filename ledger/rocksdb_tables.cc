#include "ledger/rocksdb_tables.h"

#include <algorithm>
#include <fstream>
#include <string_view>

namespace ledger {
namespace {

namespace fs = std::filesystem;

// RocksDB's table format (its wiki: "Rocksdb BlockBasedTable Format"). A file ends with its footer: the kind of
// checksum, the handles of metaindex and index padded to 40 bytes, a version, the magic number.
constexpr std::size_t kFooterBytes = 53;
constexpr std::string_view kMagic("\xf7\xcf\xf4\x85\xb7\x41\xe2\x88", 8);
constexpr std::size_t kMaxBlockBytes = 64 * 1024;  // of metaindex and properties: some hundred bytes in fact
constexpr std::uint8_t kHashIndex = 0x80;          // in the last byte of a block, which ends with its restart points

// Where a block lies in its file.
struct Handle {
  std::uint64_t offset = 0;
  std::uint64_t size = 0;
};

// Takes numbers and bytes from the front; past the end everything is empty and `good` is false.
class Bytes {
 public:
  explicit Bytes(std::string_view bytes) : left_(bytes) {}

  std::uint64_t number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const std::string_view one = bytes(1);
      if (one.empty()) return 0;
      const auto byte = static_cast<std::uint8_t>(one.front());
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80) return value;
    }
    good = false;
    return 0;
  }
  std::string_view bytes(std::uint64_t size) {
    good = good && size <= left_.size();
    if (!good) return {};
    const std::string_view out = left_.substr(0, static_cast<std::size_t>(size));
    left_.remove_prefix(out.size());
    return out;
  }
  Handle handle() {
    const std::uint64_t offset = number();
    return {offset, number()};
  }

  bool good = true;

 private:
  std::string_view left_;
};

// Nothing if the file does not reach so far.
std::string read_part(std::ifstream& file, std::uint64_t offset, std::size_t size) {
  std::string out(size, '\0');
  file.seekg(static_cast<std::streamoff>(offset));
  file.read(out.data(), static_cast<std::streamsize>(size));
  if (!file) out.clear();
  file.clear();
  return out;
}

// A whole block, without its trailer; empty if it is too large or not there.
std::string read_block(std::ifstream& file, const Handle& handle) {
  if (handle.size > kMaxBlockBytes) return {};
  return read_part(file, handle.offset, static_cast<std::size_t>(handle.size));
}

// The value of a key in a block whose keys share prefixes; empty if it is not there.
std::string value_of(std::string_view block, std::string_view wanted) {
  std::string key;
  for (Bytes entries(block); entries.good;) {
    const std::uint64_t shared = entries.number();
    const std::uint64_t unshared = entries.number();
    const std::uint64_t value_bytes = entries.number();
    key.resize(static_cast<std::size_t>(std::min<std::uint64_t>(shared, key.size())));
    key += entries.bytes(unshared);
    const std::string_view value = entries.bytes(value_bytes);
    if (key == wanted) return std::string(value);
  }
  return {};
}

// Empty where the file is no table that names its properties.
std::string properties_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const auto size = static_cast<std::int64_t>(file.tellg());
  if (size < static_cast<std::int64_t>(kFooterBytes)) return {};
  const std::string footer = read_part(file, static_cast<std::uint64_t>(size) - kFooterBytes, kFooterBytes);
  if (!footer.ends_with(kMagic)) return {};
  const Handle metaindex = Bytes(std::string_view(footer).substr(1)).handle();
  const std::string properties = value_of(read_block(file, metaindex), "rocksdb.properties");
  return read_block(file, Bytes(properties).handle());
}

}  // namespace

std::vector<DamagedTable> tables_that_end_rocksdb(const fs::path& folder) {
  std::vector<DamagedTable> out;
  std::error_code ignored;
  for (const auto& file : fs::directory_iterator(folder, ignored)) {
    if (file.path().extension() != ".sst") continue;
    const std::string properties = properties_of(file.path());
    if (properties.empty() || static_cast<std::uint8_t>(properties.back()) < kHashIndex) continue;
    out.push_back({file.path(), value_of(properties, "rocksdb.column.family.name")});
  }
  return out;
}

}  // namespace ledger
