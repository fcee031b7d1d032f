#include "ledger/rocksdb_store.h"

#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <chrono>
#include <thread>

#include "base/sync_folder.h"
#include "base/temporary_folder.h"
#include "ledger/durable_mark.h"
#include "ledger/keys.h"
#include "ledger/rocksdb_files.h"

namespace ledger {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWriteBufferBytes = 8 << 20;
constexpr std::uint64_t kMaxWalBytes = 16 << 20;  // bounds what an opening has to replay
constexpr std::size_t kBlockCacheBytes = 32 << 20;
constexpr double kBloomBitsPerKey = 10;

// While the writer moves files, a reader may find one gone: it looks again.
constexpr int kReadAttempts = 20;
constexpr auto kReadPause = std::chrono::milliseconds(25);

constexpr Family kFamilies[] = {Family::entries, Family::texts, Family::tiles, Family::views, Family::meta};
static_assert(std::size(kFamilies) == kFamilyCount);

rocksdb::Slice slice(std::string_view text) {
  return {text.data(), text.size()};
}
std::string_view view(const rocksdb::Slice& bytes) {
  return {bytes.data(), bytes.size()};
}

// RocksDB's own log files would only litter the folder: what matters comes back as a status.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

using Recovery = rocksdb::WALRecoveryMode;
constexpr Recovery kWholeLog = Recovery::kTolerateCorruptedTailRecords;  // but for a record that the log's end cuts off
constexpr Recovery kUpToDamage = Recovery::kPointInTimeRecovery;

rocksdb::DBOptions database_options(Recovery recovery = kWholeLog) {
  rocksdb::DBOptions options;
  options.wal_recovery_mode = recovery;
  options.max_total_wal_size = kMaxWalBytes;
  options.track_and_verify_wals_in_manifest = true;
  options.paranoid_checks = true;
  options.max_open_files = -1;  // a secondary needs it
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log = std::make_shared<NoLog>();
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> column_families() {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = kWriteBufferBytes;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  std::vector<rocksdb::ColumnFamilyDescriptor> out = {{rocksdb::kDefaultColumnFamilyName, options}};
  for (const Family family : kFamilies) out.emplace_back(std::string(name(family)), options);
  return out;
}

// A status that says that a file is gone or is not what the other files say it is.
bool means_damage(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsPathNotFound() || status.IsTryAgain() || status.IsInvalidArgument();
}

tl::unexpected<Error> error_of(const rocksdb::Status& status, std::string position) {
  // "block checksum mismatch: ... in /path/000012.sst offset 4567 size 4043": RocksDB's words name file and offset.
  if (means_damage(status)) return damaged("the ledger's store is damaged: " + status.ToString(), std::move(position));
  return fail(ErrorKind::invocation, "ledger.io", "the ledger's store failed: " + status.ToString(),
              std::move(position), "check the disk, its free space and the folder's permissions");
}

// An open database and the handles of its families, closed together.
class Database {
 public:
  using Handles = std::vector<rocksdb::ColumnFamilyHandle*>;
  Database(rocksdb::DB* db, Handles handles) : db_(db), handles_(std::move(handles)) {}
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database() {
    for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  }

  rocksdb::DB& operator*() const { return *db_; }
  rocksdb::DB* operator->() const { return db_.get(); }
  rocksdb::ColumnFamilyHandle* of(Family family) const { return handles_[1 + static_cast<std::size_t>(family)]; }

 private:
  std::unique_ptr<rocksdb::DB> db_;
  Handles handles_;  // the default family first, which stays empty
};

template <class Open>
Result<std::unique_ptr<Database>> open_database(const fs::path& folder, const Open& open) {
  rocksdb::DB* db = nullptr;
  Database::Handles handles;
  const rocksdb::Status status = open(&handles, &db);
  if (!status.ok()) return error_of(status, folder.string());
  return std::make_unique<Database>(db, std::move(handles));
}

Result<std::unique_ptr<Database>> open_read_only(const fs::path& folder, Recovery recovery) {
  return open_database(folder, [&](auto* handles, auto** db) {
    return rocksdb::DB::OpenForReadOnly(database_options(recovery), folder.string(), column_families(), handles, db);
  });
}

// The reading half of the port. `Port` is KeyValue or what extends it.
template <class Port>
class ReadingStore : public Port {
 public:
  explicit ReadingStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}

  Result<void> commit(const Batch&) override {
    return fail(ErrorKind::invocation, "ledger.read_only", "this process only reads the ledger");
  }

  Result<std::optional<std::string>> get(Family family, std::string_view key) const override {
    std::string value;
    const auto status = (*database_)->Get(rocksdb::ReadOptions(), database_->of(family), slice(key), &value);
    if (status.IsNotFound()) return std::nullopt;
    if (!status.ok()) return error_of(status, std::string(name(family)));
    return value;
  }

  Result<void> scan(Family family, std::string_view from, std::string_view until,
                    const KeyValue::Visitor& visit) const override {
    return walk(family, from, until, [&](rocksdb::Iterator& row) {
      for (row.SeekToFirst(); row.Valid() && visit(view(row.key()), view(row.value())); row.Next()) {
      }
    });
  }

  Result<void> scan_back(Family family, std::string_view from, std::string_view until,
                         const KeyValue::Visitor& visit) const override {
    return walk(family, from, until, [&](rocksdb::Iterator& row) {
      for (row.SeekToLast(); row.Valid() && visit(view(row.key()), view(row.value())); row.Prev()) {
      }
    });
  }

  rocksdb::DB& db() const { return **database_; }

 protected:
  Database& database() const { return *database_; }
  void close() { database_.reset(); }

 private:
  template <class Walk>
  Result<void> walk(Family family, std::string_view from, std::string_view until, const Walk& walk_rows) const {
    const rocksdb::Slice lower = slice(from);
    const rocksdb::Slice upper = slice(until);
    rocksdb::ReadOptions options;
    if (!from.empty()) options.iterate_lower_bound = &lower;
    if (!until.empty()) options.iterate_upper_bound = &upper;
    const std::unique_ptr<rocksdb::Iterator> row((*database_)->NewIterator(options, database_->of(family)));
    walk_rows(*row);
    if (!row->status().ok()) return error_of(row->status(), std::string(name(family)));
    return {};
  }

  std::unique_ptr<Database> database_;
};

// Nothing, or why the store cannot be whole: it ends before the mark.
template <class Port>
Result<void> check_end(const ReadingStore<Port>& store, const fs::path& folder, const Durable& durable) {
  const std::uint64_t reached = store.db().GetLatestSequenceNumber();
  if (reached >= durable.sequence) return {};
  auto state = read_state(store);
  if (!state) return tl::unexpected(state.error());
  return damaged("the ledger ends earlier than it once durably did: " + std::to_string(durable.sequence - reached) +
                     " writes are gone from its end",
                 entry_position(state->size) + ", " + newest_log(folder));
}

// Why the store does not open, with the first entry that is lost if a damaged log is the reason.
Error located(Error error, const fs::path& folder) {
  if (error.code != "ledger.damaged") return error;
  auto before = open_read_only(folder, kUpToDamage);
  if (!before) return error;
  const auto state = read_state(ReadingStore<KeyValue>(std::move(*before)));
  if (state) error.context = entry_position(state->size) + ", " + newest_log(folder);
  return error;
}

// Looks at the store without writing anything: opening it for writing deletes the logs that it has read and the files
// that it does not know, and with them the evidence. How its log is to be read: up to the damage only where that is the
// last write, torn by a power failure, and lies behind the mark.
Result<Recovery> check_before_writing(const fs::path& folder, const Durable& durable) {
  if (auto whole = check_manifest(folder, durable); !whole) return tl::unexpected(whole.error());
  Recovery recovery = kWholeLog;
  auto database = open_read_only(folder, recovery);
  if (!database && database.error().code == "ledger.damaged" && ends_torn(folder)) {
    recovery = kUpToDamage;
    database = open_read_only(folder, recovery);
  }
  if (!database) return tl::unexpected(located(std::move(database.error()), folder));
  if (auto whole = check_end(ReadingStore<KeyValue>(std::move(*database)), folder, durable); !whole)
    return tl::unexpected(whole.error());
  return recovery;
}

// Notices that the MANIFEST has grown: its new size is durable when RocksDB tells.
class ManifestWatch final : public rocksdb::EventListener {
 public:
  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override { grown_ = true; }
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override { grown_ = true; }
  bool take() { return grown_.exchange(false); }

 private:
  std::atomic<bool> grown_ = true;
};

class WritingStore final : public ReadingStore<KeyValue> {
 public:
  WritingStore(std::unique_ptr<Database> database, DurableMark mark, std::shared_ptr<ManifestWatch> manifest)
      : ReadingStore(std::move(database)), mark_(std::move(mark)), manifest_(std::move(manifest)) {}
  ~WritingStore() override {
    if (durable_.sequence > 0) std::ignore = update_mark();  // without it the old mark holds
    close();                                                 // before the mark is unlocked
  }

  Result<void> commit(const Batch& batch) override {
    rocksdb::WriteBatch writes(batch_bytes_);
    for (const Batch::Write& write : batch.writes) {
      auto* family = database().of(write.family);
      const auto status = write.value ? writes.Put(family, write.key, *write.value) : writes.Delete(family, write.key);
      if (!status.ok()) return error_of(status, "commit");
    }
    batch_bytes_ = writes.GetDataSize();
    rocksdb::WriteOptions options;
    options.sync = true;
    if (const auto status = db().Write(options, &writes); !status.ok()) return error_of(status, "commit");
    return update_mark();
  }

 private:
  Result<void> update_mark() {
    durable_.sequence = db().GetLatestSequenceNumber();
    if (manifest_->take()) {
      std::vector<std::string> files;
      const auto status = db().GetLiveFiles(files, &durable_.manifest_bytes, /*flush_memtable=*/false);
      if (!status.ok()) return error_of(status, "MANIFEST");
      constexpr std::string_view kPrefix = "/MANIFEST-";
      for (const std::string& file : files) {
        if (file.starts_with(kPrefix)) durable_.manifest_number = std::stoull(file.substr(kPrefix.size()));
      }
    }
    return mark_.write(durable_);
  }

  DurableMark mark_;
  Durable durable_;
  std::shared_ptr<ManifestWatch> manifest_;
  std::size_t batch_bytes_ = 0;  // of the last batch: about what the next one needs
};

// Repeats `look` while it fails: the writer may be moving files.
template <class Look>
Result<void> look_again(const Look& look) {
  Result<void> seen;
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(kReadPause);
    seen = look();
    if (seen) break;
  }
  return seen;
}

class RocksDbSecondary final : public ReadingStore<SecondaryStore> {
 public:
  RocksDbSecondary(std::unique_ptr<Database> database, fs::path folder, base::TemporaryFolder own)
      : ReadingStore(std::move(database)), folder_(std::move(folder)), own_(std::move(own)) {}
  ~RocksDbSecondary() override { close(); }  // before its folder goes

  Result<void> catch_up() override {
    return look_again([this]() -> Result<void> {
      auto read = DurableMark::read(folder_);  // first: the store is then at least there
      if (!read) return tl::unexpected(read.error());
      const Durable mark = read->value_or(Durable{});
      const auto status = db().TryCatchUpWithPrimary();
      if (!status.ok() && !status.IsNotSupported())  // opened read-only: see open_reader()
        return tl::unexpected(located(error_of(status, folder_.string()).value(), folder_));
      if (auto whole = check_manifest(folder_, mark); !whole) return whole;
      if (auto whole = check_end(*this, folder_, mark); !whole) return whole;
      return check_last_entry();
    });
  }

 private:
  // A log that vanished between two looks can leave the families at different points: the next look mends that.
  Result<void> check_last_entry() const {
    auto state = read_state(*this);
    if (!state) return tl::unexpected(state.error());
    std::optional<Seq> last;
    auto scanned = scan_back(Family::entries, {}, {}, [&](auto key, auto) {
      last = from_big_endian(key);
      return false;
    });
    if (!scanned) return scanned;
    if ((last ? *last + 1 : 0) == state->size) return {};
    return damaged("the last entry is not where the ledger's size says", entry_position(state->size));
  }

  fs::path folder_;
  base::TemporaryFolder own_;  // what a secondary writes
};

}  // namespace

Result<std::unique_ptr<KeyValue>> open_writer(const fs::path& folder) {
  std::error_code error;
  if (fs::create_directories(folder, error)) fs::permissions(folder, fs::perms::owner_all, error);
  if (!error) error = base::sync_folder(folder.parent_path());
  if (error) {
    return fail(ErrorKind::invocation, "ledger.io", "cannot make the ledger's folder: " + error.message(),
                folder.string(), "check the folder's permissions");
  }
  auto lock = DurableMark::lock(folder);
  if (!lock) return tl::unexpected(lock.error());
  auto mark = DurableMark::read(folder);
  if (!mark) return tl::unexpected(mark.error());
  // Without a mark (nothing was durable yet, or it is lost) there is nothing to compare with.
  Result<Recovery> recovery = ends_torn(folder) ? kUpToDamage : kWholeLog;
  if (*mark) recovery = check_before_writing(folder, **mark);
  if (!recovery) return tl::unexpected(recovery.error());

  auto manifest = std::make_shared<ManifestWatch>();
  rocksdb::DBOptions options = database_options(*recovery);
  options.listeners = {manifest};
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  auto database = open_database(folder, [&](auto* handles, auto** db) {
    return rocksdb::DB::Open(options, folder.string(), column_families(), handles, db);
  });
  if (!database) return tl::unexpected(located(std::move(database.error()), folder));
  return std::make_unique<WritingStore>(std::move(*database), std::move(*lock), std::move(manifest));
}

Result<std::unique_ptr<SecondaryStore>> open_reader(const fs::path& folder) {
  if (!fs::exists(folder / "CURRENT") && !fs::exists(folder / "DURABLE")) {
    return fail(ErrorKind::invocation, "ledger.absent", "there is no ledger", folder.string(),
                "`sellcompute serve` begins one; `--data-dir` names another place");
  }
  auto own = base::TemporaryFolder::make("reader");
  if (!own) return tl::unexpected(own.error());
  Result<std::unique_ptr<Database>> database;
  auto opened = look_again([&]() -> Result<void> {
    database = open_database(folder, [&](auto* handles, auto** db) {
      return rocksdb::DB::OpenAsSecondary(database_options(), folder.string(), own->path().string(), column_families(),
                                          handles, db);
    });
    if (!database) return tl::unexpected(located(database.error(), folder));
    return {};
  });
  // A secondary refuses a torn end, as a power failure leaves it. The next writer will drop it; until then nobody
  // writes.
  if (!opened && ends_torn(folder)) {
    database = open_read_only(folder, kUpToDamage);
    if (database) opened = {};
  }
  if (!opened) return tl::unexpected(opened.error());
  auto reader = std::make_unique<RocksDbSecondary>(std::move(*database), folder, std::move(*own));
  if (auto whole = reader->catch_up(); !whole) return tl::unexpected(whole.error());
  return reader;
}

}  // namespace ledger
