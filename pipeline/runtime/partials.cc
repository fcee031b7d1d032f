#include "pipeline/runtime/partials.h"

#include "base/scheduler.h"
#include "pipeline/nostr/encryption.h"
#include "pipeline/nostr/nip01.h"

namespace runtime {

Partials::Partials(Relays& relays, Scheduler& scheduler, Random random, const nostr::SecretKey& key,
                   nostr::RequestRef about, ledger::Encryption form, std::vector<std::string> targets)
    : relays_(relays),
      scheduler_(scheduler),
      random_(std::move(random)),
      key_(key),
      about_(std::move(about)),
      form_(form),
      state_(std::make_shared<State>(State{.targets = std::move(targets)})) {}

void Partials::grow(std::string_view text) {
  const base::TimeMs now = scheduler_.now();
  if (text.size() < next_bytes_ || now < next_at_ || state_->targets.empty()) return;
  next_bytes_ = text.size() + text.size() / 10 + 1;
  next_at_ = now + kPartialIntervalMs;
  auto content = nostr::encrypt(form_, std::string(text), key_, about_.customer, {random_().bytes});
  if (!content) return;
  nostr::Unsigned partial =
      nostr::feedback(about_, nostr::Status::partial, {}, std::nullopt, now.ms / 1000, std::move(*content));
  partial.tags.push_back({"expiration", std::to_string((now.ms + kPartialLifeMs) / 1000)});
  publish(nostr::sign(std::move(partial), key_, {random_().bytes}));
}

void Partials::publish(const nostr::Event& event) {
  const std::string json = nostr::to_json(event);
  const auto left_us = std::make_shared<bool>(false);
  const std::vector<std::string> targets = state_->targets;
  for (const std::string& relay : targets) {
    const auto done = [state = state_, relay](const ledger::RelayAnswer& answer) {
      if (!answer.accepted) std::erase(state->targets, relay);
    };
    relays_.publish_watched(relay, json, event.id, done, [state = state_, left_us] {
      if (!std::exchange(*left_us, true)) ++state->shown;
    });
  }
}

}  // namespace runtime
