// The file DURABLE in a ledger's folder: it records up to which write, at least, the store was durable. It is also what
// a writer locks.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>

#include "base/result.h"

namespace ledger {

using base::Result;

// What was on disk, synced, when the mark was written. It may lag behind the truth, it is never ahead of it.
struct Durable {
  std::uint64_t sequence = 0;         // of the last committed write
  std::uint64_t manifest_number = 0;  // the MANIFEST in use, and its synced size
  std::uint64_t manifest_bytes = 0;
};

// The mark itself is written without syncing, over its own bytes in one sector: a power failure leaves an older one.
class DurableMark {
 public:
  // Locks the mark for the one writer until it is destroyed; creates it if it is missing. Errors: "ledger.locked" when
  // another process (or another object in this one) has it, "ledger.io".
  static Result<DurableMark> lock(const std::filesystem::path& folder);

  // What the mark in this folder says, without locking; nothing if there is none or nothing was durable yet.
  // "ledger.damaged" if it is unreadable.
  static Result<std::optional<Durable>> read(const std::filesystem::path& folder);

  DurableMark(DurableMark&& other) noexcept;
  DurableMark& operator=(DurableMark&&) = delete;
  ~DurableMark();

  Result<void> write(const Durable& durable);

 private:
  static Result<void> create(const std::filesystem::path& file);
  DurableMark(int descriptor, std::filesystem::path file) : descriptor_(descriptor), file_(std::move(file)) {}

  int descriptor_;
  std::filesystem::path file_;
};

}  // namespace ledger
