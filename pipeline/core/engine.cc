#include "pipeline/core/engine.h"

#include <algorithm>
#include <set>

#include "base/check.h"
#include "pipeline/core/before_append.h"
#include "pipeline/core/canary.h"

namespace core {
namespace {

constexpr int kMostRounds = 32;  // of decisions about one job at a time; a few follow on each other

// Takes the texts of this job out of the step, and returns those that are gone with them: the request's and its inputs'.
std::vector<base::TextRef> drop_question(Step& step, const Job& job) {
  for (ledger::NewEntry& entry : step.entries) {
    if (entry.job == job.id) entry.texts.clear();
  }
  std::vector<base::TextRef> out{job.request->request};
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
  const bool all_released = shop_.total_exposure == Msat{} && shop_.queued == 0 && shop_.slots_busy == 0 && busy_ == 0;
  CHECK(!jobs_.empty() || all_released || canary(Canary::in_flight_ignored), shop_.total_exposure, shop_.queued,
        shop_.slots_busy, busy_);
}

// ---- inputs ---------------------------------------------------------------------------------------------------------

void Engine::on(Step& step, Configured& input) {
  if (ledger::encode(policy_) == ledger::encode(input.policy)) return;
  policy_ = input.policy;
  append(step, {}, std::move(input.policy));
}

void Engine::on(Step& step, RollbackConfirmed& input) {
  shop_.rollback_accepted_at = input.accepted.at;
  append(step, {}, std::move(input.accepted));
  for (const JobId& id : taken_over_) {
    if (!jobs_.at(id).job.closed) append(step, id, ledger::JobClosed{.reason = "the ledger went back in time"});
  }
}

void Engine::on(Step& step, Online& input) {
  starts_models_ = true;
  append(step, {}, ledger::WentOnline{.version = std::move(input.version)});
  readiness_.start_anew();
}

void Engine::on(Step&, Draining&) {
  starts_models_ = false;
}

void Engine::on(Step& step, Offline& input) {
  append(step, {}, ledger::WentOffline{.reason = std::move(input.reason)});
  readiness_.start_anew();
}

void Engine::on(Step& step, RequestsRefused& input) {
  append(step, {}, std::move(input.counts));
}

// Texts of open jobs stay: one that was at rest may have been paid since.
void Engine::on(Step& step, PruningOrdered& input) {
  std::set<base::TextRef> needed;
  for (const auto& [id, live] : jobs_) {
    if (canary(Canary::pruned_while_open)) input.texts.push_back(live.job.request->request);
    needed.merge(texts_of(live.job));
  }
  if (!canary(Canary::pruned_while_open)) {
    input.pruned.texts -= std::erase_if(input.texts, [&](const base::TextRef& ref) { return needed.contains(ref); });
    CHECK(input.pruned.texts == input.texts.size(), input.pruned.texts, input.texts.size());
  }
  append(step, {}, std::move(input.pruned));
  step.entries.back().gone = std::move(input.texts);
}

void Engine::on(Step& step, RequestArrived& input) {
  if (jobs_.contains(input.job)) return;
  std::vector<ledger::Text> texts;
  texts.push_back(std::move(input.text));
  if (clock_ < now_ && !canary(Canary::age_by_ledger_time)) input.request.received_at = clock_;
  append(step, input.job, std::move(input.request), std::move(texts));
  advance(step, input.job);
}

void Engine::on(Step& step, InputsReady& input) {
  finished(input.job, input.work);
  if (const Job* job = find(input.job); job && awaits_inputs(*job, now_)) {
    append(step, input.job, std::move(input.inputs), std::move(input.texts));
  }
  advance(step, input.job);
}

void Engine::on(Step& step, InputsMissing& input) {
  finished(input.job, input.work);
  if (const Job* job = find(input.job); job && awaits_inputs(*job, now_))
    append(step, input.job, std::move(input.failure));
  advance(step, input.job);
}

void Engine::on(Step& step, InvoiceCreated& input) {
  finished(input.job, input.work);
  if (const Job* job = find(input.job); job && needs_invoice(*job, now_))
    append(step, input.job, std::move(input.invoice));
  advance(step, input.job);
}

void Engine::on(Step& step, InvoiceNotCreated& input) {
  finished(input.job, input.work);
  const Job* job = find(input.job);
  if (!job) return;
  const std::uint32_t failures = job->invoice_failures + 1;
  ledger::InvoiceFailed failed{.purpose = ledger::InvoicePurpose::job,
                               .attempt = input.work.attempt,
                               .message = std::move(input.message),
                               .stale = input.stale};
  if (failures < policy_.invoice_attempts) failed.retry_at = now_ + back_off_ms(policy_.invoice_retry_ms, failures);
  append(step, input.job, std::move(failed));
  advance(step, input.job);
}

void Engine::on(Step& step, InferenceEnded& input) {
  finished(input.job, input.work);
  if (const Job* job = find(input.job); job && answerable(*job)) {
    std::vector<ledger::Text> texts;
    texts.push_back(std::move(input.result));
    append(step, input.job, std::move(input.completion), std::move(texts));
  }
  advance(step, input.job);
}

void Engine::on(Step& step, InferenceBroke& input) {
  finished(input.job, input.work);
  if (const Job* job = find(input.job); !job || !answerable(*job)) return advance(step, input.job);
  const std::uint32_t attempt = input.work.attempt;
  ledger::InferenceFailed failed{.attempt = attempt, .failure = input.failure, .message = std::move(input.message)};
  if (is_transient(input.failure) && attempt < policy_.inference_attempts) {
    failed.retry_at = now_ + back_off_ms(policy_.inference_retry_ms, attempt);
  }
  append(step, input.job, std::move(failed));
  advance(step, input.job);
}

// What has become untrue while it was signed is not said: the job may have been cancelled.
void Engine::on(Step& step, NoticeReady& input) {
  finished(input.job, input.work);
  if (const Job* job = find(input.job); job && contains(due(*job, now_).work, input.work)) {
    append(step, input.job, std::move(input.notice), std::move(input.texts));
  }
  advance(step, input.job);
}

// Delivered at the first acceptance: that is a fact at once. The other answers wait for the end.
void Engine::on(Step& step, RelayAnswered& input) {
  const auto it = jobs_.find(input.job);
  if (it == jobs_.end()) return;
  Live& live = it->second;
  const Notice* notice = find_notice(live.job, input.work.purpose);
  if (!notice) return;
  const bool first_acceptance = input.answer.accepted && !notice->delivered;
  live.answers.emplace_back(input.work.purpose, std::move(input.answer));
  if (!first_acceptance) return;
  ledger::NoticePublished published{.purpose = input.work.purpose, .event = notice->notice.event};
  published.answers.push_back(live.answers.back().second);
  append(step, input.job, std::move(published));
  advance(step, input.job);
}

void Engine::on(Step& step, PublishEnded& input) {
  finished(input.job, input.work);
  const auto it = jobs_.find(input.job);
  if (it == jobs_.end()) return;
  Live& live = it->second;
  ledger::NoticePublished published{.purpose = input.work.purpose, .final = true};
  for (auto& [purpose, answer] : live.answers) {
    if (purpose == input.work.purpose) published.answers.push_back(answer);
  }
  std::erase_if(live.answers, [&](const auto& entry) { return entry.first == input.work.purpose; });
  const Notice* notice = find_notice(live.job, input.work.purpose);
  const bool all_accepted = std::ranges::all_of(published.answers, &ledger::RelayAnswer::accepted);
  if (notice && !notice->closed && !(notice->delivered && all_accepted)) {
    published.event = notice->notice.event;
    append(step, input.job, std::move(published));
  }
  advance(step, input.job);
}

void Engine::stopped_inference(const JobId& id) {
  const std::vector<Work> works = jobs_.at(id).in_flight;
  for (const Work& work : works) {
    if (work.action == Action::infer) finished(id, work);
  }
}

// The invoice, which is watched no more; null when the job is closed or has no such invoice.
const Invoice* Engine::end_watch(const JobId& id, const Hash256& payment_hash) {
  const Job* job = find(id);
  const Invoice* invoice = job ? find_invoice(*job, payment_hash) : nullptr;
  if (!invoice) return nullptr;
  const auto index = static_cast<std::uint32_t>(invoice - job->invoices.data());
  for (const Action action : {Action::watch, Action::take, Action::give_back}) {
    finished(id, {.action = action, .index = index});
  }
  return invoice;
}

void Engine::on(Step& step, PaymentHeld& input) {
  const Job* job = find(input.job);
  const Invoice* invoice = job ? find_invoice(*job, input.hold.payment_hash) : nullptr;
  if (!invoice) return;
  if (!invoice->held && !invoice->settled && !invoice->expired) append(step, input.job, std::move(input.hold));
  advance(step, input.job);
}

void Engine::on(Step& step, Settled& input) {
  take_from_rest(input.job, std::move(input.at_rest));
  const Invoice* invoice = end_watch(input.job, input.settlement.payment_hash);
  if (!invoice) return;
  if (!invoice->settled || canary(Canary::settlement_counted_twice)) {
    append(step, input.job, std::move(input.settlement));
  }
  advance(step, input.job);
}

void Engine::on(Step& step, UnknownToWallet& input) {
  const Job* job = find(input.job);
  const Invoice* invoice = job ? find_invoice(*job, input.unknown.payment_hash) : nullptr;
  if (!invoice || invoice->settled || invoice->expired) return;
  append(step, input.job, input.unknown);
  advance(step, input.job);
}

void Engine::on(Step& step, NeverPaid& input) {
  const Invoice* invoice = end_watch(input.job, input.expiry.payment_hash);
  if (!invoice) return;
  if (held(*find(input.job)) == invoice) stopped_inference(input.job);
  if (!invoice->settled && !invoice->expired) append(step, input.job, std::move(input.expiry));
  advance(step, input.job);
}

void Engine::on(Step& step, Cancelled& input) {
  const auto it = jobs_.find(input.job);
  if (it == jobs_.end() || !cancellable(it->second.job)) return;
  stopped_inference(input.job);
  append(step, input.job, std::move(input.cancellation));
  if (input.shown && !it->second.job.completion) {
    std::vector<ledger::Text> texts;
    texts.push_back(std::move(input.shown->result));
    append(step, input.job, std::move(input.shown->completion), std::move(texts));
  }
  advance(step, input.job);
}

void Engine::on(Step& step, RetryOrdered& input) {
  if (input.at_rest && !jobs_.contains(input.job)) jobs_[input.job].job = std::move(*input.at_rest);
  const Job* job = find(input.job);
  if (job && may_retry_result(*job) && !in_flight(input.job, kPublishResult)) {
    input.retry.deadline = now_ + policy_.delivery_deadline_ms;
    append(step, input.job, std::move(input.retry));
  }
  advance(step, input.job);
}

void Engine::on(Step& step, RefundOrdered& input) {
  take_from_rest(input.job, std::move(input.at_rest));
  const Job* job = find(input.job);
  const Refund* refund = job ? find_refund(*job, input.refund.payment_hash) : nullptr;
  if (refund && !refund->paid && !under_way(*refund)) {
    input.refund.attempt = refund->started ? refund->started->attempt + 1 : 1;
    append(step, input.job, std::move(input.refund));
  }
  advance(step, input.job);
}

void Engine::on(Step& step, RefundEnded& input) {
  finished(input.job, input.work);
  const Job* job = find(input.job);
  if (job && contains(due(*job, now_).work, input.work)) {
    std::visit([&](auto& outcome) { append(step, input.job, std::move(outcome)); }, input.outcome);
  }
  advance(step, input.job);
}

void Engine::on(Step&, ReadinessJudged& input) {
  for (const PartReadiness& one : input.parts) {
    if (one.part == ReadinessPart::inference) shop_.inference_healthy = one.ready();
    if (one.part == ReadinessPart::wallet) shop_.wallet_healthy = one.ready();
  }
  shop_.failing_models = std::move(input.failing_models);
  readiness_.observe(input.parts);
}

void Engine::on(Step&, NextDraw& input) {
  const auto offers = static_cast<std::uint64_t>(share_of_class(policy_.offers_limit, Standing::fresh));
  shop_.draw = next_draw(shop_.draw, input.demand, std::min(offers, input.places), input.secret);
}

void Engine::on(Step& step, Tick&) {
  shop_.forget(policy_, now_);
  while (!wakes_.empty() && wakes_.top().first <= now_) {
    const JobId id = wakes_.top().second;
    wakes_.pop();
    if (const auto it = jobs_.find(id); it != jobs_.end()) it->second.wake_at.reset();
    advance(step, id);
  }
}

}  // namespace core
