#include "pipeline/settlement_watch.h"

#include <algorithm>

#include "pipeline/core/canary.h"

namespace runtime {
namespace {

constexpr std::int64_t kShortestPollMs = 500;
constexpr std::int64_t kLongestPollMs = 30'000;

class Watcher : public std::enable_shared_from_this<Watcher> {
 public:
  Watcher(wallet::Wallet& wallet, Scheduler& scheduler, Watched watched)
      : wallet_(wallet), scheduler_(scheduler), watched_(std::move(watched)) {}

  void ask() {
    const bool over = scheduler_.now() >= watched_.give_up_at;
    wallet_.look_up(watched_.payment_hash,
                    [self = shared_from_this(), over](ledger::Result<wallet::LookupAnswer> answer) {
                      if (!answer || !self->conclude(*answer, over)) self->ask_later();
                    });
  }

 private:
  // True when the answer ends the watching. An answer to a question asked before the end proves no expiry, and a wallet
  // that does not know the invoice proves nothing.
  bool conclude(const wallet::LookupAnswer& answer, bool over) {
    if (const auto* settled = std::get_if<ledger::InvoiceSettled>(&answer)) {
      watched_.settled(*settled);
      return true;
    }
    if (!over) return false;
    if (const auto* expired = std::get_if<wallet::Expired>(&answer)) {
      watched_.never_paid({.payment_hash = watched_.payment_hash, .evidence = expired->evidence});
      return true;
    }
    return false;
  }

  void ask_later() {
    if (core::canary(core::Canary::expired_unwatched) && scheduler_.now() >= watched_.give_up_at) return;
    const std::int64_t age_ms = scheduler_.now() - watched_.since;
    scheduler_.after(std::clamp(age_ms / 20, kShortestPollMs, kLongestPollMs),
                     [self = shared_from_this()] { self->ask(); });
  }

  wallet::Wallet& wallet_;
  Scheduler& scheduler_;
  Watched watched_;
};

}  // namespace

void watch(wallet::Wallet& wallet, Scheduler& scheduler, Watched watched) {
  std::make_shared<Watcher>(wallet, scheduler, std::move(watched))->ask();
}

}  // namespace runtime
