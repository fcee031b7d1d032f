// The key-value port over RocksDB, one column family a Family. The only room that knows RocksDB.
//
// What is durable, and what damage looks like (tried, byte by byte; tests/unit/ledger/damage_test.cc keeps it so):
//
//   - Every commit is one WriteBatch, synced. A torn tail of the write-ahead log is a commit that was never
//   acknowledged:
//     RocksDB drops it (kTolerateCorruptedTailRecords), and that is right.
//   - That mode refuses a wrong checksum in the middle, but a damaged *length* looks to it like a torn tail: it would
//   drop
//     that record and all after it and say "OK"; so would it with a log or a MANIFEST that was cut off. And opening for
//     writing then deletes the log. So after each commit the file DURABLE is told the sequence number that was reached,
//     and both ways of opening compare: a store that ends earlier is refused before anything is written. DURABLE needs
//     no fsync of its own: it is written after the commit, so it can be behind the truth (by what the kernel had not
//     yet written when the machine died), never ahead of it.
//   - A lost log or table file, a wrong block, a wrong MANIFEST: RocksDB finds them by checksum, size and name.
//   - What somebody removed or changed *through* RocksDB has right checksums: that is for verify_ledger
//   (ledger/verify.h).
#pragma once

#include <filesystem>
#include <memory>

#include "ledger/key_value.h"

namespace ledger {

// Opens the store for the one process that may write, and creates it (folder included, for this user only) if there is
// none. Its get and scan may also be called from other threads. Errors: "ledger.locked" when another process has it,
// "ledger.damaged" naming file and position, "ledger.io".
Result<std::unique_ptr<KeyValue>> open_writer(const std::filesystem::path& folder);

// A view of the store for processes that read, while another writes or not. commit() fails with "ledger.read_only".
class SecondaryStore : public KeyValue {
 public:
  // Moves on to what the writer has committed by now. Not while another thread reads. Errors as open_reader().
  virtual Result<void> catch_up() = 0;
};

// Errors: "ledger.absent" when there is no ledger in the folder, and those of open_writer() but "ledger.locked".
Result<std::unique_ptr<SecondaryStore>> open_reader(const std::filesystem::path& folder);

}  // namespace ledger
