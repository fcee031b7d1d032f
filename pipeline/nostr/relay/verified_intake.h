// The events that our own relays deliver: each is screened, verified and passed on once. Pure.
#pragma once

#include <memory>
#include <optional>
#include <span>

#include "pipeline/nostr/relay/hub_context.h"
#include "pipeline/nostr/relay/own_relay.h"

namespace nostr {

class VerifiedIntake {
 public:
  // Why an event was asked for. Requests go to on_event with a receipt; control events go to on_control without one.
  enum class Feed { requests, control };

  // `context` must outlive this.
  explicit VerifiedIntake(const HubContext& context);

  // An event came from `relay`, which was asked for `wanted`.
  void take(const std::shared_ptr<OwnRelay>& relay, Deliver delivered, Feed feed, std::span<const Filter> wanted);

 private:
  class Receipt;
  struct Candidate;

  bool is_known(Candidate& candidate);
  void judged(Candidate& candidate, std::optional<Refusal> reason);
  void refuse(const std::string& url, Refusal reason);

  const HubContext& context_;
  Remembered remembered_;
};

}  // namespace nostr
