// What the engine makes of each input. The rest of it is in engine.cc.
#include <algorithm>
#include <set>

#include "base/check.h"
#include "pipeline/core/canary.h"
#include "pipeline/core/engine.h"

namespace core {
namespace {

bool is_due(const Job& job, TimeMs now, const Work& work) {
  const Due all = due(job, now);
  return std::ranges::find(all.work, work) != all.work.end();
}

}  // namespace

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
  if (const Job* job = find(input.job); job && is_due(*job, now_, input.work)) {
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
  take_from_rest(input.job, std::move(input.at_rest));
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
  if (refund && !refund->paid && !under_way(*refund) && !result_on_its_way(*job)) {
    input.refund.attempt = refund->started ? refund->started->attempt + 1 : 1;
    append(step, input.job, std::move(input.refund));
  }
  advance(step, input.job);
}

void Engine::on(Step& step, RefundEnded& input) {
  finished(input.job, input.work);
  const Job* job = find(input.job);
  if (job && is_due(*job, now_, input.work)) {
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
