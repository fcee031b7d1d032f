#include "pipeline/core/stages/stage.h"

#include <array>

namespace core {

std::span<const Stage> stages() {
  static const std::array kStages{stage::inputs(),    stage::admission(), stage::expiry(),   stage::inference(),
                                  stage::invoicing(), stage::feedback(),  stage::delivery(), stage::settlement()};
  return kStages;
}

Due due(const Job& job, TimeMs now) {
  Due all;
  for (const Stage& stage : stages()) {
    Due one = stage.due(job, now);
    all.work.insert(all.work.end(), one.work.begin(), one.work.end());
    if (one.wake_at && (!all.wake_at || *one.wake_at < *all.wake_at)) all.wake_at = one.wake_at;
  }
  return all;
}

bool is_open(const Job& job) {
  const Due all = due(job, job.updated_at);
  return !all.work.empty() || all.wake_at;
}

std::string_view name(Action action) {
  switch (action) {
    case Action::decide:
      return "decide";
    case Action::gather:
      return "gather inputs";
    case Action::infer:
      return "infer";
    case Action::create_invoice:
      return "create invoice";
    case Action::sign:
      return "sign";
    case Action::publish:
      return "publish";
    case Action::watch:
      return "watch invoice";
    case Action::take:
      return "take payment";
    case Action::give_back:
      return "give payment back";
    case Action::pay_back:
      return "pay back";
  }
  return "unknown";
}

std::string describe(const Work& work) {
  std::string out(name(work.action));
  if (work.purpose != NoticePurpose::unspecified) out += " " + std::string(ledger::name(work.purpose));
  if (work.attempt > 0) out += " #" + std::to_string(work.attempt);
  return out;
}

}  // namespace core
