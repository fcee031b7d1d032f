#include "pipeline/core/engine.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "pipeline/core/before_append.h"
#include "pipeline/core/canary.h"

namespace core {
namespace {

constexpr int kMostRounds = 32;  // of decisions about one job at a time; a few follow on each other

// Takes the texts of this job out of the step, and returns those that are gone with them: the request's and its
// inputs'.
std::vector<base::TextRef> drop_question(Step& step, const Job& job) {
  for (ledger::NewEntry& entry : step.entries) {
    if (entry.job == job.id) entry.texts.clear();
  }
  std::vector<base::TextRef> out;
  if (job.request) out.push_back(job.request->request);
  if (job.inputs) out.insert(out.end(), job.inputs->texts.begin(), job.inputs->texts.end());
  return out;
}

bool contains(const std::vector<Work>& works, const Work& work) {
  return std::ranges::find(works, work) != works.end();
}

}  // namespace

Engine::Engine(Recovery recovery) : now_(recovery.time) {
  shop_.rollback_accepted_at = recovery.rollback_accepted_at;
  if (recovery.policy) policy_ = std::move(*recovery.policy);
  for (const auto& [customer, day] : recovery.credit) shop_.change_credit(customer, day);
  for (const auto& [decided_at, job] : recovery.decisions) {
    const Accounts accounts = accounts_of(job);
    const Accounts windows{.stranger_quote = accounts.stranger_quote, .told = accounts.told};
    if (job.request) shop_.account(job, decided_at, {}, windows);
  }
  std::ranges::sort(recovery.open_jobs, {}, [](const Job& job) { return std::pair(job.requested_at, job.id); });
  for (Job& job : recovery.open_jobs) {
    const JobId id = job.id;
    if (!job.request || jobs_.contains(id)) continue;  // no ledger of ours has such a job
    shop_.account(job, job.requested_at, {}, while_open(job));
    jobs_[id] = {.job = std::move(job), .waits_for_resume = true};
    taken_over_.push_back(id);
  }
}

Step Engine::step(Input input, TimeMs now) {
  clock_ = now;
  now_ = std::max(now_, clock_);
  Step out;
  std::visit([&](auto& one) { on(out, one); }, input);
  for (auto& change : readiness_.take_due(now_)) append(out, {}, std::move(change));
  start_queued(out);
  return out;
}

Step Engine::resume(TimeMs now) {
  clock_ = now;
  now_ = std::max(now_, clock_);
  Step out;
  const std::vector<JobId> ids = std::exchange(taken_over_, {});
  for (const JobId& id : ids) jobs_.at(id).waits_for_resume = false;
  for (const JobId& id : ids) advance(out, id);
  start_queued(out);
  return out;
}

const Job* Engine::find(const JobId& id) const {
  const auto it = jobs_.find(id);
  return it == jobs_.end() ? nullptr : &it->second.job;
}

bool Engine::in_flight(const JobId& id, const Work& work) const {
  const auto it = jobs_.find(id);
  return it != jobs_.end() && contains(it->second.in_flight, work);
}

std::vector<JobId> Engine::cancellable_jobs(std::size_t limit) const {
  std::vector<std::pair<TimeMs, JobId>> found;
  for (const auto& [id, live] : jobs_) {
    if (cancellable(live.job)) found.emplace_back(live.job.requested_at, id);
  }
  std::ranges::sort(found, std::greater<>());
  if (found.size() > limit) found.resize(limit);
  std::vector<JobId> out;
  for (const auto& [time, id] : found) out.push_back(id);
  return out;
}

std::optional<TimeMs> Engine::next_wake() const {
  if (wakes_.empty()) return std::nullopt;
  return wakes_.top().first;
}

// ---- the kernel -----------------------------------------------------------------------------------------------------

void Engine::append(Step& step, const JobId& id, Fact fact, std::vector<ledger::Text> texts) {
  std::vector<base::TextRef> gone;
  if (!id.is_zero()) {
    Live& live = jobs_[id];
    // Nobody can fill the disk with what we decline.
    if (auto* declined = std::get_if<ledger::JobDeclined>(&fact)) {
      declined->text_dropped = true;
      gone = drop_question(step, live.job);
    }
    check_before_append(live.job, fact);
    const Accounts before = accounts_of(live.job);
    evolve(live.job, id, now_, fact);
    shop_.account(live.job, now_, before, accounts_of(live.job));
  }
  step.entries.push_back(
      {.time = now_, .job = id, .fact = std::move(fact), .texts = std::move(texts), .gone = std::move(gone)});
}

// Lets the stages decide until nothing is left to decide; what remains is work for adapters.
Due Engine::decide_until_settled(Step& step, const JobId& id, const Live& live) {
  for (int rounds = 0;; ++rounds) {
    CHECK(rounds < kMostRounds, rounds);  // a decision that leaves itself due would never end
    Due effects;
    std::vector<Fact> decisions;
    for (const Stage& stage : stages()) {
      const Due due = stage.due(live.job, now_);
      if (due.wake_at && (!effects.wake_at || *due.wake_at < *effects.wake_at)) effects.wake_at = due.wake_at;
      effects.work.insert(effects.work.end(), due.work.begin(), due.work.end());
      if (due.decide) decisions = stage.decide(live.job, shop_, policy_, now_);
      if (!decisions.empty()) break;
    }
    if (decisions.empty()) return effects;
    for (Fact& fact : decisions) append(step, id, std::move(fact));
  }
}

void Engine::advance(Step& step, const JobId& id) {
  const auto it = jobs_.find(id);
  if (it == jobs_.end()) return;
  Live& live = it->second;
  if (live.waits_for_resume) return;
  bool wants_slot = false;
  const Due effects = decide_until_settled(step, id, live);
  for (const Work& work : effects.work) {
    if (contains(live.in_flight, work) && !canary(Canary::in_flight_ignored)) continue;
    if (work.action == Action::infer) {
      wants_slot = true;
      continue;
    }
    started(step, id, live, work);
  }
  if (wants_slot) {
    enqueue(id, live);
  } else {
    leave_queue(live);
  }
  CHECK(!effects.wake_at || *effects.wake_at > now_, effects.wake_at.value_or(now_), now_);  // a Tick would not end
  if (effects.wake_at && effects.wake_at != live.wake_at) wakes_.emplace(*effects.wake_at, id);
  live.wake_at = effects.wake_at;
  rest(id);
}

void Engine::start_queued(Step& step) {
  while (starts_models_ && !queue_.empty() && shop_.slots_busy < policy_.slots) {
    const JobId id = queue_.begin()->second;
    Live& live = jobs_.at(id);
    CHECK(live.place && live.job.quote);
    leave_queue(live);
    const Work work{.action = Action::infer, .attempt = live.job.inference_failures + 1};
    if (live.job.inference_started < work.attempt) {
      append(step, id, ledger::InferenceStarted{.attempt = work.attempt, .model = live.job.quote->terms.name});
    }
    started(step, id, live, work);
  }
}

void Engine::enqueue(const JobId& id, Live& live) {
  if (live.place) return;
  live.place = {.starts_anew = live.job.inference_started == live.job.inference_failures,
                .standing = standing_of(live.job),
                .number = ++places_};
  queue_.emplace(*live.place, id);
  shop_.enter_queue(live.job.request->customer, live.place->standing);
  CHECK(queue_.size() == shop_.queued, queue_.size(), shop_.queued);
}

void Engine::leave_queue(Live& live) {
  if (!live.place) return;
  queue_.erase(*live.place);
  shop_.leave_queue(live.job.request->customer, live.place->standing);
  live.place.reset();
  CHECK(queue_.size() == shop_.queued, queue_.size(), shop_.queued);
}

// The one place where work goes out; finished() is where it comes home.
void Engine::started(Step& step, const JobId& id, Live& live, const Work& work) {
  CHECK(!contains(live.in_flight, work) || canary(Canary::in_flight_ignored), work.action, work.attempt);
  CHECK(work.action != Action::infer || shop_.slots_busy < policy_.slots, shop_.slots_busy, policy_.slots);
  live.in_flight.push_back(work);
  ++works_[static_cast<std::size_t>(work.action)];
  if (work.action == Action::infer) ++shop_.slots_busy;
  step.commands.push_back({id, work});
}

void Engine::finished(const JobId& id, const Work& work) {
  const auto it = jobs_.find(id);
  if (it == jobs_.end()) return;
  if (std::erase(it->second.in_flight, work) == 0) return;
  CHECK(works_[static_cast<std::size_t>(work.action)] > 0, work.action);
  CHECK(work.action != Action::infer || shop_.slots_busy > 0, shop_.slots_busy);
  --works_[static_cast<std::size_t>(work.action)];
  if (work.action == Action::infer) --shop_.slots_busy;
}

// A job that the engine does not hold, as the ledger has it.
void Engine::take_from_rest(const JobId& id, std::optional<Job> job) {
  if (!job || !job->request || jobs_.contains(id)) return;
  shop_.account(*job, now_, {}, while_open(*job));
  jobs_[id].job = std::move(*job);
}

// A job with nothing due, now or later, leaves memory; the ledger has it.
void Engine::rest(const JobId& id) {
  const auto it = jobs_.find(id);
  const Live& live = it->second;
  if (!live.in_flight.empty() || live.place || live.wake_at) return;
  shop_.account(live.job, now_, while_open(live.job), {});
  jobs_.erase(it);
  const bool no_work = std::ranges::all_of(works_, [](std::size_t count) { return count == 0; });
  const bool all_released =
      shop_.total_exposure == Msat{} && shop_.unfinished == 0 && shop_.queued == 0 && shop_.slots_busy == 0 && no_work;
  CHECK(!jobs_.empty() || all_released || canary(Canary::in_flight_ignored), shop_.total_exposure, shop_.unfinished,
        shop_.queued, shop_.slots_busy, no_work);
}

}  // namespace core
