#include "ledger/rocksdb_store.h"

#include <rocksdb/listener.h>
#include <rocksdb/write_batch.h>

#include <atomic>
#include <chrono>
#include <set>
#include <thread>

#include "base/check.h"
#include "base/sync_folder.h"
#include "ledger/access.h"
#include "ledger/durable_mark.h"
#include "ledger/keys.h"
#include "ledger/rocksdb_database.h"
#include "ledger/rocksdb_files.h"
#include "ledger/rocksdb_tables.h"

namespace ledger {
namespace {

namespace fs = std::filesystem;

// While the writer moves files, a reader may find one gone: it looks again. What is wrong while nothing moves is
// damage.
constexpr int kReadAttempts = 20;
constexpr auto kReadPause = std::chrono::milliseconds(25);

constexpr Family kAllButViews[] = {Family::entries, Family::texts, Family::tiles, Family::meta};

template <class Walk>
Result<void> walk(const Database& database, Family family, std::string_view from, std::string_view until,
                  const Walk& walk_rows) {
  const rocksdb::Slice lower = slice(from);
  const rocksdb::Slice upper = slice(until);
  rocksdb::ReadOptions options;
  if (!from.empty()) options.iterate_lower_bound = &lower;
  if (!until.empty()) options.iterate_upper_bound = &upper;
  const std::unique_ptr<rocksdb::Iterator> row(database->NewIterator(options, database.of(family)));
  walk_rows(*row);
  if (!row->status().ok()) return error_of(row->status(), family);
  return {};
}

// Nothing, or why the store cannot be whole: it ends before the mark.
Result<void> check_end(const RocksDbStore& store, const Database& database, const fs::path& folder,
                       const Durable& durable) {
  const std::uint64_t reached = database->GetLatestSequenceNumber();
  if (reached >= durable.sequence) return {};
  auto state = read_state(store);
  if (!state) return tl::unexpected(state.error());
  return damaged("the ledger ends earlier than it once durably did: " + std::to_string(durable.sequence - reached) +
                     " writes are gone from its end",
                 entry_position(state->size) + ", " + newest_log(folder));
}

// Whether there are as many entries as the ledger's size says, and the last is where it says. A log that vanished while
// a reader opened the store can leave the families at different points: the next look mends that.
Result<void> check_entries(const RocksDbStore& store, const Database& database) {
  const auto state = read_state(store);
  if (!state) return tl::unexpected(state.error());
  const auto count = database.writes_in(Family::entries);
  if (!count) return tl::unexpected(count.error());
  if (*count < state->size)
    return damaged(std::to_string(state->size - *count) + " entries are missing from the table files", "entries");
  std::optional<Seq> last;
  const auto scanned = store.scan_back(Family::entries, {}, {}, [&](auto key, auto) {
    last = from_big_endian(key);
    return false;
  });
  if (!scanned) return scanned;
  if ((last ? *last + 1 : 0) == state->size) return {};
  return damaged("the last entry is not where the ledger's size says", entry_position(state->size));
}

// Why the store does not open, with the first entry that is lost if a damaged log is the reason.
Error located(Error error, const fs::path& folder) {
  if (error.code != "ledger.damaged") return error;
  auto before = Database::open_read_only(folder, kUpToDamage, Views::not_needed);
  if (!before) return error;
  const auto state = read_state(RocksDbStore(std::move(*before)));
  if (state) error.context = entry_position(state->size) + ", " + newest_log(folder);
  return error;
}

// A store that was opened without writing anything, and is whole as far as its files can tell. How its log was read:
// up to the damage only where that is the last write, torn by a power failure, and lies behind the mark.
struct Whole {
  std::unique_ptr<RocksDbStore> store;
  Recovery recovery = kWholeLog;
};

Result<Whole> open_whole(const fs::path& folder, const Durable& durable, Views views) {
  if (auto whole = check_manifest(folder, durable); !whole) return tl::unexpected(whole.error());
  for (const DamagedTable& table : tables_that_end_rocksdb(folder)) {
    if (views == Views::needed || table.family != name(Family::views))
      return damaged("the properties of a table file are damaged", table.file.string());
  }
  Recovery recovery = kWholeLog;
  auto database = Database::open_read_only(folder, recovery, views);
  if (!database && database.error().code == "ledger.damaged" && ends_torn(folder)) {
    recovery = kUpToDamage;
    database = Database::open_read_only(folder, recovery, views);
  }
  if (!database) return tl::unexpected(located(std::move(database.error()), folder));
  const Database& opened = **database;
  Whole out{std::make_unique<RocksDbStore>(std::move(*database)), recovery};
  if (auto whole = check_end(*out.store, opened, folder, durable); !whole) return tl::unexpected(whole.error());
  if (auto whole = check_entries(*out.store, opened); !whole) return tl::unexpected(whole.error());
  return out;
}

// What to say of a store that does not open: if it does without the views, only they are damaged.
Error told(Error error, const fs::path& folder, const Durable& durable) {
  if (error.code != "ledger.damaged" || !open_whole(folder, durable, Views::not_needed)) return error;
  return views_damaged(error.message, std::move(error.context)).value();
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

class WritingStore final : public RocksDbStore {
 public:
  WritingStore(std::unique_ptr<Database> database, DurableMark mark, std::shared_ptr<ManifestWatch> manifest)
      : RocksDbStore(std::move(database)), mark_(std::move(mark)), manifest_(std::move(manifest)) {}
  ~WritingStore() override {
    if (durable_.sequence > 0) std::ignore = update_mark();  // without it the old mark holds
    close();                                                 // before the mark is unlocked
  }

  Result<void> commit(const Batch& batch) override {
    rocksdb::WriteBatch writes(batch_bytes_);
    for (const Batch::Write& write : batch.writes) {
      auto* family = database().of(write.family);
      const auto status = write.value ? writes.Put(family, write.key, *write.value) : writes.Delete(family, write.key);
      if (!status.ok()) return error_of(status, std::string("commit"));
    }
    batch_bytes_ = writes.GetDataSize();
    rocksdb::WriteOptions options;
    options.sync = true;
    if (const auto status = database()->Write(options, &writes); !status.ok())
      return error_of(status, std::string("commit"));
    return update_mark();
  }

  Result<void> reclaim(Family family, std::atomic<bool>* stop) override {
    rocksdb::CompactRangeOptions options;
    options.canceled = stop;
    options.exclusive_manual_compaction = false;
    options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
    const auto status = database()->CompactRange(options, database().of(family), nullptr, nullptr);
    if (!status.ok()) return error_of(status, family);
    return {};
  }

  // Marks them stale first, so that no crash leaves them missing and looking whole.
  Result<void> discard_views() {
    auto state = read_state(*this);
    if (!state) return tl::unexpected(state.error());
    state->views_size = 0;
    state->views.clear();
    Batch batch;
    put_state(batch, *state);
    if (auto done = commit(batch); !done) return done;
    return database().empty(Family::views);
  }

 private:
  Result<void> update_mark() {
    const std::uint64_t reached = database()->GetLatestSequenceNumber();
    CHECK(reached >= durable_.sequence, reached, durable_.sequence);  // a lower mark would hide lost entries
    durable_.sequence = reached;
    if (manifest_->take()) {
      std::vector<std::string> files;
      const auto status = database()->GetLiveFiles(files, &durable_.manifest_bytes, /*flush_memtable=*/false);
      if (!status.ok()) return error_of(status, std::string("MANIFEST"));
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

// The writer's lock, and what its mark says; nothing where nothing was durable yet, or the mark is lost.
struct Locked {
  DurableMark lock;
  std::optional<Durable> mark;
};

Result<Locked> lock_folder(const fs::path& folder) {
  auto lock = DurableMark::lock(folder);
  if (!lock) return tl::unexpected(lock.error());
  auto mark = DurableMark::read(folder);
  if (!mark) return tl::unexpected(mark.error());
  return Locked{std::move(*lock), *mark};
}

Result<void> make_folder(const fs::path& folder) {
  std::error_code error;
  if (fs::create_directories(folder, error)) fs::permissions(folder, fs::perms::owner_all, error);
  if (!error) error = base::sync_folder(folder.parent_path());
  if (!error) return {};
  return fail(ErrorKind::invocation, "ledger.io", "cannot make the ledger's folder: " + error.message(),
              folder.string(), "check the folder's permissions");
}

// The names and sizes of all files: another one tells that a writer is at work.
std::string listing(const fs::path& folder) {
  std::set<std::string> files;
  std::error_code error;
  for (const auto& file : fs::directory_iterator(folder, error))
    files.insert(file.path().filename().string() + " " + std::to_string(file.file_size(error)));
  std::string out;
  for (const std::string& file : files) out += file + "\n";
  return out;
}

Result<void> check_present(const fs::path& folder) {
  std::error_code ignored;
  if (fs::exists(folder / "CURRENT", ignored) || fs::exists(folder / "DURABLE", ignored)) return {};
  return fail(ErrorKind::invocation, "ledger.absent", "there is no ledger", folder.string(),
              "`sellcompute serve` begins one; `--data-dir` names another place");
}

}  // namespace

// ---- reading --------------------------------------------------------------------------------------------------------

RocksDbStore::RocksDbStore(std::unique_ptr<Database> database) : database_(std::move(database)) {}
RocksDbStore::~RocksDbStore() = default;

void RocksDbStore::close() {
  database_.reset();
}

Result<void> RocksDbStore::commit(const Batch&) {
  return fail(ErrorKind::invocation, "ledger.read_only", "this process only reads the ledger");
}

Result<void> RocksDbStore::reclaim(Family, std::atomic<bool>*) {
  return commit({});
}

Result<std::optional<std::string>> RocksDbStore::get(Family family, std::string_view key) const {
  std::string value;
  const auto status = (*database_)->Get(rocksdb::ReadOptions(), database_->of(family), slice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return error_of(status, family);
  return value;
}

Result<void> RocksDbStore::scan(Family family, std::string_view from, std::string_view until,
                                const Visitor& visit) const {
  return walk(*database_, family, from, until, [&](rocksdb::Iterator& row) {
    for (row.SeekToFirst(); row.Valid() && visit(view(row.key()), view(row.value())); row.Next()) {
    }
  });
}

Result<void> RocksDbStore::scan_back(Family family, std::string_view from, std::string_view until,
                                     const Visitor& visit) const {
  return walk(*database_, family, from, until, [&](rocksdb::Iterator& row) {
    for (row.SeekToLast(); row.Valid() && visit(view(row.key()), view(row.value())); row.Prev()) {
    }
  });
}

Result<void> RocksDbStore::verify_files() const {
  for (const Family family : kAllButViews) {
    if (auto whole = database_->verify_files(family); !whole) return whole;
  }
  return verify_views();
}

Result<void> RocksDbStore::verify_views() const {
  return database_->of(Family::views) ? database_->verify_files(Family::views) : Result<void>();
}

// ---- opening --------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<RocksDbStore>> open_writer(const fs::path& folder) {
  if (const auto may = check_access(folder, Access::write); !may) return tl::unexpected(may.error());
  if (const auto made = make_folder(folder); !made) return tl::unexpected(made.error());
  auto locked = lock_folder(folder);
  if (!locked) return tl::unexpected(locked.error());
  // Looks first without writing anything: opening for writing deletes the logs that it has read and the files that it
  // does not know, and with them the evidence. Without a mark there is nothing to compare with.
  Recovery recovery = ends_torn(folder) ? kUpToDamage : kWholeLog;
  if (locked->mark) {
    const auto whole = open_whole(folder, *locked->mark, Views::needed);
    if (!whole) return tl::unexpected(told(whole.error(), folder, *locked->mark));
    recovery = whole->recovery;
  }
  auto manifest = std::make_shared<ManifestWatch>();
  auto database = Database::open_for_writing(folder, recovery, manifest);
  if (!database) return tl::unexpected(located(std::move(database.error()), folder));
  return std::make_unique<WritingStore>(std::move(*database), std::move(locked->lock), std::move(manifest));
}

Result<std::unique_ptr<RocksDbStore>> open_reader(const fs::path& folder, Views views) {
  if (const auto may = check_access(folder, Access::read); !may) return tl::unexpected(may.error());
  if (const auto present = check_present(folder); !present) return tl::unexpected(present.error());
  Durable mark;
  Result<Whole> whole;
  for (int attempt = 0; attempt < kReadAttempts; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(kReadPause);
    const std::string files = listing(folder);
    const auto read = DurableMark::read(folder);  // first: the store is then at least there
    if (!read) return tl::unexpected(read.error());
    mark = read->value_or(Durable{});
    whole = open_whole(folder, mark, views);
    if (whole) return std::move(whole->store);
    if (listing(folder) == files) break;
  }
  return tl::unexpected(views == Views::needed ? told(whole.error(), folder, mark) : whole.error());
}

Result<void> discard_views(const fs::path& folder) {
  if (const auto may = check_access(folder, Access::write); !may) return may;
  if (const auto present = check_present(folder); !present) return present;
  auto locked = lock_folder(folder);
  if (!locked) return tl::unexpected(locked.error());
  const auto rest = open_whole(folder, locked->mark.value_or(Durable{}), Views::not_needed);
  if (!rest) return tl::unexpected(rest.error());
  for (const DamagedTable& table : tables_that_end_rocksdb(folder)) {
    std::error_code ignored;
    fs::remove(table.file, ignored);  // it is of the views, or the rest would not be whole
  }
  auto database = Database::open_damaged(folder, rest->recovery);
  if (!database) return tl::unexpected(database.error());
  return WritingStore(std::move(*database), std::move(locked->lock), std::make_shared<ManifestWatch>()).discard_views();
}

}  // namespace ledger
