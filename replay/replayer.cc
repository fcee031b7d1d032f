#include "replay/replayer.h"

#include "base/number_text.h"
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

std::string notice_text(ledger::NoticePurpose purpose) {
  if (purpose == ledger::NoticePurpose::result) return "the result";
  return "the notice \"" + std::string(ledger::name(purpose)) + "\"";
}

// With its number where it is not the first of its kind.
std::string numbered(const std::string& what, std::uint32_t index) {
  return index == 0 ? what : what + " " + std::to_string(index + 1);
}

std::string work_text(const core::Work& work) {
  switch (work.action) {
    case core::Action::gather:
      return "gather the inputs";
    case core::Action::infer:
      return "run the model, attempt " + std::to_string(work.attempt);
    case core::Action::create_invoice:
      return "make the invoice, attempt " + std::to_string(work.attempt);
    case core::Action::sign:
      return "sign " + notice_text(work.purpose);
    case core::Action::publish:
      return "publish " + notice_text(work.purpose);
    case core::Action::watch:
      return numbered("watch the invoice", work.index);
    case core::Action::take:
      return numbered("take what is held for the invoice", work.index);
    case core::Action::give_back:
      return numbered("give back what is held for the invoice", work.index);
    case core::Action::pay_back:
      return numbered("pay the customer back", work.index);
  }
  return "unknown";
}

// What a stage has to decide.
std::string decision_text(std::string_view stage) {
  if (stage == core::stage::admission().name) return "decide whether to take the job";
  if (stage == core::stage::expiry().name) return "end the job";
  if (stage == core::stage::delivery().name) return "give up what no relay took";
  if (stage == core::stage::settlement().name) return "record what is owed back";
  return "decide on " + std::string(stage);
}

// What a stage waits for when only time has to pass.
std::string waiting_text(std::string_view stage) {
  if (stage == core::stage::inference().name) return "run the model again";
  if (stage == core::stage::invoicing().name) return "make the invoice again";
  return std::string(stage);
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
  std::string out;
  const auto add = [&out](const std::string& what) { out += (out.empty() ? "" : ", ") + what; };
  for (const core::Work& work : due.due.work) add(work_text(work));
  if (due.due.decide) add(decision_text(due.stage));
  if (out.empty() && due.due.wake_at) add(waiting_text(due.stage) + " in " + base::took(*due.due.wake_at - now));
  return out;
}

}  // namespace replay
