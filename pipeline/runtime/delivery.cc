#include "pipeline/runtime/delivery.h"

#include <algorithm>

#include "base/check.h"
#include "base/scheduler.h"
#include "pipeline/nostr/messages.h"

namespace runtime {
namespace {

constexpr std::int64_t kFirstRetryMs = 2'000;
constexpr std::int64_t kLongestRetryMs = 60'000;
constexpr std::int64_t kFirstRetryOfTooFastMs = 30'000;
constexpr std::int64_t kLongestRetryOfTooFastMs = 600'000;
constexpr std::uint32_t kTriesOnceDelivered = 3;

// The same event will be refused again.
bool refused_for_good(nostr::Rejection rejection) {
  return rejection == nostr::Rejection::for_good || rejection == nostr::Rejection::needs_work;
}

std::int64_t retry_after_ms(nostr::Rejection rejection, std::uint32_t tries) {
  const auto doubled = [&](std::int64_t first, std::int64_t longest) {
    return std::min(longest, first << std::min<std::uint32_t>(tries - 1, 16));
  };
  return rejection == nostr::Rejection::too_fast ? doubled(kFirstRetryOfTooFastMs, kLongestRetryOfTooFastMs)
                                                 : doubled(kFirstRetryMs, kLongestRetryMs);
}

class Deliverer : public std::enable_shared_from_this<Deliverer> {
 public:
  Deliverer(Relays& relays, Scheduler& scheduler, Delivery delivery)
      : relays_(relays),
        scheduler_(scheduler),
        delivery_(std::move(delivery)),
        open_targets_(delivery_.targets.size()),
        untried_targets_(open_targets_) {}

  void start() {
    if (delivery_.targets.empty()) scheduler_.after(0, [self = shared_from_this()] { self->delivery_.ended(); });
    for (const std::string& target : delivery_.targets) attempt(target, 1);
  }

 private:
  void attempt(const std::string& target, std::uint32_t tries) {
    relays_.publish(
        target, delivery_.event_json, delivery_.event,
        [self = shared_from_this(), tries](ledger::RelayAnswer answer) { self->on_answer(std::move(answer), tries); });
  }

  void on_answer(ledger::RelayAnswer answer, std::uint32_t tries) {
    weigh(std::move(answer), tries);
    if (tries == 1 && --untried_targets_ == 0) delivery_.tried();
  }

  void weigh(ledger::RelayAnswer answer, std::uint32_t tries) {
    const auto rejection = nostr::rejection(answer.message);
    const std::int64_t delay_ms = retry_after_ms(rejection, tries);
    const bool too_late = scheduler_.now() + delay_ms >= delivery_.deadline;
    const bool enough = delivered_ && tries >= kTriesOnceDelivered;
    if (!answer.accepted && !refused_for_good(rejection) && !too_late && !enough) {
      scheduler_.after(delay_ms,
                       [self = shared_from_this(), target = answer.relay, tries] { self->attempt(target, tries + 1); });
      return;
    }
    CHECK(open_targets_ > 0, answer.relay);  // each target gives one last answer
    delivered_ = delivered_ || answer.accepted;
    delivery_.answered(std::move(answer));
    if (--open_targets_ == 0) delivery_.ended();
  }

  Relays& relays_;
  Scheduler& scheduler_;
  Delivery delivery_;
  std::size_t open_targets_;
  std::size_t untried_targets_;
  bool delivered_ = false;
};

}  // namespace

void deliver(Relays& relays, Scheduler& scheduler, Delivery delivery) {
  std::make_shared<Deliverer>(relays, scheduler, std::move(delivery))->start();
}

}  // namespace runtime
