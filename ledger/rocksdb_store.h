// The key-value port over RocksDB, with one column family per Family. Only the rocksdb_* files know RocksDB.
//
// What is durable, and what damage looks like (tried, byte by byte; tests/unit/ledger/damage_test.cc keeps it so):
//
//   - Every commit is one WriteBatch, synced. A torn tail of the write-ahead log is a commit that was never
//     acknowledged: RocksDB drops it (kTolerateCorruptedTailRecords), and that is right.
//   - That mode refuses a wrong checksum in the middle, but a damaged *length* looks to it like a torn tail: it would
//     drop that record and all after it and report "OK". It would do the same with a log or a MANIFEST that was cut
//     off. And opening for writing then deletes the log. So after each commit the sequence number that was reached is
//     written to the file DURABLE, and both ways of opening compare: a store that ends earlier is refused before
//     anything is written. DURABLE needs no fsync of its own: it is written after the commit, so it can be behind the
//     truth (by what the kernel had not yet written when the machine died), never ahead of it.
//   - A lost log or table file, a wrong block, a wrong MANIFEST: RocksDB finds them by checksum, size and name. Readers
//     too open the store as a whole and read-only, never as a *secondary*. A secondary assumes that the writer has
//     removed a table file that it cannot open, and shows a ledger without it. Every table file is opened at once; its
//     other blocks are checked when they are read, or all by verify_files().
//   - What somebody removed or changed *through* RocksDB has right checksums; verify_ledger (ledger/verify.h) finds it.
#pragma once

#include <atomic>
#include <filesystem>
#include <memory>

#include "ledger/key_value.h"

namespace ledger {

class Database;  // ledger/rocksdb_database.h

// A store as one process sees it. get and scan may be called from several threads.
class RocksDbStore : public KeyValue {
 public:
  explicit RocksDbStore(std::unique_ptr<Database> database);
  ~RocksDbStore() override;

  Result<void> commit(const Batch& batch) override;
  Result<std::optional<std::string>> get(Family family, std::string_view key) const override;
  Result<void> scan(Family family, std::string_view from, std::string_view until, const Visitor& visit) const override;
  Result<void> scan_back(Family family, std::string_view from, std::string_view until,
                         const Visitor& visit) const override;

  // Reads all table files whole and compares every block with its checksum, also those that nobody asks for. Errors:
  // "ledger.damaged" and "ledger.views_damaged", which name file and offset.
  Result<void> verify_files() const;
  // The same for the views only. Reports and `serve` depend on them.
  Result<void> verify_views() const;

  // Gives the space of what was overwritten in this family back to the disk. May take minutes, and fails soon when
  // `*stop` becomes true. Any thread may call it while another one commits.
  virtual Result<void> reclaim(Family family, std::atomic<bool>* stop = nullptr);

 protected:
  Database& database() const { return *database_; }
  void close();

 private:
  std::unique_ptr<Database> database_;
};

// Views can be made again, so a store whose views are damaged or missing can be read without them. Then nothing may be
// read from Family::views.
enum class Views { needed, not_needed };

// Opens the store for the one process that may write, and creates it (folder included, for this user only) if there is
// none. Errors: "ledger.locked" when another process has it, "ledger.damaged" naming file and position,
// "ledger.views_damaged" when only the views are, "ledger.not_permitted" (ledger/access.h), "ledger.io".
Result<std::unique_ptr<RocksDbStore>> open_writer(const std::filesystem::path& folder);

// The store as it is now, for processes that read, while another writes or not. commit() fails with "ledger.read_only".
// Errors: "ledger.absent" when there is no ledger in the folder, and those of open_writer() but "ledger.locked".
Result<std::unique_ptr<RocksDbStore>> open_reader(const std::filesystem::path& folder, Views views = Views::needed);

// Throws the views away, however damaged they are, and marks them to be rebuilt: ledger/views.h. The rest of the store
// must be whole. Errors: those of open_reader(), and "ledger.locked".
Result<void> discard_views(const std::filesystem::path& folder);

}  // namespace ledger
