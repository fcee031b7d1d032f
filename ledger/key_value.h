// The ledger's storage port: an ordered key-value store with atomic, durable batches. RocksDB implements it in
// production (ledger/rocksdb_store.h), a simulated disk in tests (tests/support/sim_disk.h). No thread rule of its own:
// one writer, and readers that have their own store object.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace ledger {

using base::Result;

// The families of the store (column families in RocksDB): ledger/FORMAT.md gives their keys.
enum class Family { entries, texts, tiles, views, meta };
inline constexpr int kFamilyCount = 5;
std::string_view name(Family family);

// Writes that happen all or not at all, in order.
struct Batch {
  struct Write {
    Family family;
    std::string key;
    std::optional<std::string> value;  // nothing: erase
  };
  std::vector<Write> writes;

  void put(Family family, std::string key, std::string value) {
    writes.push_back({family, std::move(key), std::move(value)});
  }
  void erase(Family family, std::string key) { writes.push_back({family, std::move(key), std::nullopt}); }
};

class KeyValue {
 public:
  virtual ~KeyValue() = default;

  // Durable when it returns. After a failure the store must not be written again by this process.
  virtual Result<void> commit(const Batch& batch) = 0;

  virtual Result<std::optional<std::string>> get(Family family, std::string_view key) const = 0;

  // Calls `visit` for each key in [from, until) in byte order (an empty `until` means to the end) until it returns
  // false. The views are valid during the call only.
  using Visitor = std::function<bool(std::string_view key, std::string_view value)>;
  virtual Result<void> scan(Family family, std::string_view from, std::string_view until,
                            const Visitor& visit) const = 0;
  // The same range in descending order.
  virtual Result<void> scan_back(Family family, std::string_view from, std::string_view until,
                                 const Visitor& visit) const = 0;
};

}  // namespace ledger
