#include "pipeline/runtime/control_watch.h"

#include <algorithm>

#include "pipeline/nostr/nip01.h"
#include "pipeline/nostr/nip90_answer.h"
#include "pipeline/nostr/nip90_request.h"

namespace runtime {
namespace {

constexpr std::size_t kMaxWatchedJobs = 500;  // what fits into one subscription (nostr::kMaxWatchValues)
constexpr std::int64_t kMaxPingAgeMs = 120'000;
constexpr std::int64_t kRefreshMs = 1'000;

}  // namespace

void ControlWatch::refresh_every_second() {
  if (context_.failed()) return;
  refresh();
  context_.ports.scheduler.after(kRefreshMs, [this] { refresh_every_second(); });
}

void ControlWatch::refresh() {
  auto jobs = context_.engine.cancellable_jobs(kMaxWatchedJobs);
  std::ranges::sort(jobs);
  if (paused_ || (watching_ && jobs == watched_)) return;
  std::vector<nostr::Filter> filters(1);
  filters[0] = {.kinds = {nostr::kPingKind}, .tags = {{'p', {context_.key.public_key().hex()}}}, .limit = kMaxPongs};
  if (!jobs.empty()) {
    nostr::Filter& cancellations = filters.emplace_back();
    cancellations.kinds = {nostr::kDeletionKind};
    auto& ids = cancellations.tags.emplace_back('e', std::vector<std::string>()).second;
    for (const core::JobId& job : jobs) ids.push_back(job.hex());
  }
  watched_ = std::move(jobs);
  watching_ = context_.ports.relays.watch(std::move(filters)).has_value();
}

void ControlWatch::on_event(const nostr::Event& event, const std::string& relay) {
  if (event.kind == nostr::kPingKind) return answer_ping(event, relay);
  if (event.kind == nostr::kDeletionKind) on_deletion(event);
}

void ControlWatch::on_deletion(const nostr::Event& deletion) {
  for (const nostr::Tag& tag : deletion.tags) {
    const auto id = tag.size() > 1 && tag[0] == "e" ? core::JobId::from_hex(tag[1]) : std::nullopt;
    const core::Job* job = id ? context_.engine.find(*id) : nullptr;
    if (!job || job->request->customer != deletion.pubkey) continue;
    cancel_(*id, {.by = ledger::CancelledBy::customer,
                  .event = deletion.id,
                  .reason = nostr::clean_relay_text(deletion.content)});
  }
}

void ControlWatch::answer_ping(const nostr::Event& ping, const std::string& relay) {
  const base::TimeMs now = context_.ports.scheduler.now();
  const std::int64_t age_ms = now.ms - ping.created_at * 1000;
  const std::string us = context_.key.public_key().hex();
  const bool ours = std::ranges::any_of(
      ping.tags, [&](const nostr::Tag& tag) { return tag.size() > 1 && tag[0] == "p" && tag[1] == us; });
  if (paused_ || !ours || age_ms > kMaxPingAgeMs || age_ms < -kMaxPingAgeMs || pongs_ >= kMaxPongs) return;
  ++pongs_;
  const nostr::Event pong =
      nostr::sign(nostr::feedback({ping.id, ping.pubkey, relay}, nostr::Status::pong, {}, std::nullopt, now.ms / 1000),
                  context_.key, {context_.ports.random().bytes});
  context_.ports.relays.publish(relay, nostr::to_json(pong), pong.id, [](const ledger::RelayAnswer&) {});
}

void ControlWatch::resume() {
  paused_ = false;
  watching_ = false;
}

}  // namespace runtime
