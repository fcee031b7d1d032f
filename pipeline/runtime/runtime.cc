#include "pipeline/runtime/runtime.h"

#include <algorithm>

#include "pipeline/core/canary.h"
#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_answer.h"
#include "pipeline/nostr/nip90_request.h"

namespace runtime {

using base::Result;
using base::TimeMs;
using core::Action;
using core::Job;
using core::Work;

namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kHealthCheckMs = 15'000;
constexpr std::int64_t kCursorIntervalMs = 10'000;
// Appends that wait for the disk before requests wait too; the relays' receipts bound how many those are.
constexpr std::size_t kMaxPending = 1'024;
// Requests that wait until the disk has room again. Fewer than make the relays' reading pause (nostr::IntakeLimits):
// the same connections bring the answers to what is still published.
constexpr std::size_t kMaxWaitForRoom = 512;
constexpr std::int64_t kWatchIntervalMs = 1'000;
constexpr std::size_t kMaxWatchedJobs = 500;  // what fits into one subscription (nostr::kMaxWatchValues)
constexpr std::int64_t kPingAgeMs = 2 * kMinuteMs;
constexpr std::uint32_t kMaxPongs = 30;  // a minute

std::vector<wallet::Wallet*> all_wallets(const Ports& ports) {
  std::vector<wallet::Wallet*> out{&ports.wallet};
  std::ranges::copy(ports.former_wallets, std::back_inserter(out));
  return out;
}

}  // namespace

Runtime::Runtime(Ports ports, const nostr::SecretKey& key, Options options, core::Recovery recovery,
                 std::function<void(base::Error)> fatal)
    : ports_(std::move(ports)),
      key_(key),
      options_(std::move(options)),
      engine_(std::move(recovery)),
      customer_relays_(ports_.relays, ports_.scheduler, options_.own_relays),
      gatherer_(ports_.relays, ports_.web, ports_.scheduler, options_.own_relays),
      wallets_(all_wallets(ports_)),
      settlements_(wallets_, ports_.scheduler),
      refunds_(ports_.payer, ports_.payer_account, ports_.scheduler),
      fatal_(std::move(fatal)),
      refused_since_(ports_.scheduler.now()) {}

void Runtime::start(core::Policy policy, std::string version) {
  post(core::Configured{std::move(policy)});
  post(core::Online{std::move(version)});
  commit(engine_.resume(ports_.scheduler.now()), {});
  check_health();
  ports_.scheduler.after(kMinuteMs, [this] { every_minute(); });
  ports_.scheduler.after(kCursorIntervalMs, [this] { save_cursors(); });
  watch_for_words();
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
    finish_drain();
    return;
  }
  if (core::canary(core::Canary::command_before_durable)) {
    for (const core::Command& command : std::exchange(step.commands, {})) dispatch(command);
  }
  Pending& pending = pending_.emplace_back();
  pending.commands = std::move(step.commands);
  if (receipt) pending.receipts.push_back(std::move(receipt));
  if (on_entry) {
    for (const auto& entry : step.entries) pending.entries.push_back({entry.time, entry.job, entry.event, {}});
  }
  ports_.journal.append({.entries = std::move(step.entries)},
                        [this](const Result<void>& result) { on_durable(result); });
}

void Runtime::on_durable(const Result<void>& result) {
  if (failed_) return;
  if (!result) return fail(result.error());
  const Pending done = std::move(pending_.front());
  pending_.pop_front();
  for (const auto& entry : done.entries) on_entry(entry);
  for (const core::Command& command : done.commands) dispatch(command);
  take_waiting();
  finish_drain();
}

void Runtime::fail(const base::Error& error) {
  failed_ = true;
  fatal_(error);
}

void Runtime::dispatch(const core::Command& command) {
  const Job* job = engine_.find(command.job);
  if (!job || failed_) return;
  switch (command.work.action) {
    case Action::gather:
      return gather(*job, command.work);
    case Action::infer:
      return infer(*job, command.work);
    case Action::create_invoice:
      return create_invoice(*job, command.work);
    case Action::sign:
      return sign(*job, command.work);
    case Action::publish:
      return publish(*job, command.work);
    case Action::watch:
      return watch_invoice(*job, command.work);
    case Action::take:
    case Action::give_back:
      return resolve_hold(command.job, command.work, 0);
    case Action::pay_back:
      return pay_back(*job, command.work);
    case Action::decide:
      return;  // the engine's own
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

// ---- the door -------------------------------------------------------------------------------------------------------

void Runtime::on_request(const nostr::Event& event, std::string raw, const std::string& relay,
                         std::shared_ptr<void> receipt) {
  if (failed_ || draining_) {
    held_receipts_.push_back(std::move(receipt));
    return;
  }
  const bool low = ports_.disk_low();
  if (low && waiting_requests_.size() >= kMaxWaitForRoom) return on_refused("disk_full");
  if (low && waiting_requests_.empty()) on_problem("disk space runs low: new requests wait until there is room");
  if (low || pending_.size() > kMaxPending) {
    waiting_requests_.push_back({event, std::move(raw), relay, std::move(receipt)});
    return;
  }
  auto request = nostr::read_request(event, raw, key_, engine_.policy().templates);
  if (!request || (!request->addressed && !engine_.policy().serve_broadcast)) return on_refused("not_ours");
  const bool on_its_way = std::ranges::any_of(pending_, [&](const Pending& one) { return one.arrived == event.id; });
  if (on_its_way || engine_.find(event.id)) return;
  const auto known = ports_.journal.job(event.id);
  if (!known) return fail(known.error());
  if (*known) return;
  ledger::Text text{.salt = ports_.random(), .bytes = std::move(raw)};
  request->request = ledger::ref(text);
  request->relay = relay;
  customer_relays_.look_up(request->customer);
  post(core::RequestArrived{event.id, std::move(*request), std::move(text)}, std::move(receipt));
  if (!pending_.empty()) pending_.back().arrived = event.id;
}

void Runtime::take_waiting() {
  while (!waiting_requests_.empty() && pending_.size() <= kMaxPending && !ports_.disk_low()) {
    Request next = std::move(waiting_requests_.front());
    waiting_requests_.pop_front();
    on_request(next.event, std::move(next.raw), next.relay, std::move(next.receipt));
  }
}

// ---- words about open jobs, and to us -------------------------------------------------------------------------------

void Runtime::on_control(const nostr::Event& event, const std::string& relay) {
  if (failed_) return;
  if (event.kind == nostr::kPingKind) return answer_ping(event, relay);
  if (event.kind != nostr::kDeletionKind) return;
  for (const nostr::Tag& tag : event.tags) {
    const auto id = tag.size() > 1 && tag[0] == "e" ? core::JobId::from_hex(tag[1]) : std::nullopt;
    const Job* job = id ? engine_.find(*id) : nullptr;
    if (!job || job->request->customer != event.pubkey) continue;
    cancel(*id,
           {.by = ledger::CancelledBy::customer, .event = event.id, .reason = nostr::clean_relay_text(event.content)});
  }
}

bool Runtime::cancel(const core::JobId& id, ledger::JobCancelled facts) {
  const Job* job = engine_.find(id);
  if (failed_ || !job || !core::cancellable(*job)) return false;
  post(core::Cancelled{id, std::move(facts), stop_inference(id)});
  return true;
}

void Runtime::answer_ping(const nostr::Event& ping, const std::string& relay) {
  const TimeMs now = ports_.scheduler.now();
  const std::int64_t age_ms = now.ms - ping.created_at * 1000;
  const std::string us = key_.public_key().hex();
  const bool ours = std::ranges::any_of(
      ping.tags, [&](const nostr::Tag& tag) { return tag.size() > 1 && tag[0] == "p" && tag[1] == us; });
  if (draining_ || !ours || age_ms > kPingAgeMs || age_ms < -kPingAgeMs || pongs_ >= kMaxPongs) return;
  ++pongs_;
  const nostr::Event pong =
      nostr::sign(nostr::feedback({ping.id, ping.pubkey, relay}, nostr::Status::pong, {}, std::nullopt, now.ms / 1000),
                  key_, {ports_.random().bytes});
  ports_.relays.publish(relay, nostr::to_json(pong), pong.id, [](const ledger::RelayAnswer&) {});
}

// Keeps what the relays are asked for in step with the jobs that are open.
void Runtime::watch_for_words() {
  if (failed_) return;
  auto jobs = engine_.cancellable_jobs(kMaxWatchedJobs);
  std::ranges::sort(jobs);
  if (!draining_ && (!watching_ || jobs != watched_)) {
    std::vector<nostr::Filter> filters(1);
    filters[0] = {.kinds = {nostr::kPingKind}, .tags = {{'p', {key_.public_key().hex()}}}, .limit = kMaxPongs};
    if (!jobs.empty()) {
      nostr::Filter& cancellations = filters.emplace_back();
      cancellations.kinds = {nostr::kDeletionKind};
      auto& ids = cancellations.tags.emplace_back('e', std::vector<std::string>()).second;
      for (const core::JobId& job : jobs) ids.push_back(job.hex());
    }
    watched_ = std::move(jobs);
    watching_ = ports_.relays.watch(std::move(filters)).has_value();
  }
  ports_.scheduler.after(kWatchIntervalMs, [this] { watch_for_words(); });
}

void Runtime::on_refused(const std::string& reason) {
  ++refused_[reason];
}

void Runtime::record_refused() {
  const TimeMs since = std::exchange(refused_since_, ports_.scheduler.now());
  if (refused_.empty()) return;
  ledger::RequestsDropped dropped{.from = since, .until = refused_since_};
  for (const auto& [reason, count] : std::exchange(refused_, {}))
    dropped.counts.push_back({.reason = reason, .count = count});
  post(core::RequestsRefused{std::move(dropped)});
}

void Runtime::every_minute() {
  if (failed_) return;
  record_refused();
  pongs_ = 0;
  post(core::Tick{});
  take_waiting();
  ports_.scheduler.after(kMinuteMs, [this] { every_minute(); });
}

void Runtime::save_cursors() {
  if (failed_) return;
  if (cursors && !draining_) {
    ledger::Group group{.cursors = cursors()};
    if (!group.cursors.empty()) {
      pending_.emplace_back();
      ports_.journal.append(std::move(group), [this](const Result<void>& result) { on_durable(result); });
    }
  }
  ports_.scheduler.after(kCursorIntervalMs, [this] { save_cursors(); });
}

void Runtime::check_health() {
  if (failed_) return;
  const auto changed = [this] {
    post(core::HealthChanged{.inference = inference_healthy_, .wallet = wallet_healthy_});
  };
  ports_.backend.status([this, changed](const Result<inference::BackendStatus>& status) {
    inference_healthy_ = status.has_value();
    changed();
  });
  ports_.wallet.status([this, changed](const Result<wallet::WalletStatus>& status) {
    wallet_healthy_ = status.has_value();
    changed();
  });
  ports_.scheduler.after(kHealthCheckMs, [this] { check_health(); });
}

void Runtime::drain(std::string reason, std::function<void()> done) {
  if (!draining_) drain_reason_ = std::move(reason);
  draining_ = true;
  drained_.push_back(std::move(done));
  finish_drain();
}

void Runtime::go_online(std::string version) {
  draining_ = false;
  watching_ = false;  // those are new connections
  held_receipts_.clear();
  waiting_requests_.clear();  // the relays are asked for them again
  post(core::Online{std::move(version)});
}

void Runtime::finish_drain() {
  if (!draining_ || drained_.empty() || !pending_.empty() || !engine_.drained()) return;
  if (!drain_reason_.empty()) {
    const std::string reason = std::exchange(drain_reason_, {});
    record_refused();
    return post(core::Offline{reason});  // and again from on_durable
  }
  for (auto& done : std::exchange(drained_, {})) ports_.scheduler.after(0, std::move(done));
}

}  // namespace runtime
