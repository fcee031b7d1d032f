#include "replay/pruning.h"

#include "replay/jobs_view.h"

namespace replay {

using base::Result;
using base::TextRef;

namespace {

class Pruning {
 public:
  Pruning(const ledger::Reader& reader, base::TimeMs before, const PruningTaker& take)
      : reader_(reader), take_(take), before_(before) {
    start_batch();
  }

  Result<void> add(const core::Job& job) {
    const std::size_t had = batch_.texts.size();
    for (const TextRef& ref : core::texts_of(job)) {
      const auto text = reader_.text(ref);
      if (!text) return tl::unexpected(text.error());
      if (!*text) continue;
      batch_.texts.push_back(ref);
      batch_.pruned.bytes += (*text)->size();
    }
    if (batch_.texts.size() > had) ++batch_.pruned.jobs;
    return batch_.texts.size() < kPruningBatchTexts ? Result<void>() : finish_batch();
  }

  Result<void> finish_batch() {
    if (batch_.texts.empty()) return {};
    batch_.pruned.texts = batch_.texts.size();
    const ledger::TextsPruned pruned = batch_.pruned;
    if (auto taken = take_(std::move(batch_)); !taken) return taken;
    sum_.jobs += pruned.jobs;
    sum_.texts += pruned.texts;
    sum_.bytes += pruned.bytes;
    start_batch();
    return {};
  }

  ledger::TextsPruned sum() const { return sum_; }

 private:
  void start_batch() { batch_ = {.pruned = {.before = before_}, .texts = {}}; }

  const ledger::Reader& reader_;
  const PruningTaker& take_;
  const base::TimeMs before_;
  core::PruningOrdered batch_;
  ledger::TextsPruned sum_{.before = before_};
};

}  // namespace

bool prunable(const core::Job& job, base::TimeMs before) {
  return job.updated_at < before && !core::is_open(job) && core::still_owed(job) == base::Msat{};
}

Result<ledger::TextsPruned> prune(const ledger::Reader& reader, base::TimeMs before, const PruningTaker& take) {
  Pruning pruning(reader, before, take);
  Result<void> ok;
  const auto read = for_each_job(reader, [&](const core::Job& job) {
    if (prunable(job, before)) ok = pruning.add(job);
    return ok.has_value();
  });
  if (!read) return tl::unexpected(read.error());
  if (ok) ok = pruning.finish_batch();
  if (!ok) return tl::unexpected(ok.error());
  return pruning.sum();
}

}  // namespace replay
