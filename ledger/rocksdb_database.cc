#include "ledger/rocksdb_database.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/sst_file_reader.h>
#include <rocksdb/table.h>

#include <algorithm>

#include "ledger/keys.h"

namespace ledger {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kWriteBufferBytes = 8 << 20;
constexpr std::uint64_t kMaxWalBytes = 16 << 20;  // bounds what an opening has to replay
constexpr std::size_t kBlockCacheBytes = 32 << 20;
constexpr double kBloomBitsPerKey = 10;
constexpr int kWriterOpenFiles = 512;  // table files that a writer keeps open at a time

constexpr Family kFamilies[] = {Family::entries, Family::texts, Family::tiles, Family::views, Family::meta};
static_assert(std::size(kFamilies) == kFamilyCount);

// RocksDB's own log files would only litter the folder: what matters comes back as a status.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

rocksdb::DBOptions database_options(Recovery recovery) {
  rocksdb::DBOptions options;
  options.wal_recovery_mode = recovery;
  options.max_total_wal_size = kMaxWalBytes;
  options.track_and_verify_wals_in_manifest = true;
  options.paranoid_checks = true;
  options.max_open_files = -1;  // all: so that all are opened at once, and none that is bad goes unnoticed
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  options.info_log = std::make_shared<NoLog>();
  return options;
}

rocksdb::ColumnFamilyOptions family_options() {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kBlockCacheBytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(kBloomBitsPerKey));
  rocksdb::ColumnFamilyOptions options;
  options.write_buffer_size = kWriteBufferBytes;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

std::vector<rocksdb::ColumnFamilyDescriptor> families(const rocksdb::ColumnFamilyOptions& options,
                                                      Views views = Views::needed) {
  std::vector<rocksdb::ColumnFamilyDescriptor> out = {{rocksdb::kDefaultColumnFamilyName, options}};  // stays empty
  for (const Family family : kFamilies) {
    if (family != Family::views || views == Views::needed) out.emplace_back(std::string(name(family)), options);
  }
  return out;
}

bool means_damage(const rocksdb::Status& status) {
  return status.IsCorruption() || status.IsPathNotFound() || status.IsTryAgain() || status.IsInvalidArgument();
}

}  // namespace

tl::unexpected<Error> error_of(const rocksdb::Status& status, std::string position) {
  // "block checksum mismatch: ... in /path/000012.sst offset 4567 size 4043": RocksDB's words name file and offset.
  if (means_damage(status)) return damaged("the ledger's store is damaged: " + status.ToString(), std::move(position));
  return fail(ErrorKind::invocation, "ledger.io", "the ledger's store failed: " + status.ToString(),
              std::move(position), "check the disk, its free space and the folder's permissions");
}

tl::unexpected<Error> error_of(const rocksdb::Status& status, Family family) {
  if (family == Family::views && means_damage(status))
    return views_damaged(status.ToString(), std::string(name(family)));
  return error_of(status, std::string(name(family)));
}

tl::unexpected<Error> views_damaged(const std::string& what, std::string position) {
  return fail(ErrorKind::invocation, "ledger.views_damaged", "the ledger's views are damaged: " + what,
              std::move(position), "stop `serve` and run `sellcompute replay --rebuild-views`; it loses nothing");
}

Database::Database(rocksdb::DB* db, Handles handles) : db_(db), handles_(std::move(handles)) {
  for (const Family family : kFamilies) {
    const auto found = std::ranges::find(handles_, name(family), &rocksdb::ColumnFamilyHandle::GetName);
    if (found != handles_.end()) families_[static_cast<std::size_t>(family)] = *found;
  }
}

Database::~Database() {
  for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
}

template <class Open>
Result<std::unique_ptr<Database>> Database::open(const fs::path& folder, const Open& open) {
  rocksdb::DB* db = nullptr;
  Handles handles;
  const rocksdb::Status status = open(&handles, &db);
  if (!status.ok()) return error_of(status, folder.string());
  return std::unique_ptr<Database>(new Database(db, std::move(handles)));
}

Result<std::unique_ptr<Database>> Database::open_read_only(const fs::path& folder, Recovery recovery, Views views) {
  return open(folder, [&](auto* handles, auto** db) {
    return rocksdb::DB::OpenForReadOnly(database_options(recovery), folder.string(), families(family_options(), views),
                                        handles, db);
  });
}

Result<std::unique_ptr<Database>> Database::open_for_writing(const fs::path& folder, Recovery recovery,
                                                             std::shared_ptr<rocksdb::EventListener> listener) {
  rocksdb::DBOptions options = database_options(recovery);
  options.listeners = {std::move(listener)};
  options.max_open_files = kWriterOpenFiles;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  return open(folder, [&](auto* handles, auto** db) {
    return rocksdb::DB::Open(options, folder.string(), families(family_options()), handles, db);
  });
}

Result<std::unique_ptr<Database>> Database::open_damaged(const fs::path& folder, Recovery recovery) {
  rocksdb::DBOptions options = database_options(recovery);
  options.paranoid_checks = false;
  options.create_missing_column_families = true;
  rocksdb::ColumnFamilyOptions family = family_options();
  family.disable_auto_compactions = true;  // which would read what is damaged
  return open(folder, [&](auto* handles, auto** db) {
    return rocksdb::DB::Open(options, folder.string(), families(family), handles, db);
  });
}

Result<std::uint64_t> Database::writes_in(Family family) const {
  rocksdb::TablePropertiesCollection tables;
  const auto status = db_->GetPropertiesOfAllTables(of(family), &tables);
  if (!status.ok()) return error_of(status, family);
  std::uint64_t sum = 0;
  for (const auto& [file, properties] : tables) sum += properties->num_entries;
  for (const auto& in_memory :
       {rocksdb::DB::Properties::kNumEntriesActiveMemTable, rocksdb::DB::Properties::kNumEntriesImmMemTables}) {
    std::uint64_t count = 0;
    if (db_->GetIntProperty(of(family), in_memory, &count)) sum += count;
  }
  return sum;
}

Result<void> Database::verify_files(Family family) const {
  rocksdb::ColumnFamilyMetaData files;
  db_->GetColumnFamilyMetaData(of(family), &files);
  for (const auto& level : files.levels) {
    for (const auto& file : level.files) {
      rocksdb::SstFileReader reader(rocksdb::Options(database_options(kWholeLog), family_options()));
      const std::string path = file.db_path + file.name;
      auto status = reader.Open(path);
      if (status.ok()) status = reader.VerifyChecksum();
      std::error_code ignored;
      const bool gone = !status.ok() && !fs::exists(path, ignored);  // the writer has put others in its place
      if (!status.ok() && !gone) return error_of(status, family);
    }
  }
  return {};
}

Result<void> Database::empty(Family family) {
  auto*& handle = families_[static_cast<std::size_t>(family)];
  if (const auto status = db_->DropColumnFamily(handle); !status.ok()) return error_of(status, family);
  std::erase(handles_, handle);
  db_->DestroyColumnFamilyHandle(handle);
  handle = nullptr;
  const auto status = db_->CreateColumnFamily(family_options(), std::string(name(family)), &handle);
  if (!status.ok()) return error_of(status, family);
  handles_.push_back(handle);
  return {};
}

}  // namespace ledger
