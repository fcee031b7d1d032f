#include "pipeline/runtime/runtime.h"

#include <algorithm>

#include "base/check.h"
#include "pipeline/core/canary.h"

namespace runtime {

using base::kMinuteMs;
using base::Result;
using core::Action;
using core::Job;

namespace {

constexpr std::int64_t kCursorIntervalMs = 10'000;

}  // namespace

Runtime::Runtime(Ports ports, const nostr::SecretKey& key, Options options, core::Recovery recovery, RuntimeHooks hooks)
    : ports_(std::move(ports)),
      key_(key),
      options_(std::move(options)),
      hooks_(std::move(hooks)),
      engine_(std::move(recovery)),
      context_{.ports = ports_,
               .key = key_,
               .options = options_,
               .engine = engine_,
               .post = [this](core::Input input) { post(std::move(input)); },
               .fail = [this](const base::Error& error) { fail(error); },
               .all_durable = [this] { return pending_.empty(); },
               .failed = [this] { return failed_; },
               .problem = hooks_.problem},
      customer_relays_(ports_.relays, ports_.scheduler, options_.own_relays),
      texts_(ports_.journal, key_, ports_.random),
      inputs_(context_, texts_),
      inferences_(context_, texts_, customer_relays_),
      invoicing_(context_, [this](const core::JobId& id) { inferences_.stop(id); }),
      notices_(context_, texts_, customer_relays_, [this] { drain_.check(); }),
      refund_desk_(context_),
      intake_(context_, customer_relays_,
              {.backlog = [this] { return pending_.size(); },
               .is_recording =
                   [this](const base::EventId& id) {
                     return std::ranges::find(pending_, id, &Pending::arrived) != pending_.end();
                   },
               .record =
                   [this](core::RequestArrived request, std::shared_ptr<void> receipt) {
                     const base::JobId id = request.job;
                     post(std::move(request), std::move(receipt));
                     if (!pending_.empty()) pending_.back().arrived = id;
                   }}),
      control_(context_, [this](const core::JobId& id, ledger::JobCancelled facts) { cancel(id, std::move(facts)); }),
      readiness_(context_, hooks_.readiness),
      drain_(ports_.scheduler,
             {.unfinished =
                  [this] {
                    const auto notices = notices_.waiting();
                    return Unfinished{.models = engine_.in_flight(Action::infer),
                                      .invoices = engine_.in_flight(Action::create_invoice),
                                      .held_payments = engine_.in_flight(Action::take),
                                      .results = notices.results,
                                      .notices = notices.others + engine_.in_flight(Action::sign),
                                      .groups = pending_.size()};
                  },
              .record =
                  [this](const std::string& reason) {
                    intake_.record_refused();
                    post(core::Offline{reason});
                  },
              .waiting = hooks_.draining,
              .given_up =
                  [this](const std::string& what) {
                    hooks_.problem("going offline does not wait any longer for " + what +
                                   ": that goes on when we are online again, or after the next start");
                  }}) {}

void Runtime::start(core::Policy policy, std::string version) {
  post(core::Configured{std::move(policy)});
  post(core::Online{std::move(version)});
  readiness_.start();
  ports_.scheduler.after(kMinuteMs, [this] { every_minute(); });
  ports_.scheduler.after(kCursorIntervalMs, [this] { save_cursors(); });
  control_.refresh_every_second();
}

void Runtime::take_up_open_jobs() {
  if (!failed_) commit(engine_.resume(ports_.scheduler.now()), {});
}

// ---- inputs in, entries and commands out ----------------------------------------------------------------------------

void Runtime::post(core::Input input, std::shared_ptr<void> receipt) {
  if (failed_) return;
  commit(engine_.step(std::move(input), ports_.scheduler.now()), std::move(receipt));
}

// Commands wait for their own facts and for all facts before them.
void Runtime::commit(core::Step step, std::shared_ptr<void> receipt) {
  arm_wake();
  if (step.entries.empty()) {
    if (pending_.empty()) {
      for (const core::Command& command : step.commands) dispatch(command);
    } else {
      Pending& last = pending_.back();
      std::ranges::move(step.commands, std::back_inserter(last.commands));
      if (receipt) last.receipts.push_back(std::move(receipt));
    }
    drain_.check();
    return;
  }
  if (core::canary(core::Canary::command_before_durable)) {
    for (const core::Command& command : std::exchange(step.commands, {})) dispatch(command);
  }
  Pending& pending = pending_.emplace_back(Pending{.number = ++appended_, .commands = std::move(step.commands)});
  if (receipt) pending.receipts.push_back(std::move(receipt));
  if (hooks_.entry) {
    for (const auto& entry : step.entries) pending.entries.push_back({entry.time, entry.job, entry.fact, {}});
  }
  ports_.journal.append({.entries = std::move(step.entries)},
                        [this, number = appended_](const Result<void>& result) { on_durable(number, result); });
}

void Runtime::on_durable(std::uint64_t number, const Result<void>& result) {
  if (failed_) return;
  if (!result) return fail(result.error());
  CHECK(!pending_.empty() && pending_.front().number == number, number, pending_.size());
  const Pending done = std::move(pending_.front());
  pending_.pop_front();
  for (const auto& entry : done.entries) hooks_.entry(entry);
  for (const core::Command& command : done.commands) dispatch(command);
  intake_.take_waiting();
  drain_.check();
}

void Runtime::fail(const base::Error& error) {
  failed_ = true;
  hooks_.fatal(error);
}

void Runtime::dispatch(const core::Command& command) {
  const Job* job = engine_.find(command.job);
  if (!job || failed_) return;
  switch (command.work.action) {
    case Action::gather:
      return inputs_.gather(*job, command.work);
    case Action::infer:
      return inferences_.start(*job, command.work);
    case Action::create_invoice:
      return invoicing_.create(*job, command.work);
    case Action::sign:
      return notices_.sign(*job, command.work);
    case Action::publish:
      return notices_.publish(*job, command.work);
    case Action::watch:
      return invoicing_.watch(*job, command.work);
    case Action::take:
    case Action::give_back:
      return invoicing_.resolve_hold(command.job, command.work);
    case Action::pay_back:
      return refund_desk_.pay_back(*job, command.work);
  }
}

void Runtime::arm_wake() {
  const auto wake = engine_.next_wake();
  if (!wake || (armed_ && *armed_ <= *wake)) return;
  armed_ = wake;
  // Looks again at least every minute: right too when the wall clock is set, and no time is too far for a timer.
  ports_.scheduler.after(std::clamp<std::int64_t>(*wake - ports_.scheduler.now(), 0, kMinuteMs), [this, at = *wake] {
    if (armed_ == at) armed_.reset();
    post(core::Tick{});
  });
}

// ---- from the relays, and from the operator -------------------------------------------------------------------------

void Runtime::on_request(const nostr::Event& event, std::string raw, const std::string& relay,
                         std::shared_ptr<void> receipt) {
  intake_.on_request(event, std::move(raw), relay, std::move(receipt));
}

void Runtime::on_control(const nostr::Event& event, const std::string& relay) {
  if (!failed_) control_.on_event(event, relay);
}

bool Runtime::cancel(const core::JobId& id, ledger::JobCancelled facts) {
  const Job* job = engine_.find(id);
  if (failed_ || !job || !core::cancellable(*job)) return false;
  post(core::Cancelled{id, std::move(facts), inferences_.stop(id)});
  return true;
}

// ---- regularly ------------------------------------------------------------------------------------------------------

void Runtime::every_minute() {
  if (failed_) return;
  intake_.record_refused();
  intake_.draw();
  control_.every_minute();
  post(core::Tick{});
  intake_.take_waiting();
  ports_.scheduler.after(kMinuteMs, [this] { every_minute(); });
}

void Runtime::save_cursors() {
  if (failed_) return;
  if (hooks_.cursors && !drain_.begun()) {
    ledger::Group group{.cursors = hooks_.cursors()};
    if (!group.cursors.empty()) {
      pending_.push_back({.number = ++appended_});
      ports_.journal.append(std::move(group),
                            [this, number = appended_](const Result<void>& result) { on_durable(number, result); });
    }
  }
  ports_.scheduler.after(kCursorIntervalMs, [this] { save_cursors(); });
}

// ---- offline and online again ---------------------------------------------------------------------------------------

void Runtime::drain(std::string reason, std::optional<std::int64_t> model_limit_ms, std::function<void()> done) {
  intake_.close();
  control_.pause();
  readiness_.pause();
  post(core::Draining{});
  drain_.begin(std::move(reason), model_limit_ms, std::move(done));
}

void Runtime::go_online(std::string version) {
  drain_.end();
  control_.resume();
  intake_.open();
  post(core::Online{std::move(version)});
  readiness_.resume();
}

}  // namespace runtime
