#include "ledger/views.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "ledger/reader.h"

namespace ledger {

// The rows of one projection, in the writer's cache.
class CachedRows final : public Rows {
 public:
  CachedRows(ViewWriter& writer, std::string_view projection) : writer_(writer), key_(view_prefix(projection)) {
    prefix_size_ = key_.size();
  }

  Result<std::optional<std::string>> get(std::string_view key) override {
    const auto [row, is_new] = writer_.rows_.try_emplace(full(key));
    if (is_new) {
      auto stored = writer_.store_->get(Family::views, key_);
      if (!stored) {
        writer_.rows_.erase(row);
        return stored;
      }
      row->second.value = std::move(*stored);
    }
    return row->second.value;
  }

  void put(std::string_view key, std::string value) override { change(key, std::move(value)); }
  void erase(std::string_view key) override { change(key, std::nullopt); }

 private:
  const std::string& full(std::string_view key) {
    key_.resize(prefix_size_);
    return key_.append(key);
  }

  void change(std::string_view key, std::optional<std::string> value) {
    const auto row = writer_.rows_.try_emplace(full(key)).first;
    row->second.value = std::move(value);
    if (!std::exchange(row->second.changed, true)) writer_.changed_.push_back(row);
  }

  ViewWriter& writer_;
  std::string key_;
  std::size_t prefix_size_ = 0;
};

namespace {

constexpr std::size_t kRebuildBatchRows = 4096;
constexpr std::size_t kRememberedRows = 1024;  // of a kilobyte or so each

// Marks the views stale, so that a crash from here on cannot leave half of them looking whole.
Result<void> erase_views(KeyValue& store, State& state) {
  state.views_size = 0;
  state.views.clear();
  Batch batch;
  put_state(batch, state);
  for (bool more = true; more;) {
    more = false;
    auto scanned = store.scan(Family::views, {}, {}, [&](std::string_view key, std::string_view) {
      batch.erase(Family::views, std::string(key));
      more = batch.writes.size() >= kRebuildBatchRows;
      return !more;
    });
    if (!scanned) return scanned;
    if (auto done = store.commit(batch); !done) return done;
    batch.writes.clear();
  }
  return {};
}

}  // namespace

std::vector<ViewVersion> view_versions(const std::vector<Projection*>& projections) {
  std::vector<ViewVersion> out;
  for (const Projection* p : projections) out.push_back({.name = std::string(p->name()), .version = p->version()});
  return out;
}

Result<void> check_views(const State& state, const std::vector<Projection*>& projections) {
  const auto same = [](const ViewVersion& a, const ViewVersion& b) {
    return a.name == b.name && a.version == b.version;
  };
  const std::vector<ViewVersion> wanted = view_versions(projections);
  if (state.size == 0) return {};
  if (state.views_size == state.size &&
      std::equal(state.views.begin(), state.views.end(), wanted.begin(), wanted.end(), same)) {
    return {};
  }
  return fail(ErrorKind::invocation, "ledger.views_stale",
              "the ledger's views were made by another version of the program, or their rebuilding was interrupted",
              std::to_string(state.views_size) + " of " + std::to_string(state.size) + " entries seen",
              "stop `serve` and run `sellcompute replay --rebuild-views`; it loses nothing");
}

Result<void> rebuild_views(KeyValue& store, const std::vector<Projection*>& projections) {
  auto state = read_state(store);
  if (!state) return tl::unexpected(state.error());
  if (auto erased = erase_views(store, *state); !erased) return erased;

  ViewWriter writer(store, projections);
  Batch batch;
  Result<void> done;
  const auto commit_rows = [&] {
    writer.flush(batch);
    done = store.commit(batch);
    batch.writes.clear();
  };
  auto read = Reader(store).for_each(0, state->size, [&](const Entry& entry) {
    done = writer.apply(entry);
    if (done && writer.changed_rows() >= kRebuildBatchRows) commit_rows();
    return done.has_value();
  });
  if (!read) return read;
  if (!done) return done;

  state->views = view_versions(projections);
  state->views_size = state->size;
  put_state(batch, *state);
  commit_rows();
  return done;
}

ViewWriter::ViewWriter(const KeyValue& store, std::vector<Projection*> projections)
    : store_(&store), projections_(std::move(projections)) {}

Result<void> ViewWriter::apply(const Entry& entry) {
  for (Projection* projection : projections_) {
    CachedRows rows(*this, projection->name());
    if (auto done = projection->apply(entry, rows); !done) return done;
  }
  return {};
}

void ViewWriter::flush(Batch& batch) {
  std::ranges::sort(changed_, {}, [](Cache::iterator row) -> const std::string& { return row->first; });
  const std::string* last = nullptr;
  for (const Cache::iterator row : changed_) {
    CHECK(row->second.changed && (!last || *last < row->first), changed_.size());  // a batch writes each row once
    last = &row->first;
    batch.writes.push_back({Family::views, row->first, row->second.value});
    row->second.changed = false;
  }
  changed_.clear();
  if (rows_.size() > kRememberedRows) rows_.clear();
}

}  // namespace ledger
