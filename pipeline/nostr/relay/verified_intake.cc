#include "pipeline/nostr/relay/verified_intake.h"

#include <utility>
#include <vector>

namespace nostr {

// What the hub's user keeps until the event is handled. The pins are released on the hub's thread.
class VerifiedIntake::Receipt {
 public:
  Receipt(std::function<void(Task)> dispatch, std::unique_ptr<CursorPin> first)
      : dispatch_(std::move(dispatch)), pins_(std::make_shared<Pins>()) {
    add(std::move(first));
  }
  ~Receipt() {
    dispatch_([pins = std::move(pins_)] { pins->clear(); });
  }
  Receipt(const Receipt&) = delete;
  Receipt& operator=(const Receipt&) = delete;

  // The same event came from another relay too.
  void add(std::unique_ptr<CursorPin> pin) { pins_->push_back(std::move(pin)); }

 private:
  using Pins = std::vector<std::unique_ptr<CursorPin>>;
  std::function<void(Task)> dispatch_;
  std::shared_ptr<Pins> pins_;
};

// An event on its way through the signature check. It does not keep its relay's connection.
struct VerifiedIntake::Candidate {
  std::string relay;
  Deliver delivered;
  Feed feed;
  std::unique_ptr<CursorPin> pin;
};

VerifiedIntake::VerifiedIntake(const HubContext& context)
    : context_(context), remembered_(context.options.limits.max_remembered) {}

void VerifiedIntake::take(const std::shared_ptr<OwnRelay>& relay, Deliver delivered, Feed feed,
                          std::span<const Filter> wanted) {
  const HubOptions& options = context_.options;
  relay->last_event = options.clock();
  if (const auto reason = screen(delivered.event, delivered.raw.size(), wanted, options.limits, options.clock())) {
    refuse(relay->url, *reason);
    if (*reason == Refusal::not_ours) context_.blame(relay->url);
    return;
  }
  auto pin = std::make_unique<CursorPin>(relay, options.clock(), options.limits.max_unhandled);
  auto candidate = std::make_shared<Candidate>(Candidate{relay->url, std::move(delivered), feed, std::move(pin)});
  if (is_known(*candidate)) return;
  const std::shared_ptr<const Event> event(candidate, &candidate->delivered.event);
  context_.verify(
      event, [this, candidate = std::move(candidate)](std::optional<Refusal> reason) { judged(*candidate, reason); });
}

// True if the event came before. While that one is not handled, this relay's cursor waits for it too.
bool VerifiedIntake::is_known(Candidate& candidate) {
  const auto known = remembered_.find(candidate.delivered.event.id);
  if (!known) return false;
  if (const auto receipt = std::static_pointer_cast<Receipt>(*known)) receipt->add(std::move(candidate.pin));
  // What is watched comes again whenever the relay is asked again.
  if (candidate.feed == Feed::requests) refuse(candidate.relay, Refusal::duplicate);
  return true;
}

// Only verified events are remembered: a forged one must not shut out the real one that has its id.
void VerifiedIntake::judged(Candidate& candidate, std::optional<Refusal> reason) {
  const auto& url = candidate.relay;
  if (reason) {
    context_.blame(url);
    return context_.handlers.on_refused(url, *reason);
  }
  if (is_known(candidate)) return;
  const auto id = candidate.delivered.event.id;
  auto& [subscription, event, raw] = candidate.delivered;
  if (candidate.feed == Feed::control) {
    remembered_.insert(id, nullptr);
    return context_.handlers.on_control({url, std::move(event), std::move(raw), nullptr});
  }
  auto receipt = std::make_shared<Receipt>(context_.ports.dispatch, std::move(candidate.pin));
  remembered_.insert(id, receipt);
  context_.handlers.on_event({url, std::move(event), std::move(raw), std::move(receipt)});
}

void VerifiedIntake::refuse(const std::string& url, Refusal reason) {
  context_.later([this, url, reason] { context_.handlers.on_refused(url, reason); });
}

}  // namespace nostr
