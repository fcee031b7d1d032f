#include "pipeline/core/stages/stage.h"

#include <algorithm>
#include <array>

namespace core {

// The first stage that decides something ends the round, and every stage is asked again: its facts may change what is
// due for all. Hence what closes a job stands before what begins work for it: admission declines and expiry ends a job
// before inference and invoicing are asked. Settlement is last, because what is owed back follows from all of them.
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
    all.decide = all.decide || one.decide;
    if (one.wake_at && (!all.wake_at || *one.wake_at < *all.wake_at)) all.wake_at = one.wake_at;
  }
  return all;
}

bool is_open(const Job& job) {
  const Due all = due(job, job.updated_at);
  return !all.work.empty() || all.decide || all.wake_at;
}

std::string_view name(Action action) {
  switch (action) {
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

std::vector<std::string> describe(const Due& due) {
  std::vector<std::string> out;
  for (const Work& work : due.work) {
    std::string text(name(work.action));
    if (work.purpose != NoticePurpose::unspecified) text += " " + std::string(ledger::name(work.purpose));
    const std::uint32_t number = std::max(work.attempt, work.index);  // one of them is always 0
    if (number > 0) text += " #" + std::to_string(number);
    out.push_back(std::move(text));
  }
  if (due.decide) out.emplace_back("decide");
  return out;
}

}  // namespace core
