#include "replay/replayer.h"

#include "replay/jobs_view.h"

namespace replay {
namespace {

using base::Result;

bool is_after(const ledger::Entry& entry, const Until& until) {
  if (const auto* seq = std::get_if<base::Seq>(&until)) return entry.seq > *seq;
  if (const auto* time = std::get_if<base::TimeMs>(&until)) return entry.header.time > *time;
  return false;
}

std::vector<StageDue> due_by_stage(const core::Job& job) {
  std::vector<StageDue> out;
  for (const core::Stage& stage : core::stages()) {
    core::Due due = stage.due(job, job.updated_at);
    if (!due.work.empty() || due.decide || due.wake_at) out.push_back({stage.name, std::move(due)});
  }
  return out;
}

}  // namespace

Result<std::vector<ReplayStep>> replay_job(const ledger::Reader& reader, const base::JobId& id, const Until& until) {
  const auto positions = positions_of(reader, id);
  if (!positions) return tl::unexpected(positions.error());
  std::vector<ReplayStep> steps;
  core::Job job;
  for (const base::Seq seq : *positions) {
    auto entry = reader.entry(seq);
    if (!entry) return tl::unexpected(entry.error());
    if (is_after(*entry, until)) break;
    core::evolve(job, id, entry->header.time, entry->fact);
    steps.push_back({std::move(*entry), job, due_by_stage(job)});
  }
  return steps;
}

std::string describe(const StageDue& due, base::TimeMs now) {
  std::string out(due.stage);
  std::string_view separator = ": ";
  const auto works = core::describe(due.due);
  for (const std::string& work : works) {
    out.append(separator).append(work);
    separator = ", ";
  }
  if (works.empty() && due.due.wake_at) out += ": in " + std::to_string(*due.due.wake_at - now) + " ms";
  return out;
}

}  // namespace replay
