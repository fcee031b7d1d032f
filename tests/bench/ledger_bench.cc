// How much the ledger costs above the disk it stands on.
// usage: bench_ledger [FOLDER]   (a folder on the disk to measure; default: the temporary one)
//
// Durable appends per second with 1, 16 and 256 appenders that each wait for their entry, against bare RocksDB
// committing the very same batches, synced; and two folds over all facts against a bare scan of the same entries: one
// that only decodes, and one into jobs, each kept until it is over, as a running engine keeps them.
#include <rocksdb/db.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <future>
#include <stdexcept>
#include <unordered_map>

#include "ledger/group_commit.h"
#include "ledger/reader.h"
#include "ledger/rocksdb_store.h"
#include "pipeline/core/job.h"
#include "tests/support/sample_ledger.h"
#include "tests/support/sim_disk.h"

namespace {

using namespace base;
using namespace ledger;
namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int kRuns = 9;
constexpr int kFoldRuns = 15;  // short ones
constexpr double kRunSeconds = 1.0;
constexpr std::size_t kMaxEntries = 60'000;  // prepared for one run
constexpr std::size_t kFoldEntries = 200'000;

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().describe());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

void must(const rocksdb::Status& status) {
  if (!status.ok()) throw std::runtime_error(status.ToString());
}

struct Run {
  std::vector<std::size_t> batch_sizes;  // entries in each commit
  std::size_t entries = 0;
  double seconds = 0;
  double per_second() const { return static_cast<double>(entries) / seconds; }
};

// Passes batches on and counts their entries.
class Counting final : public KeyValue {
 public:
  Counting(KeyValue& store, std::vector<std::size_t>& sizes) : store_(store), sizes_(sizes) {}
  Result<void> commit(const Batch& batch) override {
    std::size_t entries = 0;
    for (const auto& write : batch.writes) entries += write.family == Family::entries ? 1 : 0;
    if (entries > 0) sizes_.push_back(entries);
    return store_.commit(batch);
  }
  Result<std::optional<std::string>> get(Family family, std::string_view key) const override {
    return store_.get(family, key);
  }
  Result<void> scan(Family family, std::string_view from, std::string_view until, const Visitor& visit) const override {
    return store_.scan(family, from, until, visit);
  }
  Result<void> scan_back(Family family, std::string_view from, std::string_view until,
                         const Visitor& visit) const override {
    return store_.scan_back(family, from, until, visit);
  }

 private:
  KeyValue& store_;
  std::vector<std::size_t>& sizes_;
};

// `appenders` entries wait at any time: whoever is told submits the next.
Run ledger_appends(const fs::path& folder, std::size_t appenders) {
  Run run;
  std::vector<Group> groups;
  for (Seq seq = 0; seq < kMaxEntries; ++seq) groups.push_back(sim::sample_group(seq, 1));
  const auto store = must(open_writer(folder));
  Counting counting(*store, run.batch_sizes);
  sim::SampleView view;
  GroupCommit writer(must(Ledger::open(counting, {&view})));

  std::size_t next = 0;
  std::size_t waiting = 0;
  std::promise<void> finished;
  const auto start = Clock::now();
  std::function<void()> submit = [&] {
    ++waiting;
    must(writer.submit(std::move(groups[next++]), [&](Result<void> done) {
      must(std::move(done));
      --waiting;
      ++run.entries;
      if (next < groups.size() && seconds_since(start) < kRunSeconds) return submit();
      if (waiting == 0) finished.set_value();
    }));
  };
  must(writer.submit_task([&](Ledger&) {
    for (std::size_t i = 0; i < appenders; ++i) submit();
  }));
  finished.get_future().wait();
  run.seconds = seconds_since(start);
  return run;
}

// The batches that such a run committed.
std::vector<Batch> batches_of(const Run& run) {
  std::vector<Batch> out;
  sim::SimDisk disk;
  sim::SampleView view;
  const auto ledger = must(Ledger::open(disk, {&view}));
  disk.on_commit([&](auto, const Batch& batch) {
    out.push_back(batch);
    return sim::Fault::none;
  });
  for (const std::size_t size : run.batch_sizes) {
    std::vector<Group> groups;
    for (std::size_t i = 0; i < size; ++i) groups.push_back(sim::sample_group(ledger->size() + i, 1));
    must(ledger->append(groups));
  }
  return out;
}

double bare_appends_per_second(const fs::path& folder, const Run& run) {
  const std::vector<Batch> batches = batches_of(run);
  rocksdb::Options options;
  options.create_if_missing = true;
  options.write_buffer_size = 8 << 20;
  rocksdb::DB* opened = nullptr;
  must(rocksdb::DB::Open(options, folder.string(), &opened));
  const std::unique_ptr<rocksdb::DB> db(opened);
  std::vector<std::unique_ptr<rocksdb::ColumnFamilyHandle>> families;
  for (int i = 0; i < kFamilyCount; ++i) {
    rocksdb::ColumnFamilyHandle* handle = nullptr;
    must(db->CreateColumnFamily(options, std::string(name(static_cast<Family>(i))), &handle));
    families.emplace_back(handle);
  }
  rocksdb::WriteOptions synced;
  synced.sync = true;
  const auto start = Clock::now();
  for (const Batch& batch : batches) {
    rocksdb::WriteBatch writes;
    for (const auto& w : batch.writes)
      must(writes.Put(families[static_cast<std::size_t>(w.family)].get(), w.key, *w.value));
    must(db->Write(synced, &writes));
  }
  const double seconds = seconds_since(start);
  families.clear();
  return static_cast<double>(run.entries) / seconds;
}

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

// Two ways of doing the same, measured in turns: what else happens on the machine then meets both.
struct Pairs {
  std::vector<double> ours;  // per second
  std::vector<double> bare;
  double ratio() const {
    std::vector<double> ratios;
    for (std::size_t i = 0; i < ours.size(); ++i) ratios.push_back(ours[i] / bare[i]);
    return median(std::move(ratios));
  }
};

void compare_appends(const fs::path& folder, std::size_t appenders) {
  Pairs pairs;
  for (int i = 0; i < kRuns; ++i) {
    const Run run = ledger_appends(folder / "ledger", appenders);
    pairs.ours.push_back(run.per_second());
    pairs.bare.push_back(bare_appends_per_second(folder / "bare", run));
    fs::remove_all(folder / "ledger");
    fs::remove_all(folder / "bare");
  }
  std::printf("%3zu appenders   ledger %9.0f /s   bare RocksDB %9.0f /s   ratio %.2f\n", appenders, median(pairs.ours),
              median(pairs.bare), pairs.ratio());
}

// Facts per second through `fold`, against a scan that only touches the bytes.
void compare_fold(const fs::path& folder, const char* what, const std::function<void(const Entry&)>& fold) {
  const auto store = must(open_writer(folder));
  std::uint64_t bytes = 0;
  Pairs pairs;
  for (int i = 0; i < kFoldRuns; ++i) {
    const auto scan_start = Clock::now();
    must(store->scan(Family::entries, {}, {}, [&](auto key, auto value) {
      bytes += key.size() + value.size();
      return true;
    }));
    pairs.bare.push_back(kFoldEntries / seconds_since(scan_start));
    const auto fold_start = Clock::now();
    must(Reader(*store).for_each(0, kFoldEntries, [&](const Entry& entry) {
      fold(entry);
      return true;
    }));
    pairs.ours.push_back(kFoldEntries / seconds_since(fold_start));
  }
  std::printf("%-13s   fold %11.0f /s   bare scan %12.0f /s   ratio %.2f   (%.0f bytes an entry)\n", what,
              median(pairs.ours), median(pairs.bare), pairs.ratio(),
              static_cast<double>(bytes) / kFoldRuns / kFoldEntries);
}

void fill(const fs::path& folder) {
  const auto store = must(open_writer(folder));
  sim::SampleView view;
  const auto ledger = must(Ledger::open(*store, {&view}));
  while (ledger->size() < kFoldEntries) {
    const Group group = sim::sample_group(ledger->size(), 1000);
    must(ledger->append({&group, 1}));
  }
}

}  // namespace

int main(int argc, char** argv) {
  const fs::path parent = argc > 1 ? argv[1] : fs::temp_directory_path();
  const fs::path folder = parent / "sellcompute-bench-ledger";
  fs::remove_all(folder);
  fs::create_directories(folder);
  for (const std::size_t appenders : {1U, 16U, 256U}) compare_appends(folder, appenders);
  fill(folder / "fold");
  std::int64_t settled_msat = 0;
  compare_fold(folder / "fold", "settled sum", [&](const Entry& entry) {
    if (const auto* settled = std::get_if<InvoiceSettled>(&entry.fact)) settled_msat += settled->received.value;
  });
  std::unordered_map<JobId, core::Job, FixedBytesHash> jobs;
  compare_fold(folder / "fold", "jobs", [&](const Entry& entry) {
    core::Job& job = jobs[entry.header.job];
    core::evolve(job, entry.header.job, entry.header.time, entry.fact);
    if (core::find_notice(job, NoticePurpose::success)) jobs.erase(entry.header.job);
  });
  fs::remove_all(folder);
  return settled_msat > 0 ? 0 : 1;
}
