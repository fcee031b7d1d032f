#include "pipeline/runtime/readiness_watch.h"

#include <algorithm>

#include "pipeline/inference/offered_models.h"

namespace runtime {

using base::Result;

namespace {

constexpr std::int64_t kJudgeAgainMs = 15'000;

// Latencies and notes change with every look.
bool same(const core::Condition& a, const core::Condition& b) {
  const auto code = [](const std::optional<base::Error>& error) { return error ? error->code + error->message : ""; };
  return a.part == b.part && a.seen.which == b.seen.which && a.stops_all == b.stops_all &&
         code(a.seen.error) == code(b.seen.error) && code(a.seen.warning) == code(b.seen.warning);
}

}  // namespace

void ReadinessWatch::hear(const Result<wallet::WalletStatus>& told) {
  wallet_.error = told ? std::nullopt : std::optional(told.error());
  wallet_.observed_at = context_.ports.scheduler.now();
  wallet_.note = told ? wallet::describe(*told, context_.ports.wallet) : "";
}

void ReadinessWatch::hear(const Result<inference::BackendStatus>& told) {
  backend_.error = told ? std::nullopt : std::optional(told.error());
  backend_.observed_at = context_.ports.scheduler.now();
  backend_.note = told ? inference::list_models(*told) : "";
  if (told) models_ = *told;
}

void ReadinessWatch::start() {
  started_ = true;
  look();
}

void ReadinessWatch::resume() {
  paused_ = false;
  if (started_) ask();
  judge();
}

void ReadinessWatch::look() {
  if (context_.failed()) return;
  context_.ports.scheduler.after(kJudgeAgainMs, lifetime_.guard([this] { look(); }));
  if (paused_) return;
  ask();
  judge();
}

void ReadinessWatch::ask() {
  const base::TimeMs asked_at = context_.ports.scheduler.now();
  const auto took_ms = [this, asked_at] {
    return std::max<std::int64_t>(0, context_.ports.scheduler.now() - asked_at);
  };
  context_.ports.backend.status(lifetime_.guard([this, took_ms](const Result<inference::BackendStatus>& told) {
    hear(told);
    backend_.latency_ms = took_ms();
    judge();
  }));
  context_.ports.wallet.status(lifetime_.guard([this, took_ms](const Result<wallet::WalletStatus>& told) {
    hear(told);
    wallet_.latency_ms = took_ms();
    judge();
  }));
  // Some wallets know only by their first answer which account they are: without it, none of its invoices can be ended.
  for (wallet::Wallet* former : context_.ports.former_wallets) {
    if (former->account().empty()) former->status([](const Result<wallet::WalletStatus>&) {});
  }
}

core::Observations ReadinessWatch::observe() const {
  core::Observations seen{.wallet = wallet_,
                          .backend = backend_,
                          .disk_low = context_.ports.disk_low(),
                          .ledger_time = context_.engine.now(),
                          .clock = context_.ports.scheduler.now()};
  seen.wallet.which = context_.ports.wallet.kind();
  if (models_) seen.models = inference::observe_models(context_.engine.policy().models, *models_);
  hooks_.observe(seen);
  return seen;
}

void ReadinessWatch::judge() {
  if (!started_ || paused_ || context_.failed()) return;
  const core::Readiness before = std::exchange(readiness_, core::judge(observe()));
  context_.post(
      core::ReadinessJudged{readiness_.parts(context_.engine.policy().payment_mode), readiness_.failing_models()});
  if (!std::ranges::equal(before.conditions, readiness_.conditions, same)) hooks_.changed(before, readiness_);
}

}  // namespace runtime
